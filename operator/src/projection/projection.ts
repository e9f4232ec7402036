/**
 * Rows become ModelVersion objects: a notification says which row changed, and everything is compared whenever
 * notifications may have been lost, and once a minute. Objects that are there already are the ModelVersion controller's
 * to bring together with their rows; this makes those that are missing and takes away those that belong in the registry
 * alone. It works only while this process leads, and only a page of rows is in memory at a time.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { MirroredRow, MirrorFeed, RunStore, UseStore, VersionStore } from '@slipway/database';
import { NotLeadingError, TerminalError } from '../api/errors.ts';
import type { Kind, KubeObject, ObjectKey } from '../api/meta.ts';
import { InferenceService } from '../controllers/inference-service/api.ts';
import { modelVersionFor } from '../controllers/mirror.ts';
import type { Change } from '../kube/informer.ts';
import type { RuntimeContext } from '../runtime/process-key.ts';
import type { Logger } from '../runtime/reconcile.ts';
import { WorkQueue } from '../runtime/work-queue.ts';
import { compareNamespace } from './compare.ts';
import { findMirror } from './find.ts';
import { sweep } from './sweep.ts';
import { eligibleNamespaces, type NamespaceReader } from './tenants.ts';

export interface ProjectionOptions {
  readonly feed: MirrorFeed;
  readonly versions: Pick<VersionStore, 'find'>;
  readonly uses: UseStore;
  readonly runs: Pick<RunStore, 'fail'>;
  readonly namespaces: NamespaceReader;
  /** Namespaces to look after; none: all. */
  readonly watched: readonly string[];
  /** Lets the ModelVersion controller look at an object. */
  readonly look: (key: ObjectKey) => void;
  readonly log: Logger;
  /** How long after a comparison the next one begins. */
  readonly compareEveryMs?: number;
}

export interface Projection {
  /** Works until the context's signal fires. Never throws. */
  readonly run: (ctx: RuntimeContext) => Promise<void>;
  /** To be told of every change in the cluster: what a service that is gone used is free at once. */
  readonly onChange: (kind: Kind<KubeObject>, change: Change) => void;
}

const WORKERS = 2;
const COMPARE_EVERY_MS = 60_000;
/** With more keys than this waiting, a comparison finds what has to be done sooner than looking at each of them. */
const BACKLOG = 5_000;

export function createProjection(options: ProjectionOptions): Projection {
  const { feed, versions, uses, log, look } = options;
  const eligible = eligibleNamespaces(feed, options.namespaces, options.watched);

  /** Makes the object of a row; one that the API server refuses is tried again at the next comparison. */
  async function create({ kube }: RuntimeContext, row: MirroredRow): Promise<void> {
    const whole = await versions.find(row.namespace, row.model, row.version);
    if (!whole || whole.status === 'DELETED') return;
    try {
      await kube.apply(modelVersionFor(whole));
    } catch (error) {
      if (!(error instanceof TerminalError)) throw error;
      const { namespace, model, version } = row;
      log.warn({ namespace, model, version, error: error.message }, 'a version could not be made an object');
    }
  }

  async function project(ctx: RuntimeContext, versionKey: string): Promise<void> {
    const row = await feed.find(versionKey);
    if (!row || !(await eligible.isEligible(row.namespace))) return;
    const found = findMirror(ctx.kube, row);
    if (found === 'unreadable' || found === 'taken') return;
    if (found) look(found.metadata);
    else if (row.isWanted) await create(ctx, row);
  }

  async function work(ctx: RuntimeContext, queue: WorkQueue): Promise<void> {
    for (let key = await queue.take(); key !== undefined; key = await queue.take()) {
      try {
        await project(ctx, key);
        queue.drop(key);
      } catch (error) {
        if (isOver(error, ctx)) return;
        const failures = queue.retry(key);
        log[failures === 1 ? 'warn' : 'debug'](
          { error, versionKey: key },
          'a version was not projected, will try again',
        );
      } finally {
        queue.done(key);
      }
    }
  }

  async function compare(ctx: RuntimeContext, queue: WorkQueue): Promise<void> {
    eligible.forget();
    for (const namespace of await eligible.watched()) {
      if (ctx.signal.aborted) return;
      if (await eligible.isEligible(namespace)) {
        await compareNamespace(
          { feed, kube: ctx.kube, look, project: (key) => queue.add(key), signal: ctx.signal, log },
          namespace,
        );
      }
      await sweep({ feed, uses, runs: options.runs, kube: ctx.kube, now: ctx.now }, namespace);
    }
  }

  async function compareForEver(ctx: RuntimeContext, queue: WorkQueue, bell: Bell): Promise<void> {
    while (!ctx.signal.aborted) {
      await bell.rung(options.compareEveryMs ?? COMPARE_EVERY_MS, ctx.signal);
      if (ctx.signal.aborted) return;
      await compare(ctx, queue).catch((error) => {
        if (!isOver(error, ctx)) log.warn({ error }, 'rows and objects were not compared, will try again');
      });
    }
  }

  async function run(ctx: RuntimeContext): Promise<void> {
    const queue = new WorkQueue();
    const bell = createBell();
    ctx.signal.addEventListener('abort', () => queue.close(), { once: true });
    if (ctx.signal.aborted) return;
    await Promise.all([
      ...Array.from({ length: WORKERS }, () => work(ctx, queue)),
      compareForEver(ctx, queue, bell),
      feed.listen({
        onConnected: bell.ring,
        onKey: (key) => (queue.depth < BACKLOG ? queue.add(key) : bell.ring()),
        onLost: (error) =>
          log.info({ error: (error as Error).message }, 'not told of changed versions, connecting again'),
        signal: ctx.signal,
      }),
    ]);
  }

  function onChange(kind: Kind<KubeObject>, { before, after }: Change): void {
    if (kind.kind !== InferenceService.kind || !before || after) return;
    const { namespace, name } = before.metadata;
    uses
      .release({ namespace, service: name })
      .catch((error) => log.debug({ error, namespace, service: name }, 'its uses are released at the next comparison'));
  }

  return { run, onChange };
}

/** This process is stopping or does not lead any more: whoever does goes on. */
const isOver = (error: unknown, { signal }: RuntimeContext): boolean =>
  signal.aborted || error instanceof NotLeadingError || (error instanceof Error && error.name === 'StaleLeaderError');

interface Bell {
  readonly ring: () => void;
  /** Resolves when it has been rung since the last time, or after `ms`. */
  rung(ms: number, signal: AbortSignal): Promise<void>;
}

function createBell(): Bell {
  let next = Promise.withResolvers<void>();
  return {
    ring: () => next.resolve(),
    async rung(ms, signal) {
      const timer = new AbortController();
      const either = AbortSignal.any([signal, timer.signal]);
      await Promise.race([next.promise, delay(ms, undefined, { signal: either }).catch(() => {})]);
      timer.abort();
      next = Promise.withResolvers<void>();
    },
  };
}
