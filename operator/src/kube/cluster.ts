/** The cluster as the operator sees it: informers behind the reads, guarded writes in front of the API server. */
import type { Kind, KubeObject } from '../api/meta.ts';
import type { Logger } from '../runtime/reconcile.ts';
import { applier } from './apply.ts';
import type { RuntimeKube } from './client.ts';
import { editor } from './edit.ts';
import { eventRecorder } from './events.ts';
import { type Change, DEFAULT_TIMING, Informer, type InformerState, type InformerTiming } from './informer.ts';
import { entryOf, isOlderVersion, keyOf, ObjectCache, visible } from './object-cache.ts';
import { resourcePath } from './paths.ts';
import type { Transport } from './transport.ts';
import { type Access, guardedWrites, writer } from './writer.ts';

export interface ClusterOptions {
  readonly transport: Transport;
  /** Every kind that is read or written. Two declarations of one kind must select the same objects. */
  readonly kinds: readonly Kind<KubeObject>[];
  /** Namespaces to watch; none: all. */
  readonly namespaces: readonly string[];
  readonly onChange: (kind: Kind<KubeObject>, change: Change) => void;
  /** Throws when this process may not write (any more). */
  readonly assertLeading: () => void;
  /** Name of this process in events. */
  readonly instance: string;
  readonly log: Logger;
  readonly now: () => Date;
  readonly timing?: InformerTiming;
}

export interface Cluster {
  readonly kube: RuntimeKube;
  start(): void;
  stop(): Promise<void>;
  /** One state per kind and watched namespace. */
  informers(): readonly InformerState[];
  /** Objects in the cache, and how many of them cannot be read, per kind. */
  sizes(): readonly { readonly kind: string; readonly objects: number; readonly unreadable: number }[];
}

const idOf = ({ apiVersion, kind }: { apiVersion: string; kind: string }): string => `${apiVersion}/${kind}`;

function cachesOf(kinds: readonly Kind<KubeObject>[]): Map<string, ObjectCache> {
  const caches = new Map<string, ObjectCache>();
  for (const kind of kinds) {
    const known = caches.get(idOf(kind))?.kind;
    if (known && known.selector !== kind.selector)
      throw new Error(`two declarations of ${idOf(kind)} select differently`);
    if (!known) caches.set(idOf(kind), new ObjectCache(kind));
  }
  return caches;
}

export function openCluster(options: ClusterOptions): Cluster {
  const { transport, log, assertLeading } = options;
  const caches = cachesOf(options.kinds);

  function cacheOf(kind: { apiVersion: string; kind: string }): ObjectCache {
    const cache = caches.get(idOf(kind));
    if (!cache) throw new Error(`${idOf(kind)} is not watched: name it in a controller's owns or watches`);
    return cache;
  }

  const access: Access = {
    transport,
    write: guardedWrites(transport, assertLeading),
    pathOf: (object) => resourcePath(cacheOf(object).kind, object.metadata.namespace, object.metadata.name),
    cached: (object) => cacheOf(object).entry(keyOf(object.metadata)),
    observe(object, answer) {
      const cache = cacheOf(object);
      const entry = entryOf(cache.kind, answer);
      const { uid, resourceVersion } = entry.head.metadata;
      const known = cache.entry(keyOf(entry.head.metadata));
      // Only what the watch has told of already: an object it has seen vanish must not come back.
      if (!known || known.head.metadata.uid !== uid) return;
      if (!isOlderVersion(known.head.metadata.resourceVersion, resourceVersion)) return;
      cache.set(entry);
      options.onChange(cache.kind, { before: visible(known), after: visible(entry) });
    },
  };

  const applied = applier(access);
  const onChange = (cache: ObjectCache) => (change: Change) => {
    if (change.before && !change.after) applied.forget(change.before);
    options.onChange(cache.kind, change);
  };
  const scopes = options.namespaces.length === 0 ? [undefined] : options.namespaces;
  const informers = [...caches.values()].flatMap((cache) =>
    scopes.map((namespace) => {
      const timing = options.timing ?? DEFAULT_TIMING;
      return new Informer({ transport, cache, namespace, onChange: onChange(cache), log, timing });
    }),
  );

  const kube: RuntimeKube = {
    get: (kind, key) => cacheOf(kind).get(key) as never,
    list: (kind, filter = {}) => cacheOf(kind).list(filter) as never,
    listOwned: (kind, owner) =>
      cacheOf(kind).list({ namespace: owner.metadata.namespace, ownerUid: owner.metadata.uid }) as never,
    apply: applied.apply,
    applyStatus: applied.applyStatus,
    ...writer(access),
    ...editor(access),
    recordEvent: eventRecorder(access, options),
  };

  return {
    kube,
    start() {
      for (const informer of informers) informer.start();
    },
    async stop() {
      await Promise.all(informers.map((informer) => informer.stop()));
    },
    informers: () => informers.map(({ state }) => state),
    sizes: () =>
      [...caches.values()].map(({ kind, size, unreadable }) => ({ kind: kind.kind, objects: size, unreadable })),
  };
}
