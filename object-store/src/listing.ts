/** What is in the bucket, a page at a time. */
import type { BucketItem, Client } from 'minio';
import type { FolderEntry, ObjectInfo, StoredObject, StreamingObjectStore, UnfinishedUpload } from './types.ts';

/** Runs a request; what it throws becomes an ObjectStoreError that names `what`. */
export type Call = <T>(what: string, work: () => Promise<T>) => Promise<T>;

const PAGE = 1_000;

const entryFrom = (item: BucketItem): FolderEntry =>
  item.name === undefined
    ? { prefix: item.prefix ?? '' }
    : {
        key: item.name,
        size: item.size,
        etag: item.etag?.replaceAll('"', '') ?? '',
        lastModified: item.lastModified ?? new Date(Number.NaN),
      };

/** Listing of one bucket. */
export function listingOf(
  client: Client,
  bucket: string,
  call: Call,
): Pick<StreamingObjectStore, 'list' | 'folder' | 'walk' | 'unfinishedUploads'> {
  async function* entries(prefix: string, delimiter: string, startAfter: string): AsyncGenerator<FolderEntry> {
    let token: string | undefined = '';
    while (token !== undefined) {
      const from: string = token;
      const page = await call(`listing ${prefix}`, () =>
        client.listObjectsV2Query(bucket, prefix, from, delimiter, PAGE, startAfter),
      );
      for (const item of page.objects) yield entryFrom(item);
      token = page.isTruncated ? page.nextContinuationToken : undefined;
    }
  }

  async function* walk(prefix: string, startAfter = ''): AsyncGenerator<ObjectInfo> {
    for await (const entry of entries(prefix, '', startAfter)) if ('key' in entry) yield entry;
  }

  async function* unfinishedUploads(prefix: string): AsyncGenerator<UnfinishedUpload> {
    let [keyMarker, uploadIdMarker] = ['', ''];
    for (;;) {
      // All of the bucket: some stores take a prefix here for a whole key.
      const page = await call('listing unfinished uploads', () =>
        client.listIncompleteUploadsQuery(bucket, '', keyMarker, uploadIdMarker, ''),
      );
      for (const { key, uploadId, initiated } of page.uploads)
        if (String(key).startsWith(prefix)) yield { key: String(key), uploadId, initiated: new Date(initiated) };
      if (!page.isTruncated || (page.nextKeyMarker === keyMarker && page.nextUploadIdMarker === uploadIdMarker)) return;
      [keyMarker, uploadIdMarker] = [page.nextKeyMarker, page.nextUploadIdMarker];
    }
  }

  return {
    async list(prefix) {
      const found: StoredObject[] = [];
      for await (const { key, size } of walk(prefix)) found.push({ key, size });
      return found.sort((a, b) => (a.key < b.key ? -1 : 1));
    },
    folder: (prefix) => entries(prefix, '/', ''),
    walk,
    unfinishedUploads,
  };
}
