/** What is measured: the same calls to both servers, each client with a run or a model of its own. */
import type { PostgresAccess } from '@slipway/contract';
import { type Call, openClient } from './load.ts';
import { seedRuns } from './seed.ts';
import type { Server } from './servers.ts';

export const CLIENTS = 16;
export const SEARCHED_RUNS = 10_000;

/** Where a server listens, and the database behind it. */
export interface Target {
  readonly server: Pick<Server, 'name' | 'port'>;
  readonly postgres: PostgresAccess;
}

export interface Operation {
  readonly name: string;
  /** Makes what the calls need, once per server, and gives the calls: never the same one twice where they write. */
  prepare(target: Target): Promise<(client: number) => Call>;
}

const api = '/api/2.0/mlflow';
export const post = (path: string, body: unknown): Call => ({ method: 'POST', path: `${api}/${path}`, body });
export const get = (path: string, parameters: Readonly<Record<string, string>>): Call => ({
  method: 'GET',
  path: `${api}/${path}?${new URLSearchParams(parameters)}`,
});

/** The answers to the calls, one after the other. Throws when one is refused. */
// biome-ignore lint/suspicious/noExplicitAny: whoever asks knows the answer's shape
export async function askAll(port: number, calls: readonly Call[]): Promise<any[]> {
  const client = openClient(port);
  const answers: unknown[] = [];
  for (const call of calls) {
    const { status, text } = await client.ask(call);
    if (status !== 200) throw new Error(`${call.path}: ${status} ${text.slice(0, 300)}`);
    answers.push(JSON.parse(text));
  }
  client.close();
  return answers;
}

const perClient = <T>(make: (client: number) => T): T[] => Array.from({ length: CLIENTS }, (_, client) => make(client));

async function newExperiment(port: number, name: string): Promise<string> {
  const [{ experiment_id: id }] = await askAll(port, [post('experiments/create', { name })]);
  return id;
}

async function newRuns(port: number, experiment: string): Promise<string[]> {
  const experimentId = await newExperiment(port, experiment);
  const made = await askAll(
    port,
    perClient(() => post('runs/create', { experiment_id: experimentId, start_time: Date.now() })),
  );
  return made.map(({ run }) => run.info.run_id);
}

async function newModels(port: number, prefix: string): Promise<string[]> {
  const names = perClient((client) => `${prefix}-${client}`);
  await askAll(
    port,
    names.map((name) => post('registered-models/create', { name })),
  );
  return names;
}

/** Our own registry keeps to its bucket; the real one takes any S3 address. */
const source = (name: string): string => `s3://slipway/default/models/${name}`;

const logMetric: Operation = {
  name: 'log-metric',
  async prepare({ server }) {
    const runs = await newRuns(server.port, 'bench log-metric');
    let step = 0;
    return (client) =>
      post('runs/log-metric', {
        run_id: runs[client],
        key: 'loss',
        value: Math.random(),
        timestamp: Date.now(),
        step: step++,
      });
  },
};

const logBatch: Operation = {
  name: 'log-batch of 100',
  async prepare({ server }) {
    const runs = await newRuns(server.port, 'bench log-batch');
    let step = 0;
    return (client) => {
      const at = Date.now();
      step += 10;
      const metrics = Array.from({ length: 100 }, (_, i) => ({
        key: `metric-${i % 10}`,
        value: Math.random(),
        timestamp: at,
        step: step + Math.floor(i / 10),
      }));
      return post('runs/log-batch', { run_id: runs[client], metrics, params: [], tags: [] });
    };
  },
};

const createRun: Operation = {
  name: 'create-run',
  async prepare({ server }) {
    const experimentId = await newExperiment(server.port, 'bench create-run');
    let made = 0;
    return () =>
      post('runs/create', {
        experiment_id: experimentId,
        run_name: `run ${made++}`,
        start_time: Date.now(),
        tags: [
          { key: 'mlflow.user', value: 'bench' },
          { key: 'mlflow.source.name', value: 'bench.py' },
        ],
      });
  },
};

const createVersion: Operation = {
  name: 'create-version',
  async prepare({ server }) {
    const models = await newModels(server.port, 'bench-versions');
    return (client) => {
      const name = models[client] as string;
      return post('model-versions/create', { name, source: source(name), tags: [{ key: 'by', value: 'bench' }] });
    };
  },
};

const getByAlias: Operation = {
  name: 'get-by-alias',
  async prepare({ server }) {
    const models = await newModels(server.port, 'bench-aliases');
    await askAll(
      server.port,
      models.flatMap((name) => [
        post('model-versions/create', { name, source: source(name) }),
        post('registered-models/alias', { name, alias: 'champion', version: '1' }),
      ]),
    );
    return (client) => get('registered-models/alias', { name: models[client] as string, alias: 'champion' });
  },
};

const search: Operation = {
  name: `search ${SEARCHED_RUNS} runs`,
  async prepare({ server, postgres }) {
    const experimentId = await newExperiment(server.port, 'bench search');
    await seedRuns(server.name, postgres, experimentId, SEARCHED_RUNS);
    return () =>
      post('runs/search', {
        experiment_ids: [experimentId],
        filter: 'metrics.accuracy > 0.5',
        order_by: ['metrics.accuracy DESC'],
        max_results: 100,
      });
  },
};

export const OPERATIONS: readonly Operation[] = [logMetric, logBatch, createRun, createVersion, getByAlias, search];
