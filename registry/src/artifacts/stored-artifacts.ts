/** TenantArtifacts over the object store. */
import { buffer } from 'node:stream/consumers';
import type { ArtifactRows } from '@slipway/database';
import { type ObjectInfo, ObjectStoreError, type StreamingObjectStore } from '@slipway/object-store';
import { artifactKey } from './location.ts';
import { isPlainPath } from './path.ts';
import type { ArtifactEntry, TenantArtifacts } from './tenant-artifacts.ts';

export interface StoredArtifactsOptions {
  readonly store: StreamingObjectStore;
  readonly rows: ArtifactRows;
  readonly presigned: boolean;
}

const isNotFound = (error: unknown): boolean => error instanceof ObjectStoreError && error.reason === 'NotFound';

/** The last part of a path, with a final slash or none. */
const baseName = (path: string): string => path.replace(/\/$/, '').replace(/^.*\//, '');

/** The artifacts of every namespace in one bucket. A path that is not plain names nothing. */
export function storedArtifacts({ store, rows, presigned }: StoredArtifactsOptions): TenantArtifacts {
  const prefixOf = (namespace: string, folder: string): string =>
    folder === '' ? artifactKey(namespace, '') : `${artifactKey(namespace, folder)}/`;

  async function objectsBelow(namespace: string, path: string): Promise<ObjectInfo[]> {
    const found: ObjectInfo[] = [];
    for await (const info of store.walk(prefixOf(namespace, path))) found.push(info);
    if (found.length > 0) return found;
    const itself = await store.info(artifactKey(namespace, path));
    return itself ? [itself] : [];
  }

  return {
    bucket: store.bucket,
    presigned,

    async list(namespace, folder) {
      if (folder !== '' && !isPlainPath(folder)) return [];
      const prefix = prefixOf(namespace, folder);
      const entries: ArtifactEntry[] = [];
      for await (const entry of store.folder(prefix)) {
        if ('prefix' in entry) entries.push({ name: baseName(entry.prefix), isDirectory: true });
        // Some tools mark a folder by an empty object with a slash at its end.
        else if (entry.key !== prefix)
          entries.push({ name: baseName(entry.key), isDirectory: false, size: entry.size });
      }
      return entries.sort((a, b) => (a.name < b.name ? -1 : 1));
    },

    async files(namespace, path) {
      if (!isPlainPath(path)) return [];
      const [objects, digests] = await Promise.all([objectsBelow(namespace, path), rows.digests(namespace, path)]);
      const known = new Map(digests.map((digest) => [artifactKey(namespace, digest.path), digest]));
      return objects.map(({ key, size, etag }) => {
        const digest = known.get(key);
        return {
          path: key.slice(artifactKey(namespace, path).length + 1),
          size,
          ...(digest?.etag === etag && digest.size === size && { sha256: digest.sha256 }),
        };
      });
    },

    async readSmall(namespace, path, limit) {
      if (!isPlainPath(path)) return undefined;
      try {
        const { body, size } = await store.open(artifactKey(namespace, path));
        if (size <= limit) return await buffer(body);
        body.destroy();
        return undefined;
      } catch (error) {
        if (isNotFound(error)) return undefined;
        throw error;
      }
    },
  };
}
