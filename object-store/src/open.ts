import { PassThrough, Readable } from 'node:stream';
import type { ObjectStorageAccess } from '@slipway/contract';
import type { Client } from 'minio';
import { clientFor } from './client.ts';
import { codeOf, type Place, storeError } from './errors.ts';
import { type Call, listingOf } from './listing.ts';
import { multipartOf } from './multipart.ts';
import type { ByteRange, ObjectBody, ObjectInfo, ObjectStoreError, StreamingObjectStore } from './types.ts';
import { uploadStream } from './upload.ts';

export interface ObjectStoreOptions {
  /** How long a connection may stand still before the call fails as Unavailable; 15 s when absent. */
  readonly timeoutMs?: number;
  /** The store's address for those who use presigned URLs; the access' own endpoint when absent. */
  readonly publicEndpoint?: string | undefined;
}

/** As many as one request may delete. */
const DELETE_AT_ONCE = 1_000;

/** The same bytes, failing with `map(error)`; destroying it lets go of the connection. */
function withMappedErrors(source: Readable, map: (error: unknown) => Error): Readable {
  const out = new PassThrough();
  source.on('error', (error) => out.destroy(map(error)));
  out.on('close', () => source.destroy());
  return source.pipe(out);
}

const infoFrom = (key: string, headers: NodeJS.Dict<string | string[]>): ObjectInfo => ({
  key,
  // Of a part, the whole stands after the slash: `bytes 0-9/100`.
  size: Number(/\/(\d+)$/.exec(String(headers['content-range'] ?? ''))?.[1] ?? headers['content-length']),
  etag: String(headers['etag'] ?? '').replaceAll('"', ''),
  lastModified: new Date(String(headers['last-modified'])),
});

function readingOf(client: Client, bucket: string, call: Call, toError: (error: unknown, what: string) => Error) {
  const info = (key: string): Promise<ObjectInfo | undefined> =>
    call(`object ${key}`, async () => {
      try {
        const { size, etag, lastModified } = await client.statObject(bucket, key);
        return { key, size, etag, lastModified };
      } catch (error) {
        if (codeOf(error) !== 'NotFound' && codeOf(error) !== 'NoSuchKey') throw error;
        return undefined;
      }
    });

  const open = async (key: string, range?: ByteRange): Promise<ObjectBody> => {
    const what = `object ${key}`;
    const response = await call(what, () =>
      client.getPartialObject(bucket, key, range?.start ?? 0, range ? range.end - range.start + 1 : 0),
    );
    const { headers } = response as Readable & { headers: NodeJS.Dict<string | string[]> };
    return { ...infoFrom(key, headers), body: withMappedErrors(response, (error) => toError(error, what)) };
  };

  return { info, open };
}

function removalOf(client: Client, bucket: string, call: Call) {
  return async (keys: readonly string[]): Promise<void> => {
    for (let start = 0; start < keys.length; start += DELETE_AT_ONCE) {
      const some = keys.slice(start, start + DELETE_AT_ONCE);
      const [only] = some;
      await call(`deleting ${some.length} objects`, async () => {
        if (some.length === 1 && only !== undefined) return client.removeObject(bucket, only);
        const refused = (await client.removeObjects(bucket, [...some])) as { Code?: string; Key?: string }[];
        const real = refused.find(({ Code }) => Code !== 'NoSuchKey');
        if (real) throw Object.assign(new Error('not deleted'), { code: real.Code ?? 'InternalError' });
      });
    }
  };
}

/** The store at `access`; connects on first use. Every error is an ObjectStoreError, save that of a body that is stored. */
export function openObjectStore(access: ObjectStorageAccess, options: ObjectStoreOptions = {}): StreamingObjectStore {
  const timeoutMs = options.timeoutMs ?? 15_000;
  const client = clientFor(access, timeoutMs);
  const { publicEndpoint } = options;
  const signer = publicEndpoint === undefined ? client : clientFor({ ...access, endpoint: publicEndpoint }, timeoutMs);
  const { bucket } = access;
  const place: Place = { endpoint: access.endpoint, bucket };

  const call: Call = async (what, work) => {
    try {
      return await work();
    } catch (error) {
      throw storeError(error, place, what);
    }
  };
  const reading = readingOf(client, bucket, call, (error, what) => storeError(error, place, what));
  const listing = listingOf(client, bucket, call);
  const multipart = multipartOf(client, signer, bucket, call);

  /** The answer to HEAD has no body, so that a missing bucket looks like a missing object: listing tells them apart. */
  const checkBucketOf = async (key: string): Promise<void> => {
    try {
      for await (const _ of listing.walk(key)) return;
    } catch (error) {
      if ((error as ObjectStoreError).reason !== 'Denied') throw error;
    }
  };
  const info = async (key: string): Promise<ObjectInfo | undefined> => {
    const found = await reading.info(key);
    if (!found) await checkBucketOf(key);
    return found;
  };
  const upload: StreamingObjectStore['upload'] = (key, body, uploadOptions = {}) =>
    uploadStream(multipart.calls, key, body, uploadOptions);

  return {
    bucket,
    ...listing,
    ...multipart.own,
    info,
    open: reading.open,
    upload,
    remove: removalOf(client, bucket, call),

    async stat(key) {
      const found = await info(key);
      return found && { key, size: found.size };
    },

    get: async (key) => (await reading.open(key)).body,

    async put(key, body, size) {
      await upload(key, Buffer.isBuffer(body) ? Readable.from([body]) : body, { size });
    },

    check: () =>
      call('the bucket', async () => {
        if (!(await client.bucketExists(bucket))) {
          throw Object.assign(new Error('no such bucket'), { code: 'NoSuchBucket' });
        }
      }),
  };
}
