/** Where the bytes of a version may come from: the tenant's own part of the one bucket, and nowhere else. Pure. */
import { belongsToTenant, parseS3Uri, s3Uri, tenantPrefix } from '@slipway/contract';

/** What is wrong with the uri of a version somebody brought, and what to write instead; undefined when nothing is. */
export function sourceRefusal(uri: string, bucket: string, namespace: string): string | undefined {
  const location = parseS3Uri(uri);
  if (location && belongsToTenant(location, bucket, namespace)) return undefined;
  const expected = s3Uri({ bucket, key: `${tenantPrefix(namespace)}…` });
  return (
    `spec.source.uri is ${JSON.stringify(uri.slice(0, 200))}, expected ${expected}: ` +
    "a version's files lie below its namespace's own prefix; copy them there and make a new ModelVersion"
  );
}
