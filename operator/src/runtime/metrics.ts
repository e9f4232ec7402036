/** What the operator tells of itself to Prometheus. Every label value comes from a fixed set. */
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import type { InformerState } from '../kube/informer.ts';
import type { Outcome } from './process-key.ts';
import type { WorkQueue } from './work-queue.ts';

/** Asked at every scrape. */
export interface MetricSources {
  readonly queues: () => ReadonlyMap<string, WorkQueue>;
  readonly informers: () => readonly InformerState[];
  readonly sizes: () => readonly { readonly kind: string; readonly objects: number; readonly unreadable: number }[];
  readonly leading: () => boolean;
}

export interface Metrics {
  reconciled(kind: string, outcome: Outcome, seconds: number): void;
  dependency(name: string, up: boolean): void;
  /** A run of a TrainingJob has ended: succeeded, failed or killed. */
  runEnded(cause: string, outcome: string): void;
  /** A run was not done by its sla. */
  slaMissed(): void;
  /** A request to the control API was answered; `route` is from a fixed set. */
  controlAnswered(route: string, status: number): void;
  /** The text of a scrape. */
  text(): Promise<string>;
  readonly contentType: string;
}

export function createMetrics(sources: MetricSources, options: { readonly process?: boolean } = {}): Metrics {
  const registry = new Registry();
  const registers = [registry];
  if (options.process) collectDefaultMetrics({ register: registry });

  const reconciles = new Counter({
    name: 'slipway_reconcile_total',
    help: 'Turns of the reconcile loop, by kind and how they ended.',
    labelNames: ['kind', 'outcome'],
    registers,
  });
  const duration = new Histogram({
    name: 'slipway_reconcile_duration_seconds',
    help: 'How long one turn took.',
    labelNames: ['kind'],
    buckets: [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 30],
    registers,
  });
  const controlRequests = new Counter({
    name: 'slipway_control_requests_total',
    help: 'Requests to the control API, by route and status code.',
    labelNames: ['route', 'status'],
    registers,
  });
  const dependencyUp = new Gauge({
    name: 'slipway_dependency_up',
    help: '1 when the store answered the last probe.',
    labelNames: ['dependency'],
    registers,
  });

  const runs = new Counter({
    name: 'slipway_training_runs_total',
    help: 'Runs of TrainingJobs that have ended, by why they were started and how they ended.',
    labelNames: ['cause', 'outcome'],
    registers,
  });
  const slaMissed = new Counter({
    name: 'slipway_training_sla_missed_total',
    help: 'Runs of TrainingJobs that were not done by their sla.',
    registers,
  });

  /** A gauge whose values are read when somebody asks. */
  function gauge<L extends string>(
    name: string,
    help: string,
    labelNames: readonly L[],
    read: () => readonly { readonly labels: Record<L, string>; readonly value: number }[],
  ): void {
    new Gauge({
      name,
      help,
      labelNames: [...labelNames],
      registers,
      collect() {
        this.reset();
        for (const { labels, value } of read()) this.set(labels, value);
      },
    });
  }

  gauge('slipway_leader', '1 in the process that reconciles.', [], () => [
    { labels: {}, value: sources.leading() ? 1 : 0 },
  ]);
  const ofQueues = (value: (queue: WorkQueue) => number) => () =>
    [...sources.queues()].map(([kind, queue]) => ({ labels: { kind }, value: value(queue) }));
  gauge(
    'slipway_work_queue_depth',
    'Keys that wait for a worker.',
    ['kind'],
    ofQueues(({ depth }) => depth),
  );
  gauge(
    'slipway_work_queue_active',
    'Keys in work.',
    ['kind'],
    ofQueues(({ active }) => active),
  );
  gauge(
    'slipway_work_queue_retries',
    'Retries asked for since the start.',
    ['kind'],
    ofQueues(({ retries }) => retries),
  );

  /** One value per kind over its namespaces. */
  const ofInformers = (value: (state: InformerState) => number, join: (a: number, b: number) => number) => () => {
    const byKind = new Map<string, number>();
    for (const state of sources.informers()) {
      const before = byKind.get(state.kind);
      byKind.set(state.kind, before === undefined ? value(state) : join(before, value(state)));
    }
    return [...byKind].map(([kind, total]) => ({ labels: { kind }, value: total }));
  };
  const sum = (a: number, b: number): number => a + b;
  gauge(
    'slipway_informer_relists',
    'Lists after the first, since the start.',
    ['kind'],
    ofInformers(({ relists }) => relists, sum),
  );
  gauge(
    'slipway_informer_watches',
    'Watches begun since the start.',
    ['kind'],
    ofInformers(({ watches }) => watches, sum),
  );
  gauge(
    'slipway_informer_seconds_since_contact',
    'Since the API server last told anything of this kind.',
    ['kind'],
    ofInformers(({ secondsSinceContact }) => secondsSinceContact, Math.max),
  );
  gauge('slipway_informer_objects', 'Objects in the cache.', ['kind'], () =>
    sources.sizes().map(({ kind, objects }) => ({ labels: { kind }, value: objects })),
  );
  gauge('slipway_informer_unreadable_objects', 'Objects that are not as their schema says.', ['kind'], () =>
    sources.sizes().map(({ kind, unreadable }) => ({ labels: { kind }, value: unreadable })),
  );

  return {
    reconciled(kind, outcome, seconds) {
      reconciles.inc({ kind, outcome });
      duration.observe({ kind }, seconds);
    },
    controlAnswered: (route, status) => controlRequests.inc({ route, status }),
    runEnded: (cause, outcome) => runs.inc({ cause, outcome }),
    slaMissed: () => slaMissed.inc(),
    dependency: (dependency, up) => dependencyUp.set({ dependency }, up ? 1 : 0),
    text: () => registry.metrics(),
    contentType: registry.contentType,
  };
}
