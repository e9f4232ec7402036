/** Our registry with a long life behind it: how long a call takes when there is a million of everything. */
import type { TestPostgres } from '../../database/testing/postgres.ts';
import type { TestMinio } from '../../object-store/testing/minio.ts';
import { printTable } from '../table.ts';
import { type Call, drive } from './load.ts';
import { askAll, ELSEWHERE, get, post } from './operations.ts';
import { modelName, runNumber, type Scale, seedScale } from './seed.ts';
import { startSlipway } from './servers.ts';
import { milliseconds, perSecond } from './words.ts';

export interface ScaleOptions {
  readonly seconds: number;
  /** A tenth of everything. */
  readonly quick: boolean;
  readonly nodeOptions: readonly string[];
}

/** Few enough to measure the call and not the queue in front of two cores. */
const CLIENTS = 4;

/** A million versions and ten million metric points. */
const FULL: Scale = { models: 1000, versionsPerModel: 1000, runs: 10_000, keysPerRun: 10, stepsPerKey: 100 };
const QUICK: Scale = { models: 1000, versionsPerModel: 100, runs: 10_000, keysPerRun: 10, stepsPerKey: 10 };

const below = (limit: number): number => Math.floor(Math.random() * limit);

function callsFor(experiment: string, { models, versionsPerModel, runs }: Scale): [name: string, call: () => Call][] {
  const model = (): string => modelName(1 + below(models));
  const run = (): string => runNumber(experiment, 1 + below(runs));
  let step = 0;
  return [
    ['create version', () => post('model-versions/create', { name: model(), source: ELSEWHERE })],
    ['create run', () => post('runs/create', { experiment_id: experiment, start_time: Date.now() })],
    [
      'log metric',
      () =>
        post('runs/log-metric', {
          run_id: run(),
          key: 'metric-1',
          value: 1,
          timestamp: Date.now(),
          step: 1000 + step++,
        }),
    ],
    ['get version', () => get('model-versions/get', { name: model(), version: String(1 + below(versionsPerModel)) })],
    ['get model', () => get('registered-models/get', { name: model() })],
    ['get run', () => get('runs/get', { run_id: run() })],
    ['get by alias', () => get('registered-models/alias', { name: model(), alias: 'champion' })],
    ['get metric history', () => get('metrics/get-history', { run_id: run(), metric_key: 'metric-1' })],
    [
      'search runs by metric, in order',
      () =>
        post('runs/search', {
          experiment_ids: [experiment],
          filter: `metrics.accuracy > ${Math.random().toFixed(3)}`,
          order_by: ['metrics.accuracy DESC'],
          max_results: 100,
        }),
    ],
    [
      'search runs, newest first',
      () =>
        post('runs/search', {
          experiment_ids: [experiment],
          order_by: ['attributes.start_time DESC'],
          max_results: 100,
        }),
    ],
    [
      'search versions of a model',
      () => get('model-versions/search', { filter: `name='${model()}'`, max_results: '100' }),
    ],
    ['search versions by tag', () => get('model-versions/search', { filter: "tags.by = 'bench'", max_results: '100' })],
    ['search models, first page', () => get('registered-models/search', { max_results: '100' })],
    [
      'search models, by name',
      () => get('registered-models/search', { filter: `name LIKE '${model()}%'`, max_results: '100' }),
    ],
  ];
}

/** Prints a line per kind of call: p95 is what the product promises (50 ms). */
export async function measureScale(
  postgres: TestPostgres,
  minio: TestMinio,
  { seconds, quick, nodeOptions }: ScaleOptions,
): Promise<void> {
  const scale = quick ? QUICK : FULL;
  const stores = { postgres: await postgres.freshDatabase(), storage: await minio.freshBucket() };
  const server = await startSlipway(stores, nodeOptions);
  try {
    const [{ experiment_id: experiment }] = await askAll(server.port, [post('experiments/create', { name: 'scale' })]);
    const started = performance.now();
    const elapsed = (): string => `${((performance.now() - started) / 1000).toFixed(0)} s`;
    await seedScale({ ...postgres.admin, database: stores.postgres.database }, experiment, scale, (what) => {
      if (process.stderr.isTTY) process.stderr.write(`\r${elapsed()}: ${what}\u001b[K`);
    });
    const versions = scale.models * scale.versionsPerModel;
    const points = scale.runs * scale.keysPerRun * scale.stepsPerKey;
    console.log(
      `\nslipway ${server.version} alone: ${versions} versions of ${scale.models} models, ${points} metric points of ` +
        `${scale.runs} runs (made in ${elapsed()}); ${CLIENTS} clients`,
    );
    const idle = server.memory();
    const rows: string[][] = [];
    for (const [name, call] of callsFor(experiment, scale)) {
      const figures = await drive({ port: server.port, clients: CLIENTS, seconds, call });
      rows.push([name, perSecond(figures), ...milliseconds(figures).split(' / ')]);
      if (figures.failed === 0) continue;
      console.log(`${name}: ${figures.failed} of ${figures.calls} calls failed, the first with ${figures.failure}`);
      process.exitCode = 1;
    }
    printTable(['call', 'a second', 'p50 ms', 'p95 ms'], rows);
    console.log(`resident memory: ${idle.toFixed(0)} MiB before, ${server.memory().toFixed(0)} MiB after`);
  } finally {
    await server.stop();
  }
}
