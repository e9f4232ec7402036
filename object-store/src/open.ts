import { PassThrough, Readable } from 'node:stream';
import type { ObjectStorageAccess } from '@slipway/contract';
import { type BucketItem, Client } from 'minio';
import { codeOf, type Place, storeError } from './errors.ts';
import { transportWithTimeout } from './transport.ts';
import type { ObjectStore, ObjectStoreError, StoredObject } from './types.ts';

export interface ObjectStoreOptions {
  /** How long a connection may stand still before the call fails as Unavailable; 15 s when absent. */
  readonly timeoutMs?: number;
}

/** A body up to this size is held in memory and sent at once; a longer one goes up in parts of it. */
const PART_BYTES = 16 * 1024 * 1024;

function clientFor(access: ObjectStorageAccess, timeoutMs: number): Client {
  const { hostname, port, protocol } = new URL(access.endpoint);
  const secure = protocol === 'https:';
  const client = new Client({
    endPoint: hostname.replace(/^\[|\]$/g, ''),
    ...(port !== '' && { port: Number(port) }),
    useSSL: secure,
    // Without it every bucket's region would be asked for first.
    region: access.region,
    accessKey: access.accessKey,
    secretKey: access.secretKey,
    ...(access.sessionToken !== undefined && { sessionToken: access.sessionToken }),
    partSize: PART_BYTES,
    transport: transportWithTimeout(secure, timeoutMs) as never,
    // Retrying is the caller's: it knows its deadline and says so in the log.
    retryOptions: { disableRetry: true },
  });
  // Before sending parts it would look for an upload to resume, among those of all tenants: nobody is allowed to list them.
  client.findUploadId = async () => undefined;
  return client;
}

/** Fails, before anything is stored, when the body is not of the length that was announced. */
async function* exactly(body: AsyncIterable<Buffer>, size: number): AsyncGenerator<Buffer> {
  let seen = 0;
  for await (const chunk of body) {
    seen += chunk.length;
    if (seen > size) break;
    yield chunk;
  }
  if (seen !== size) throw new RangeError(`expected ${size} bytes, got ${seen > size ? 'more' : seen}`);
}

/** The client does not notice when the stream it reads parts from fails: whoever waits for it would wait for ever. */
const failureOf = (stream: Readable): Promise<never> => new Promise((_, reject) => stream.once('error', reject));

/** The same bytes, failing with `map(error)`; destroying it lets go of the connection. */
function withMappedErrors(source: Readable, map: (error: unknown) => Error): Readable {
  const out = new PassThrough();
  source.on('error', (error) => out.destroy(map(error)));
  out.on('close', () => source.destroy());
  return source.pipe(out);
}

/** The store at `access`; connects on first use. Every error is an ObjectStoreError, save that of a `put` body itself. */
export function openObjectStore(access: ObjectStorageAccess, options: ObjectStoreOptions = {}): ObjectStore {
  const client = clientFor(access, options.timeoutMs ?? 15_000);
  const { bucket } = access;
  const place: Place = { endpoint: access.endpoint, bucket };

  const attempt = async <T>(what: string, call: () => Promise<T>): Promise<T> => {
    try {
      return await call();
    } catch (error) {
      throw storeError(error, place, what);
    }
  };

  const itemsOf = (prefix: string) => client.listObjectsV2(bucket, prefix, true) as AsyncIterable<BucketItem>;

  const list = (prefix: string): Promise<readonly StoredObject[]> =>
    attempt(`listing ${prefix}`, async () => {
      const found: StoredObject[] = [];
      for await (const { name, size } of itemsOf(prefix)) if (name !== undefined) found.push({ key: name, size });
      return found.sort((a, b) => (a.key < b.key ? -1 : 1));
    });

  /** The answer to HEAD has no body, so that a missing bucket looks like a missing object: listing tells them apart. */
  const checkBucketOf = (key: string): Promise<void> =>
    attempt(`listing ${key}`, async () => {
      for await (const _ of itemsOf(key)) return;
    }).catch((error: ObjectStoreError) => {
      if (error.reason !== 'Denied') throw error;
    });

  return {
    bucket,
    list,

    async stat(key) {
      const size = await attempt(`object ${key}`, async () => {
        try {
          return (await client.statObject(bucket, key)).size;
        } catch (error) {
          if (codeOf(error) !== 'NotFound' && codeOf(error) !== 'NoSuchKey') throw error;
          return undefined;
        }
      });
      if (size !== undefined) return { key, size };
      await checkBucketOf(key);
      return undefined;
    },

    async get(key) {
      const what = `object ${key}`;
      const body = await attempt(what, () => client.getObject(bucket, key));
      return withMappedErrors(body, (error) => storeError(error, place, what));
    },

    async put(key, body, size) {
      const exact = Readable.from(exactly(Buffer.isBuffer(body) ? Readable.from([body]) : body, size), {
        objectMode: false,
      });
      const failed = failureOf(exact);
      try {
        await attempt(`storing ${key}`, () => Promise.race([client.putObject(bucket, key, exact, size), failed]));
      } catch (error) {
        // The body's own failure is not the store's.
        throw exact.errored ?? error;
      } finally {
        exact.destroy();
      }
    },

    check: () =>
      attempt('the bucket', async () => {
        if (!(await client.bucketExists(bucket))) {
          throw Object.assign(new Error('no such bucket'), { code: 'NoSuchBucket' });
        }
      }),
  };
}
