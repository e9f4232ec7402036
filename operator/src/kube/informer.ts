/**
 * Lists and watches one kind and keeps its cache true, for as long as the process lives. Whatever goes wrong (refusal,
 * reset, silence, garbage, a version that is too old) ends in the same place: wait, then watch on or list again. One
 * loop owns every restart, so there is never a second watch and never a tight circle. Nothing a handler does can stop it.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Kind, KubeObject } from '../api/meta.ts';
import type { Logger } from '../runtime/reconcile.ts';
import { backoffMs } from './backoff.ts';
import { errorOfResponse, isGone, isNotFound, KubeError, retryAfterMs, unreachable } from './errors.ts';
import {
  type Entry,
  entryOf,
  isOlderVersion,
  keyOf,
  type ObjectCache,
  UnreadableObjectError,
  visible,
} from './object-cache.ts';
import { resourcePath } from './paths.ts';
import type { Transport } from './transport.ts';

/** What changed: the states before and after (`undefined`: not there). Only keys may be taken from it. */
export interface Change {
  readonly before: KubeObject | undefined;
  readonly after: KubeObject | undefined;
}

export interface InformerTiming {
  /** The server ends a watch after this long, with a fresh bookmark. */
  readonly watchSeconds: number;
  /** A connection that was silent for this long is dead, whatever the socket says. */
  readonly idleMs: number;
  /** Everything is listed anew this often, so that nothing can stay lost. */
  readonly resyncMs: number;
  readonly backoff: { readonly baseMs: number; readonly maxMs: number };
}

export const DEFAULT_TIMING: InformerTiming = {
  watchSeconds: 40,
  idleMs: 50_000,
  resyncMs: 600_000,
  backoff: { baseMs: 1_000, maxMs: 30_000 },
};

export interface InformerOptions {
  readonly transport: Transport;
  readonly cache: ObjectCache;
  /** Absent: every namespace. */
  readonly namespace?: string | undefined;
  readonly onChange: (change: Change) => void;
  readonly log: Logger;
  readonly timing: InformerTiming;
  readonly pageSize?: number;
}

export interface InformerState {
  readonly kind: string;
  readonly namespace: string | undefined;
  /** True once a whole list has been read. */
  readonly synced: boolean;
  readonly secondsSinceContact: number;
  /** Why it is not in contact, while it is not. */
  readonly problem: string | undefined;
  /** False only when it was stopped, or by a fault of its own: then the process should be restarted. */
  readonly running: boolean;
  readonly relists: number;
  readonly watches: number;
}

interface WatchEvent {
  readonly type: string;
  readonly object: { readonly metadata?: { readonly resourceVersion?: string }; readonly code?: number };
}

interface ListPage {
  readonly items?: readonly unknown[];
  readonly metadata?: { readonly resourceVersion?: string; readonly continue?: string };
}

/** A watch that ended sooner than this was no use: the next one waits, so that nothing spins. */
const SHORT_WATCH_MS = 1_000;
/** After so many failures in a row the version to watch from is given up, too. */
const RELIST_AFTER_FAILURES = 5;

const problemOf = (kind: Kind<KubeObject>, error: unknown): string => {
  if (isNotFound(error)) return `${kind.plural} are unknown to the API server: install the CRDs`;
  return error instanceof Error ? error.message : String(error);
};

export class Informer {
  readonly #options: InformerOptions;
  readonly #kind: Kind<KubeObject>;
  readonly #path: string;
  #stop: AbortController | undefined;
  #version: string | undefined;
  #listedAt = 0;
  #contactAt = performance.now();
  #failures = 0;
  #synced = false;
  #problem: string | undefined;
  #relists = 0;
  #watches = 0;
  #running = false;
  #ended: Promise<void> = Promise.resolve();

  constructor(options: InformerOptions) {
    this.#options = options;
    this.#kind = options.cache.kind;
    this.#path = resourcePath(this.#kind, options.namespace);
  }

  get state(): InformerState {
    return {
      kind: this.#kind.kind,
      namespace: this.#options.namespace,
      synced: this.#synced,
      secondsSinceContact: (performance.now() - this.#contactAt) / 1000,
      problem: this.#problem,
      running: this.#running,
      relists: this.#relists,
      watches: this.#watches,
    };
  }

  start(): void {
    if (this.#stop) return;
    const stop = new AbortController();
    this.#stop = stop;
    this.#running = true;
    this.#ended = this.#run(stop.signal)
      .catch((error) => this.#options.log.error({ kind: this.#kind.kind, error }, 'informer ended'))
      .finally(() => {
        this.#running = false;
      });
  }

  /** Resolves when the loop has ended; nothing is called afterwards. */
  async stop(): Promise<void> {
    this.#stop?.abort();
    this.#stop = undefined;
    await this.#ended;
  }

  async #run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const started = performance.now();
      let pauseMs = 0;
      try {
        if (this.#version === undefined || started - this.#listedAt > this.#options.timing.resyncMs) {
          await this.#list(signal);
        }
        await this.#watch(signal);
        this.#failures = 0;
        if (performance.now() - started < SHORT_WATCH_MS) pauseMs = backoffMs(1, this.#options.timing.backoff);
      } catch (error) {
        if (signal.aborted) return;
        pauseMs = this.#fail(error, started);
      }
      if (pauseMs > 0) await sleep(pauseMs, undefined, { signal }).catch(() => {});
    }
  }

  /** Notes a failure and says how long to wait. */
  #fail(error: unknown, started: number): number {
    // A watch that held for a while before it broke is not the continuation of an earlier failure.
    if (performance.now() - started > this.#options.timing.backoff.maxMs) this.#failures = 0;
    this.#failures += 1;
    if (isGone(error) || this.#failures % RELIST_AFTER_FAILURES === 0) this.#version = undefined;
    const problem = problemOf(this.#kind, error);
    const fields = { kind: this.#kind.kind, namespace: this.#options.namespace, failures: this.#failures, problem };
    if (isGone(error)) this.#options.log.info(fields, 'watch too old, listing again');
    else if (problem !== this.#problem) this.#options.log.warn(fields, 'watch interrupted, will come back');
    this.#problem = problem;
    return Math.max(backoffMs(this.#failures, this.#options.timing.backoff), retryAfterMs(error));
  }

  #contact(): void {
    this.#contactAt = performance.now();
    this.#problem = undefined;
  }

  async #list(signal: AbortSignal): Promise<void> {
    const { cache, namespace, transport, pageSize = 500 } = this.#options;
    const present = new Set<string>();
    let page: ListPage | undefined;
    do {
      const query = {
        limit: String(pageSize),
        labelSelector: this.#kind.selector,
        continue: page?.metadata?.continue || undefined,
      };
      page = (await transport.json({ method: 'GET', path: this.#path, query, signal })) as ListPage;
      if (!page?.metadata?.resourceVersion) throw unreachable('a list without a resourceVersion');
      signal.throwIfAborted();
      this.#contact();
      // A cluster restored from a backup counts on from an earlier version: then the list is right and we are not.
      const restored = isOlderVersion(page.metadata?.resourceVersion, this.#version ?? '');
      for (const raw of page.items ?? []) present.add(this.#observe(raw, restored));
    } while (page.metadata?.continue);
    for (const key of cache.keys(namespace)) if (!present.has(key)) this.#remove(key);
    this.#version = page.metadata?.resourceVersion;
    this.#listedAt = performance.now();
    if (this.#synced) {
      this.#relists += 1;
      this.#requeueAll();
    }
    this.#synced = true;
  }

  async #watch(signal: AbortSignal): Promise<void> {
    const { transport, timing } = this.#options;
    this.#watches += 1;
    const query = {
      watch: 'true',
      resourceVersion: this.#version,
      allowWatchBookmarks: 'true',
      timeoutSeconds: String(timing.watchSeconds),
      labelSelector: this.#kind.selector,
    };
    const lines = transport.lines({ method: 'GET', path: this.#path, query, signal, idleMs: timing.idleMs });
    for await (const line of lines) {
      if (signal.aborted) return;
      this.#handle(line);
      this.#contact();
      this.#failures = 0;
    }
    this.#contact();
  }

  #handle(line: string): void {
    let event: WatchEvent;
    try {
      event = JSON.parse(line) as WatchEvent;
    } catch (error) {
      throw unreachable('a line of the watch is not JSON', error);
    }
    if (event?.type === 'ERROR') throw errorOfResponse(event.object?.code ?? 500, event.object, undefined);
    const version = event?.object?.metadata?.resourceVersion;
    if (version === undefined) throw unreachable('a watch event without a resourceVersion');
    if (event.type === 'ADDED' || event.type === 'MODIFIED') this.#observe(event.object);
    else if (event.type === 'DELETED') this.#remove(keyOf(entryOf(this.#kind, event.object).head.metadata));
    else if (event.type !== 'BOOKMARK') throw unreachable(`a watch event of the unknown type ${event.type}`);
    this.#version = version;
  }

  /** Takes in one state of an object and returns its key. */
  #observe(raw: unknown, restored = false): string {
    const { cache } = this.#options;
    let entry: Entry;
    try {
      entry = entryOf(this.#kind, raw);
    } catch (error) {
      throw error instanceof KubeError ? error : unreachable('an object without name or namespace', error);
    }
    const key = keyOf(entry.head.metadata);
    let before = cache.entry(key);
    if (before && before.head.metadata.uid !== entry.head.metadata.uid) {
      this.#remove(key);
      before = undefined;
    }
    // Our own writes reach the cache before the watch tells of them.
    const [known, next] = [before?.head.metadata.resourceVersion, entry.head.metadata.resourceVersion];
    if (before && !restored && !isOlderVersion(known, next)) return key;
    if (entry.object instanceof UnreadableObjectError) {
      const problem = entry.object.message;
      this.#options.log.error({ kind: this.#kind.kind, object: key, problem }, 'object cannot be read');
    }
    cache.set(entry);
    this.#notify({ before: before && visible(before), after: visible(entry) });
    return key;
  }

  #remove(key: string): void {
    const gone = this.#options.cache.delete(key);
    if (gone) this.#notify({ before: visible(gone), after: undefined });
  }

  #requeueAll(): void {
    const { cache, namespace } = this.#options;
    for (const key of cache.keys(namespace)) {
      const entry = cache.entry(key);
      if (entry) this.#notify({ before: visible(entry), after: visible(entry) });
    }
  }

  #notify(change: Change): void {
    try {
      this.#options.onChange(change);
    } catch (error) {
      this.#options.log.error({ kind: this.#kind.kind, error }, 'a handler of changes threw');
    }
  }
}
