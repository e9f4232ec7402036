/** What is measured: the same calls to both servers, each client with a run or a model of its own. */
import { type Call, openClient } from './load.ts';
import { seedRuns } from './seed.ts';
import type { Server, Stores } from './servers.ts';

export const CLIENTS = 16;
export const SEARCHED_RUNS = 10_000;

/** Where a server listens, and what is behind it. */
export interface Target extends Stores {
  readonly server: Pick<Server, 'name' | 'port'>;
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

/** An address of somebody else's: both servers keep it as it is. */
export const ELSEWHERE = 's3://elsewhere/models/iris';

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
    return (client) =>
      post('model-versions/create', {
        name: models[client],
        source: ELSEWHERE,
        tags: [{ key: 'by', value: 'bench' }],
      });
  },
};

/** The files that mlflow.onnx.log_model uploads, as far as a server looks at them. */
const FILES = {
  MLmodel: 'flavors:\n  onnx:\n    data: model.onnx\n  python_function:\n    loader_module: mlflow.onnx\n',
  'model.onnx': 'not a model, but nobody loads it here',
  'conda.yaml': 'name: mlflow-env\n',
  'requirements.txt': 'mlflow\n',
};

/** Logs a model as a client of MLflow 3 does, files included; the answer is its id. */
async function logModel(port: number, experimentId: string): Promise<string> {
  const [{ model }] = await askAll(port, [post('logged-models', { experiment_id: experimentId, name: 'model' })]);
  const { model_id: id, artifact_uri: uri } = model.info;
  const folder = String(uri).replace(/^mlflow-artifacts:\/+/, '');
  for (const [file, text] of Object.entries(FILES)) {
    const url = `http://127.0.0.1:${port}/api/2.0/mlflow-artifacts/artifacts/${folder}/${file}`;
    const { status } = await fetch(url, { method: 'PUT', body: text });
    if (status !== 200) throw new Error(`PUT ${file}: ${status}`);
  }
  return id;
}

const createLoggedVersion: Operation = {
  name: 'create-version of a logged model',
  async prepare({ server: { port } }) {
    const names = await newModels(port, 'bench-logged');
    const experimentId = await newExperiment(port, 'bench logged');
    const ids: string[] = [];
    for (const _ of names) ids.push(await logModel(port, experimentId));
    return (client) =>
      post('model-versions/create', {
        name: names[client],
        source: `models:/${ids[client]}`,
        model_id: ids[client],
        tags: [],
      });
  },
};

const getByAlias: Operation = {
  name: 'get-by-alias',
  async prepare({ server }) {
    const models = await newModels(server.port, 'bench-aliases');
    await askAll(
      server.port,
      models.flatMap((name) => [
        post('model-versions/create', { name, source: ELSEWHERE }),
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

export const OPERATIONS: readonly Operation[] = [
  logMetric,
  logBatch,
  createRun,
  createVersion,
  createLoggedVersion,
  getByAlias,
  search,
];
