/** What a tenant's credentials may do, as S3 policy documents: everything ends at the namespace's own prefix. */
import { predictionsPrefix, tenantPrefix } from '@slipway/contract';

interface Statement {
  readonly Effect: 'Allow';
  readonly Action: readonly string[];
  readonly Resource: readonly string[];
  readonly Condition?: Readonly<Record<string, Readonly<Record<string, string>>>>;
}

/** A policy document; JSON.stringify it for `assumeTenantRole`. */
export interface Policy {
  readonly Version: '2012-10-17';
  readonly Statement: readonly Statement[];
}

/** Neither a wildcard nor a slash may reach a pattern through a name. */
const checkedPrefix = (namespace: string, prefix = tenantPrefix): string => {
  if (/^[a-z0-9]([a-z0-9-]*[a-z0-9])?$/.test(namespace)) return prefix(namespace);
  throw new RangeError(`namespace ${JSON.stringify(namespace)}: expected a DNS label`);
};

const listing = (bucket: string, namespace: string, prefix = tenantPrefix): Statement => ({
  Effect: 'Allow',
  Action: ['s3:ListBucket'],
  Resource: [`arn:aws:s3:::${bucket}`],
  Condition: { StringLike: { 's3:prefix': `${checkedPrefix(namespace, prefix)}*` } },
});

const onObjects = (
  bucket: string,
  namespace: string,
  actions: readonly string[],
  prefix = tenantPrefix,
): Statement => ({
  Effect: 'Allow',
  Action: actions,
  Resource: [`arn:aws:s3:::${bucket}/${checkedPrefix(namespace, prefix)}*`],
});

/** Reading and listing below `<namespace>/`; nothing else. */
export const readonlyPolicy = (bucket: string, namespace: string): Policy => ({
  Version: '2012-10-17',
  Statement: [onObjects(bucket, namespace, ['s3:GetObject']), listing(bucket, namespace)],
});

/** As `readonlyPolicy`, and writing, in parts too. No deleting: what is published stays. */
export const publishPolicy = (bucket: string, namespace: string): Policy => ({
  Version: '2012-10-17',
  Statement: [
    onObjects(bucket, namespace, ['s3:GetObject', 's3:PutObject', 's3:AbortMultipartUpload']),
    listing(bucket, namespace),
  ],
});

/** Writing, listing and deleting below `<namespace>/predictions/`; reading nothing, there either: what was predicted about whom is not for who ships it. */
export const predictionsPolicy = (bucket: string, namespace: string): Policy => ({
  Version: '2012-10-17',
  Statement: [
    onObjects(bucket, namespace, ['s3:PutObject', 's3:DeleteObject'], predictionsPrefix),
    listing(bucket, namespace, predictionsPrefix),
  ],
});
