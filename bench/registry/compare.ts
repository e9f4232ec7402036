/** Both servers, operation by operation, in turn: what disturbs the machine disturbs both. */
import type { TestPostgres } from '../../database/testing/postgres.ts';
import type { TestMinio } from '../../object-store/testing/minio.ts';
import { printTable } from '../table.ts';
import { drive, type Figures } from './load.ts';
import { CLIENTS, get, OPERATIONS, type Operation, type Target } from './operations.ts';
import { MLFLOW_WORKERS, type Server, startMlflow, startSlipway } from './servers.ts';
import { milliseconds, perSecond } from './words.ts';

export interface CompareOptions {
  /** How long each server is driven in one round. */
  readonly seconds: number;
  readonly rounds: number;
  /** Beginnings of the operations' names; all of them when empty. */
  readonly only: readonly string[];
  readonly nodeOptions: readonly string[];
}

type Side = Target & { readonly server: Server };

const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN;

/** One figure from several rounds: the median of each. */
const combined = (rounds: readonly Figures[]): Figures => ({
  perSecond: median(rounds.map((round) => round.perSecond)),
  p50Ms: median(rounds.map((round) => round.p50Ms)),
  p95Ms: median(rounds.map((round) => round.p95Ms)),
  calls: rounds.reduce((sum, round) => sum + round.calls, 0),
  failed: rounds.reduce((sum, round) => sum + round.failed, 0),
  failure: rounds.find((round) => round.failure !== undefined)?.failure,
});

async function measure(operation: Operation, sides: readonly Side[], { seconds, rounds }: CompareOptions) {
  const prepared = [];
  for (const side of sides) prepared.push({ side, call: await operation.prepare(side), figures: [] as Figures[] });
  for (let round = 0; round < rounds; round++) {
    for (const { side, call, figures } of prepared) {
      figures.push(await drive({ port: side.server.port, clients: CLIENTS, seconds, call }));
    }
  }
  return prepared.map(({ figures }) => combined(figures));
}

/** Prints a line per operation, then memory. A call that failed is told and makes the process fail. */
export async function compare(postgres: TestPostgres, minio: TestMinio, options: CompareOptions): Promise<void> {
  const sides: Side[] = [];
  try {
    for (const start of [startMlflow, startSlipway]) {
      const stores = { postgres: await postgres.freshDatabase(), storage: await minio.freshBucket() };
      sides.push({ ...stores, server: await start(stores, options.nodeOptions) });
    }
    const [mlflow, slipway] = sides.map(({ server }) => server) as [Server, Server];
    console.log(
      `mlflow ${mlflow.version} with ${MLFLOW_WORKERS} workers; slipway ${slipway.version}, one process; ` +
        `${CLIENTS} clients, ${options.rounds} × ${options.seconds} s each, in turn; answers acknowledged at once on both sides`,
    );
    console.log(await acknowledgementLine(sides[0] as Side));
    const idle = sides.map(({ server }) => server.memory());
    const rows: string[][] = [];
    for (const operation of OPERATIONS.filter(({ name }) => isWanted(name, options.only))) {
      const [theirs, ours] = (await measure(operation, sides, options)) as [Figures, Figures];
      rows.push([
        operation.name,
        perSecond(theirs),
        perSecond(ours),
        `${(ours.perSecond / theirs.perSecond).toFixed(1)}×`,
        milliseconds(theirs),
        milliseconds(ours),
      ]);
      for (const [name, { failed, calls, failure }] of [['mlflow', theirs] as const, ['slipway', ours] as const]) {
        if (failed === 0) continue;
        console.log(`${operation.name}: ${failed} of ${calls} calls to ${name} failed, the first with ${failure}`);
        if (name === 'slipway') process.exitCode = 1;
      }
    }
    printTable(['operation', 'mlflow/s', 'slipway/s', 'ratio', 'mlflow p50/p95 ms', 'slipway p50/p95 ms'], rows);
    const after = sides.map(({ server }) => server.memory());
    printTable(
      ['resident memory, all processes, MiB', 'idle', 'after'],
      sides.map(({ server: { name } }, i) => [name, (idle[i] as number).toFixed(0), (after[i] as number).toFixed(0)]),
    );
  } finally {
    for (const { server } of sides) await server.stop();
  }
}

/** What acknowledging at once leaves out: a wait that is the network's habit and not the server's work. */
async function acknowledgementLine({ server: { name, port } }: Side): Promise<string> {
  const call = () => get('experiments/get', { experiment_id: '0' });
  const [quick, slow] = [
    await drive({ port, clients: 1, seconds: 1, call }),
    await drive({ port, clients: 1, seconds: 1, call, quickAcknowledgement: false }),
  ];
  return (
    `one client asking ${name} for an experiment waits ${quick.p50Ms.toFixed(1)} ms, and ${slow.p50Ms.toFixed(1)} ms when its kernel ` +
    'delays acknowledgements as kernels do; that wait is left out here\n'
  );
}

const isWanted = (name: string, only: readonly string[]): boolean =>
  only.length === 0 || only.some((beginning) => name.startsWith(beginning));
