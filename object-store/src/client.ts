import type { ObjectStorageAccess } from '@slipway/contract';
import { Client } from 'minio';
import { transportWithTimeout } from './transport.ts';

/** An S3 client for one endpoint: no retries, no look-ups of its own, and no connection that stands still for ever. */
export function clientFor(access: ObjectStorageAccess, timeoutMs: number): Client {
  const { hostname, port, protocol } = new URL(access.endpoint);
  const secure = protocol === 'https:';
  return new Client({
    endPoint: hostname.replace(/^\[|\]$/g, ''),
    ...(port !== '' && { port: Number(port) }),
    useSSL: secure,
    // Without it every bucket's region would be asked for first.
    region: access.region,
    pathStyle: access.pathStyle ?? true,
    accessKey: access.accessKey,
    secretKey: access.secretKey,
    ...(access.sessionToken !== undefined && { sessionToken: access.sessionToken }),
    transport: transportWithTimeout(secure, timeoutMs) as never,
    // Retrying is the caller's: it knows its deadline and says so in the log.
    retryOptions: { disableRetry: true },
  });
}
