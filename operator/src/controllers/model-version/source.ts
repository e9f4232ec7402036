/** Where the bytes of a version may come from: the tenant's own part of the one bucket, and nowhere else. Pure. */
import { belongsToTenant, parseS3Uri, s3Uri, tenantPrefix } from '@slipway/contract';
import type { ModelVersionRow } from '@slipway/database';
import { Reason } from './api.ts';
import { isFinal, type Words } from './verdict.ts';

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

/** Why a registered version is not even looked at, and the cure; undefined when it may be. */
export function storedElsewhere(row: ModelVersionRow, bucket: string): Words | undefined {
  if (sourceRefusal(row.sourceUri, bucket, row.namespace) === undefined) return undefined;
  const expected = s3Uri({ bucket, key: `${tenantPrefix(row.namespace)}…` });
  const message =
    `its files are said to be at ${JSON.stringify(row.sourceUri.slice(0, 200))}, expected ${expected}: log the model to this ` +
    'tracking server (mlflow.onnx.log_model(…, registered_model_name=…)), or copy the files there and register them again';
  return { reason: Reason.SourceNotAllowed, message };
}

/** The verdict on the bytes that the row remembers, when repeating the verification could only repeat it. */
export function recordedFailure({ status, statusMessage }: ModelVersionRow): Words | undefined {
  if (status !== 'FAILED_REGISTRATION') return undefined;
  const [, reason = '', message = ''] = /^([A-Za-z]+): ([\s\S]*)$/.exec(statusMessage) ?? [];
  return isFinal(reason) ? { reason, message } : undefined;
}
