/**
 * Runs the controllers of one process: informers first, then leadership, then workers. A standby keeps its cache true
 * and its queues filled, so that it can begin at once.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { Kind, KubeObject } from '../api/meta.ts';
import type { RuntimeKube } from '../kube/client.ts';
import type { Change, InformerState } from '../kube/informer.ts';
import { keyOf } from '../kube/object-cache.ts';
import type { Election } from './election.ts';
import { keysFor, kindsOf } from './mapping.ts';
import { type Outcome, processKey, type RuntimeContext } from './process-key.ts';
import type { ControllerDefinition, Logger } from './reconcile.ts';
import { WorkQueue } from './work-queue.ts';

/** What the manager needs of kube/cluster.ts. */
export interface ManagedCluster {
  readonly kube: RuntimeKube;
  start(): void;
  stop(): Promise<void>;
  informers(): readonly InformerState[];
}

export interface ManagerOptions {
  readonly definitions: readonly ControllerDefinition[];
  readonly openCluster: (
    kinds: readonly Kind<KubeObject>[],
    onChange: (kind: Kind<KubeObject>, change: Change) => void,
  ) => ManagedCluster;
  readonly election: Election;
  /** Workers per controller. */
  readonly maxConcurrent: number;
  readonly onReconciled?: (kind: string, outcome: Outcome, seconds: number) => void;
  /** Resolves when the rest of the world is ready for reconciling; awaited after the caches have synced. */
  readonly beforeLeading?: (signal: AbortSignal) => Promise<void>;
  /** Runs beside the workers while this process leads; ends when the context's signal fires. Never throws. */
  readonly alongside?: (ctx: RuntimeContext) => Promise<void>;
  readonly log: Logger;
  readonly now: () => Date;
  /** How long work that was begun may take to finish when the process is asked to stop. */
  readonly drainMs?: number;
}

export type Ending = { readonly stopped: true } | { readonly stopped: false; readonly reason: string };

export interface Manager {
  /** Works until the signal fires or leadership is lost; everything is stopped when it resolves. */
  run(signal: AbortSignal): Promise<Ending>;
  /** Looks again at every object of every kind. */
  requeueAll(): void;
  readonly queues: ReadonlyMap<string, WorkQueue>;
  /** Which kinds the cache does not hold yet, and why; empty once everything has been listed. */
  missing(): readonly string[];
}

const SYNC_POLL_MS = 100;

export function createManager(options: ManagerOptions): Manager {
  const { definitions, election, log } = options;
  const queues = new Map(definitions.map((definition) => [definition.for.kind, new WorkQueue()]));
  const queueOf = ({ kind }: Kind<KubeObject>): WorkQueue => queues.get(kind) as WorkQueue;
  const cluster = options.openCluster(definitions.flatMap(kindsOf), onChange);

  function onChange(kind: Kind<KubeObject>, change: Change): void {
    for (const definition of definitions) {
      try {
        const queue = queueOf(definition.for);
        for (const key of keysFor(definition, kind, change, cluster.kube)) queue.add(keyOf(key));
      } catch (error) {
        log.error({ error, kind: kind.kind, controller: definition.for.kind }, 'a change could not be mapped to keys');
      }
    }
  }

  const missing = (): readonly string[] =>
    cluster
      .informers()
      .filter(({ synced }) => !synced)
      .map(({ kind, namespace, problem }) => {
        const where = namespace === undefined ? kind : `${kind} in ${namespace}`;
        return `${where}: ${problem ?? 'not listed yet'}`;
      });

  async function synced(signal: AbortSignal): Promise<void> {
    while (!signal.aborted && missing().length > 0) await delay(SYNC_POLL_MS, undefined, { signal }).catch(() => {});
  }

  async function work(definition: ControllerDefinition, ctx: RuntimeContext): Promise<void> {
    const queue = queueOf(definition.for);
    for (;;) {
      const id = await queue.take();
      if (id === undefined) return;
      const [namespace = '', name = ''] = id.split('/');
      const started = performance.now();
      try {
        const outcome = await processKey(definition, ctx, queue, { namespace, name });
        options.onReconciled?.(definition.for.kind, outcome, (performance.now() - started) / 1000);
        if (outcome === 'lost' && !ctx.signal.aborted) election.lose('a write was refused: another process leads');
      } finally {
        queue.done(id);
      }
    }
  }

  async function lead(signal: AbortSignal): Promise<Ending> {
    const stop = new AbortController();
    const ctx: RuntimeContext = { kube: cluster.kube, log, now: options.now, signal: stop.signal };
    const workers = definitions.flatMap((definition) =>
      Array.from({ length: options.maxConcurrent }, () => work(definition, ctx)),
    );
    const beside = options.alongside?.(ctx);
    const asked = new Promise<undefined>((resolve) => {
      if (signal.aborted) resolve(undefined);
      signal.addEventListener('abort', () => resolve(undefined), { once: true });
    });
    const reason = await Promise.race([election.lost, asked]);
    for (const queue of queues.values()) queue.close();
    if (reason === undefined) {
      // New work is refused; what was begun gets a moment to come to its end before anybody else may begin.
      await Promise.race([Promise.all(workers), delay(options.drainMs ?? 700)]);
    }
    stop.abort();
    await Promise.race([beside, delay(options.drainMs ?? 700)]);
    await election.release();
    return reason === undefined ? { stopped: true } : { stopped: false, reason };
  }

  async function run(signal: AbortSignal): Promise<Ending> {
    cluster.start();
    try {
      await synced(signal);
      if (!signal.aborted) await options.beforeLeading?.(signal);
      if (signal.aborted || !(await election.acquire(signal))) return { stopped: true };
      return await lead(signal);
    } finally {
      for (const queue of queues.values()) queue.close();
      await cluster.stop();
    }
  }

  function requeueAll(): void {
    for (const definition of definitions) {
      for (const { metadata } of cluster.kube.list(definition.for)) queueOf(definition.for).add(keyOf(metadata));
    }
  }

  return { run, requeueAll, queues, missing };
}
