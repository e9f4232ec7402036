/** The only reader of the client's errors: turns whatever it throws into an ObjectStoreError. */
import { ObjectStoreError, type ObjectStoreReason } from './types.ts';

const BUCKET_MISSING = new Set(['NoSuchBucket', 'InvalidBucketName', 'InvalidBucketNameError']);
const NOT_FOUND = new Set(['NoSuchKey', 'NotFound']);

/** Codes that say "not with these credentials" or "never this key": repeating the call cannot help. */
const DENIED = new Set([
  'InvalidParameterValue',
  'AccessDenied',
  'InvalidAccessKeyId',
  'SignatureDoesNotMatch',
  'ExpiredToken',
  'ExpiredTokenException',
  'InvalidToken',
  'InvalidTokenId',
  'InvalidClientTokenId',
  'AllAccessDisabled',
  'RequestTimeTooSkewed',
  'AuthorizationHeaderMalformed',
  'MovedPermanently',
  'PermanentRedirect',
  'TemporaryRedirect',
  'KeyTooLongError',
  'XMinioInvalidObjectName',
  'InvalidObjectNameError',
]);

/** Which store is meant, without anything secret that an endpoint's URL may carry. */
export interface Place {
  readonly endpoint: string;
  readonly bucket: string;
}

const text = (error: unknown, field: string): string => {
  const value = typeof error === 'object' && error !== null ? (error as Record<string, unknown>)[field] : undefined;
  return typeof value === 'string' ? value : '';
};

/** The store's or the socket's own word for what happened; the error's class when it has none. */
export const codeOf = (error: unknown): string => text(error, 'code') || text(error, 'name');

function reasonFor(code: string): ObjectStoreReason {
  if (BUCKET_MISSING.has(code)) return 'BucketMissing';
  if (NOT_FOUND.has(code)) return 'NotFound';
  return DENIED.has(code) ? 'Denied' : 'Unavailable';
}

/** What the client says of a status it would have retried itself. */
const statusOf = (error: unknown): string | undefined => /HTTP status: (\d{3})/.exec(text(error, 'message'))?.[1];

const sentences: Readonly<Record<ObjectStoreReason, (code: string, what: string) => string>> = {
  BucketMissing: () => 'the bucket does not exist; create it, or correct objectStorage.bucket',
  NotFound: (_, what) => `${what} does not exist`,
  Denied: (code, what) => `${what} was refused (${code}); check the credentials and what they allow`,
  Unavailable: (code) => `no usable answer (${code})`,
};

/** The promised error for whatever was thrown; `what` names the object or the call. */
export function storeError(error: unknown, { endpoint, bucket }: Place, what: string): ObjectStoreError {
  if (error instanceof ObjectStoreError) return error;
  const status = statusOf(error);
  const code = status === undefined ? codeOf(error) : `HTTP ${status}`;
  const reason = reasonFor(code);
  const where = `object storage ${new URL(endpoint).origin}, bucket ${bucket}`;
  return new ObjectStoreError(reason, `${where}: ${sentences[reason](code, what)}`, { cause: error });
}
