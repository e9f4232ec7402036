/** Objects in parts: the calls an upload is made of, and those with which a client sends its parts to the store itself. */
import type { Client } from 'minio';
import { codeOf } from './errors.ts';
import type { Call } from './listing.ts';
import { type StreamingObjectStore, UploadRefusedError } from './types.ts';
import type { UploadCalls } from './upload.ts';

/** Codes that say what was asked for does not fit what was sent: the store is well. */
const REFUSED = new Set(['NoSuchUpload', 'InvalidPart', 'InvalidPartOrder', 'EntityTooSmall', 'MalformedXML']);

const etagOf = (headers: NodeJS.Dict<string | string[]>): string => String(headers['etag'] ?? '').replaceAll('"', '');

const typed = (contentType: string | undefined): Record<string, string> =>
  contentType === undefined ? {} : { 'content-type': contentType };

/** Multipart uploads of one bucket; `signer` signs for the address clients reach the store by. */
export function multipartOf(
  client: Client,
  signer: Client,
  bucket: string,
  call: Call,
): {
  readonly calls: UploadCalls;
  readonly own: Pick<
    StreamingObjectStore,
    'putNew' | 'startMultipart' | 'completeMultipart' | 'abortMultipart' | 'presignGet' | 'presignPart'
  >;
} {
  /** One answer whose body does not matter, by its headers. */
  const headersOf = async (
    method: string,
    objectName: string,
    query: string,
    payload: Buffer,
    headers: Record<string, string> = {},
  ): Promise<NodeJS.Dict<string | string[]>> =>
    (await client.makeRequestAsyncOmit({ method, bucketName: bucket, objectName, query, headers }, payload)).headers;

  const start: UploadCalls['start'] = (key, contentType) =>
    call(`storing ${key}`, () => client.initiateNewMultipartUpload(bucket, key, typed(contentType)));

  const complete: UploadCalls['complete'] = (key, uploadId, parts) =>
    call(`storing ${key}`, async () => {
      const etags = parts.map(({ partNumber, etag }) => ({ part: partNumber, etag }));
      return { etag: (await client.completeMultipartUpload(bucket, key, uploadId, etags)).etag.replaceAll('"', '') };
    });

  const abort: UploadCalls['abort'] = (key, uploadId) =>
    call(`aborting the upload of ${key}`, async () => {
      try {
        await client.abortMultipartUpload(bucket, key, encodeURIComponent(uploadId));
      } catch (error) {
        if (codeOf(error) !== 'NoSuchUpload') throw error;
      }
    });

  return {
    calls: {
      putWhole: (key, bytes, contentType) =>
        call(`storing ${key}`, async () => ({
          etag: etagOf(await headersOf('PUT', key, '', bytes, typed(contentType))),
        })),
      start,
      putPart: (key, uploadId, partNumber, bytes) =>
        call(`storing ${key}`, async () => {
          const query = `partNumber=${partNumber}&uploadId=${encodeURIComponent(uploadId)}`;
          return { partNumber, etag: etagOf(await headersOf('PUT', key, query, bytes)) };
        }),
      complete,
      abort,
    },
    own: {
      async putNew(key, bytes) {
        try {
          await call(`storing ${key}`, () => headersOf('PUT', key, '', bytes, { 'if-none-match': '*' }));
          return true;
        } catch (error) {
          if (codeOf((error as Error).cause) === 'PreconditionFailed') return false;
          throw error;
        }
      },
      startMultipart: start,
      async completeMultipart(key, uploadId, parts) {
        try {
          return await complete(key, uploadId, parts);
        } catch (error) {
          const code = codeOf((error as Error).cause);
          if (!REFUSED.has(code)) throw error;
          throw new UploadRefusedError(`the store refuses to complete this upload (${code})`, { cause: error });
        }
      },
      abortMultipart: abort,
      presignGet: (key, seconds, contentDisposition) =>
        call(`object ${key}`, () =>
          signer.presignedGetObject(bucket, key, seconds, {
            ...(contentDisposition !== undefined && { 'response-content-disposition': contentDisposition }),
          }),
        ),
      presignPart: (key, uploadId, partNumber, seconds) =>
        call(`object ${key}`, () =>
          signer.presignedUrl('PUT', bucket, key, seconds, { partNumber: String(partNumber), uploadId }),
        ),
    },
  };
}
