/** Every server of the comparison: how it is started, which kinds of request it answers, and what it is made of. */
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { artifactDigest, EXAMPLES_FILE, SIGNATURE_FILE, shortHash } from '@slipway/contract';
import { fileEntry } from '../../serving-image/test/folder.ts';
import { serveEnv } from '../../serving-image/test/program.ts';
import { run } from '../../test/cluster/exec.ts';
import { pythonWith } from '../../test/conformance/venv.ts';
import { CONVERTED_FILES, ensureConverted } from './conversion.ts';
import type { KindName } from './kinds.ts';
import { type Model, requirementsOf } from './models.ts';
import { type Command, freePort } from './processes.ts';

export const SERVERS = [
  'slipway',
  'slipway-onnxruntime',
  'slipway-no-log',
  'slipway-converted',
  'bare-http',
  'constant',
  'raw-net',
  'express',
  'fastapi-sklearn',
  'fastapi-onnxruntime',
  'bentoml',
  'litserve',
  'mlserver',
  'mlserver-batching',
  'kserve',
  'mlflow',
] as const;
export type ServerName = (typeof SERVERS)[number];

/** `ours`: as shipped. `variant`: as shipped with a setting. `floor`: parts of ours, to see what the rest costs. */
export type Role = 'ours' | 'variant' | 'floor' | 'peer';

export interface Server {
  readonly name: ServerName;
  readonly label: string;
  readonly role: Role;
  readonly kinds: readonly KindName[];
  /** What the model is called in paths. */
  readonly model: string;
  /** What the classes are called in V2. */
  readonly output: string;
  /** Says the same whatever is asked: its answers are not compared with the estimator's. */
  readonly isConstant?: true;
  /** `scratch`: a folder of its own, that goes. */
  readonly command: (model: Model, port: number, scratch: string) => Promise<Command>;
  readonly versions: () => Promise<string>;
}

const here = import.meta.dirname;
const peers = join(here, 'peers');
const root = join(here, '../..');
const NAME = 'bench';

/** What a process needs of ours to run at all; nothing else of the caller's environment shall count. */
const basicEnv = (scratch: string): Record<string, string> => ({
  PATH: process.env['PATH'] ?? '',
  HOME: scratch,
  LANG: 'C.UTF-8',
});

/** The environment of the image, from its Dockerfile. */
function imageEnv(): Record<string, string> {
  const text = readFileSync(join(root, 'serving-image/Dockerfile'), 'utf8');
  const lines = [...text.matchAll(/^ENV (.*)$/gm)].map((match) => match[1] as string);
  return Object.fromEntries(lines.flatMap((line) => [...line.matchAll(/(\w+)=(\S+)/g)].map(([, k, v]) => [k, v])));
}

/** The model as our trainer publishes one: with its signature and examples. */
function published({ folder, facts }: Model): Record<string, Buffer> {
  const { features, labels, rows, classes, outputs } = facts;
  const [label, probabilities] = outputs as [string, string];
  const signature = {
    inputs: features.map((name) => ({ name, type: 'float32' })),
    outputs: [
      { name: label, type: 'int64', labels },
      { name: probabilities, type: 'float32', labels },
    ],
  };
  const examples = {
    inputs: rows.slice(0, 5).map((row) => Object.fromEntries(features.map((name, i) => [name, row[i]]))),
    outputs: { [label]: classes.slice(0, 5) },
  };
  return {
    'model.onnx': readFileSync(join(folder, 'model.onnx')),
    [SIGNATURE_FILE]: Buffer.from(JSON.stringify(signature)),
    [EXAMPLES_FILE]: Buffer.from(JSON.stringify(examples)),
  };
}

/** What our converter made of the model as MLflow saved it. */
async function converted(model: Model): Promise<Record<string, Buffer>> {
  const folder = await ensureConverted(await ensureMlflow(model));
  return Object.fromEntries(CONVERTED_FILES.map((name) => [name, readFileSync(join(folder, name))]));
}

type Contents = Readonly<Record<string, Buffer>>;

function modelFolder(contents: Contents, scratch: string) {
  const dir = join(scratch, 'model');
  mkdirSync(dir, { recursive: true });
  for (const [name, content] of Object.entries(contents)) writeFileSync(join(dir, name), content);
  const files = Object.entries(contents).map(([name, content]) => fileEntry(name, content));
  const digest = artifactDigest(files);
  return { dir, files, digest, artifact: { namespace: 'bench', uri: 's3://bench/bench/1/r/model', files, digest } };
}

function slipwayEnv(contents: Contents, port: number, scratch: string, settings: object): Record<string, string> {
  return {
    ...basicEnv(scratch),
    ...imageEnv(),
    ...serveEnv(modelFolder(contents, scratch)),
    MODEL_NAME: NAME,
    MODEL_VERSION: '1',
    PORT: String(port),
    SERVE_SETTINGS: JSON.stringify(settings),
  };
}

/** The bundle, which is what the image runs. */
const slipway =
  (settings: object, contents: (model: Model) => Contents | Promise<Contents> = published): Server['command'] =>
  async (model, port, scratch) => ({
    command: process.execPath,
    args: [join(root, 'serving-image/dist/main.mjs'), 'serve'],
    env: slipwayEnv(await contents(model), port, scratch, settings),
    cwd: scratch,
  });

/** One of servers/, with the same environment as ours. */
const floor =
  (file: string): Server['command'] =>
  async (model, port, scratch) => ({
    command: process.execPath,
    args: [join(here, 'servers', file)],
    env: slipwayEnv(published(model), port, scratch, {}),
    cwd: scratch,
  });

const nodeVersions = (...packages: readonly string[]) =>
  packages
    .map((name) => {
      const file = join(root, 'node_modules', name, 'package.json');
      return `${name} ${JSON.parse(readFileSync(file, 'utf8')).version}`;
    })
    .join(', ');

const slipwayVersions = async (): Promise<string> => {
  const { stdout } = await run('git', ['-C', root, 'rev-parse', '--short', 'HEAD'], { mayFail: true });
  const version = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).version;
  return `${version} (${stdout.trim() || 'no commit'}), ${nodeVersions('onnxruntime-node')}`;
};

/** A Python server with the packages of its requirements file. `arguments` come after the interpreter. */
function python(
  requirements: string,
  argumentsOf: (port: number, scratch: string, model: Model) => readonly string[],
  extra: Readonly<Record<string, string>> = {},
  prepare?: (interpreter: string, model: Model, scratch: string, env: Record<string, string>) => Promise<void>,
): Server['command'] {
  return async (model, port, scratch) => {
    const interpreter = await pythonWith(requirementsOf(requirements));
    const env = {
      ...basicEnv(scratch),
      ...extra,
      PATH: `${join(interpreter, '..')}:${process.env['PATH'] ?? ''}`,
      PYTHONPATH: peers,
      PYTHONDONTWRITEBYTECODE: '1',
      // One processor serves: a second thread would only get in the way.
      OMP_NUM_THREADS: '1',
      OPENBLAS_NUM_THREADS: '1',
      MODEL_DIR: model.folder,
      PORT: String(port),
    };
    await prepare?.(interpreter, model, scratch, env);
    return { command: interpreter, args: argumentsOf(port, scratch, model), env, cwd: scratch };
  };
}

const pythonVersions =
  (requirements: string, ...packages: readonly string[]) =>
  async (): Promise<string> => {
    const script =
      'import sys, importlib.metadata as m; print(", ".join(f"{n} {m.version(n)}" for n in sys.argv[1:]), end="")';
    const { stdout } = await run(await pythonWith(requirementsOf(requirements)), ['-c', script, ...packages]);
    return stdout;
  };

const uvicorn = (app: string) =>
  python('fastapi', (port) => [
    ...['-m', 'uvicorn', `${app}:app`, '--host', '127.0.0.1', '--port', String(port)],
    ...['--loop', 'uvloop', '--http', 'httptools', '--workers', '1', '--no-access-log'],
  ]);

/** Two files say what MLServer serves. Without workers of its own: one processor gains nothing by a second process. */
const mlserver = (modelSettings: object) =>
  python(
    'mlserver',
    (_, scratch) => ['-m', 'mlserver.cli.main', 'start', scratch],
    {},
    async (_, model, scratch, env) => {
      const settings = {
        host: '127.0.0.1',
        http_port: Number(env['PORT']),
        parallel_workers: 0,
        debug: false,
        grpc_port: await freePort(),
        metrics_endpoint: '/metrics',
        metrics_port: await freePort(),
      };
      const served = {
        name: NAME,
        implementation: 'mlserver_sklearn.SKLearnModel',
        parameters: { uri: join(model.folder, 'model.joblib'), version: '1' },
        ...modelSettings,
      };
      writeFileSync(join(scratch, 'settings.json'), JSON.stringify(settings));
      writeFileSync(join(scratch, 'model-settings.json'), JSON.stringify(served));
    },
  );

const saveMlflow = join(peers, 'save_mlflow.py');

/** Saved once for a version of MLflow and of the script, beside the model it was saved from. */
const mlflowFolder = ({ folder }: Model): string => {
  const made = [requirementsOf('mlflow'), saveMlflow].map((file) => readFileSync(file, 'utf8')).join();
  return join(folder, `mlflow-${shortHash(made, 12)}`);
};

/** The folder that `mlflow models serve` and our converter are given. */
export async function ensureMlflow(model: Model): Promise<string> {
  const saved = mlflowFolder(model);
  if (existsSync(saved)) return saved;
  const part = `${saved}.part`;
  rmSync(part, { recursive: true, force: true });
  const env = { MODEL_DIR: model.folder, PYTHONPATH: peers, MLFLOW_DISABLE_TELEMETRY: 'true' };
  await run(await pythonWith(requirementsOf('mlflow')), [saveMlflow, part], { env });
  renameSync(part, saved);
  return saved;
}

const mlflow = python(
  'mlflow',
  (port, _, model) => [
    ...['-m', 'mlflow', 'models', 'serve', '-m', mlflowFolder(model), '--env-manager', 'local'],
    ...['-h', '127.0.0.1', '-p', String(port), '-w', '1'],
  ],
  { UVICORN_ACCESS_LOG: 'false', MLFLOW_DISABLE_TELEMETRY: 'true' },
  async (_, model) => {
    await ensureMlflow(model);
  },
);

type Described = Omit<Server, 'name' | 'model' | 'output'> & Partial<Pick<Server, 'output'>>;

const ALL_OF_OURS: readonly KindName[] = [
  'predict',
  'v2',
  'v2-binary',
  'v1',
  'invocations-split',
  'invocations-records',
];

const described: Readonly<Record<ServerName, Described>> = {
  slipway: {
    label: 'Slipway',
    role: 'ours',
    kinds: ALL_OF_OURS,
    command: slipway({}),
    versions: slipwayVersions,
    output: 'label',
  },
  'slipway-onnxruntime': {
    label: 'Slipway, engine onnxruntime',
    role: 'variant',
    kinds: ALL_OF_OURS,
    command: slipway({ engine: 'onnxruntime' }),
    versions: slipwayVersions,
    output: 'label',
  },
  'slipway-no-log': {
    label: 'Slipway, prediction log off',
    role: 'variant',
    kinds: ALL_OF_OURS,
    command: slipway({ predictionLog: { enabled: false } }),
    versions: slipwayVersions,
  },
  'slipway-converted': {
    label: "Slipway, our converter's ONNX",
    role: 'variant',
    kinds: ALL_OF_OURS,
    command: slipway({}, converted),
    versions: slipwayVersions,
  },
  'bare-http': {
    label: 'bare node:http, our pipeline',
    role: 'floor',
    kinds: ['predict'],
    command: floor('bare-http.ts'),
    versions: async () => '',
  },
  constant: {
    label: 'node:http, a constant answer',
    role: 'floor',
    kinds: ['predict'],
    isConstant: true,
    command: floor('constant.ts'),
    versions: async () => '',
  },
  'raw-net': {
    label: 'raw socket, our pipeline',
    role: 'floor',
    kinds: ['predict'],
    command: floor('raw-net.ts'),
    versions: async () => '',
  },
  express: {
    label: 'express + zod + onnxruntime',
    role: 'peer',
    kinds: ['predict'],
    command: async ({ folder }, port, scratch) => ({
      command: process.execPath,
      args: [join(here, 'servers/plain-express.ts')],
      env: { ...basicEnv(scratch), NODE_ENV: 'production', MODEL_DIR: folder, PORT: String(port) },
      cwd: scratch,
    }),
    versions: async () => nodeVersions('express', 'zod', 'onnxruntime-node', 'prom-client'),
  },
  'fastapi-sklearn': {
    label: 'FastAPI + scikit-learn',
    role: 'peer',
    kinds: ['predict'],
    command: uvicorn('fastapi_sklearn'),
    versions: pythonVersions(
      'fastapi',
      'fastapi',
      'uvicorn',
      'uvloop',
      'httptools',
      'pydantic',
      'scikit-learn',
      'numpy',
    ),
  },
  'fastapi-onnxruntime': {
    label: 'FastAPI + onnxruntime',
    role: 'peer',
    kinds: ['predict'],
    command: uvicorn('fastapi_onnxruntime'),
    versions: pythonVersions(
      'fastapi',
      'fastapi',
      'uvicorn',
      'uvloop',
      'httptools',
      'pydantic',
      'onnxruntime',
      'numpy',
    ),
  },
  bentoml: {
    label: 'BentoML',
    role: 'peer',
    kinds: ['predict'],
    command: python(
      'bentoml',
      (port) => [
        ...['-m', 'bentoml', 'serve', 'bento_service:Classifier', '--working-dir', peers],
        ...['--host', '127.0.0.1', '--port', String(port)],
      ],
      { BENTOML_DO_NOT_TRACK: 'True' },
    ),
    versions: pythonVersions('bentoml', 'bentoml', 'uvicorn', 'pydantic', 'scikit-learn'),
  },
  litserve: {
    label: 'LitServe',
    role: 'peer',
    kinds: ['predict'],
    command: python('litserve', () => [join(peers, 'litserve_server.py')]),
    versions: pythonVersions('litserve', 'litserve', 'fastapi', 'uvicorn', 'pydantic', 'scikit-learn'),
  },
  mlserver: {
    label: 'MLServer',
    role: 'peer',
    kinds: ['v2'],
    output: 'predict',
    command: mlserver({}),
    versions: pythonVersions('mlserver', 'mlserver', 'mlserver-sklearn', 'fastapi', 'uvicorn', 'scikit-learn'),
  },
  'mlserver-batching': {
    label: 'MLServer, adaptive batching',
    role: 'peer',
    kinds: ['v2'],
    output: 'predict',
    command: mlserver({ max_batch_size: 64, max_batch_time: 0.002 }),
    versions: pythonVersions('mlserver', 'mlserver', 'mlserver-sklearn', 'fastapi', 'uvicorn', 'scikit-learn'),
  },
  kserve: {
    label: 'KServe',
    role: 'peer',
    kinds: ['v2', 'v2-binary', 'v1'],
    output: 'output-0',
    command: python('kserve', () => [join(peers, 'kserve_server.py')]),
    versions: pythonVersions('kserve', 'kserve', 'fastapi', 'uvicorn', 'uvloop', 'scikit-learn'),
  },
  mlflow: {
    label: 'mlflow models serve',
    role: 'peer',
    kinds: ['invocations-split', 'invocations-records'],
    command: mlflow,
    versions: pythonVersions('mlflow', 'mlflow', 'uvicorn', 'pandas', 'scikit-learn'),
  },
};

/** Compiled while it runs, so that it must be warm; the others are written in Python. */
export const isOfNode = (name: ServerName): boolean => described[name].role !== 'peer' || name === 'express';

/** By name. */
export const serverOf = (name: ServerName): Server => ({ name, model: NAME, output: 'label', ...described[name] });

/** Python and Node, which several of them share. */
export async function runtimeVersions(): Promise<string> {
  const { stdout } = await run(await pythonWith(requirementsOf('fastapi')), [
    '-c',
    'import platform; print(platform.python_version())',
  ]);
  return `Node ${process.version.slice(1)}, Python ${stdout.trim()}`;
}
