/** The two servers side by side, each a process of its own on a database of its own in the same Postgres. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { ObjectStorageAccess, PostgresAccess } from '@slipway/contract';
import { pythonWith } from '../../test/conformance/venv.ts';
import { eventually } from '../../test/support/eventually.ts';

export interface Server {
  readonly name: 'slipway' | 'mlflow';
  readonly version: string;
  readonly port: number;
  /** Resident memory of all its processes, in MiB. */
  memory(): number;
  stop(): Promise<void>;
}

/** What a server keeps its data in. The real mlflow has a folder for artifacts, which nothing here touches. */
export interface Stores {
  readonly postgres: PostgresAccess;
  readonly storage: ObjectStorageAccess;
}

export const MLFLOW_WORKERS = 4;

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

/** The process and everything below it. */
function familyOf(pid: number): number[] {
  const parents = readdirSync('/proc').flatMap((entry): [number, number][] => {
    if (!/^\d+$/.test(entry)) return [];
    try {
      return [[Number(entry), Number(/^PPid:\s+(\d+)/m.exec(readFileSync(`/proc/${entry}/status`, 'utf8'))?.[1])]];
    } catch {
      return []; // it ended while we looked
    }
  });
  const below = (parent: number): number[] =>
    parents.flatMap(([child, of]) => (of === parent ? [child, ...below(child)] : []));
  return [pid, ...below(pid)];
}

const residentMiB = (pid: number): number => {
  try {
    return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) / 1024;
  } catch {
    return 0;
  }
};

interface Command {
  readonly name: Server['name'];
  readonly version: string;
  readonly port: number;
  readonly command: readonly [string, ...string[]];
  readonly env: Readonly<Record<string, string>>;
  readonly ready: string;
}

async function start({ name, version, port, command: [program, ...args], env, ready }: Command): Promise<Server> {
  const child: ChildProcess = spawn(program, args, {
    env: { PATH: process.env['PATH'] ?? '', HOME: process.env['HOME'] ?? '', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  let said = '';
  for (const stream of [child.stdout, child.stderr])
    stream?.setEncoding('utf8').on('data', (chunk: string) => {
      said = (said + chunk).slice(-4000);
    });
  const stop = async (): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const closed = once(child, 'close');
    process.kill(-(child.pid as number), 'SIGTERM');
    await closed;
  };
  // A bench that is interrupted leaves no server behind.
  process.once('exit', () => child.exitCode === null && child.signalCode === null && child.kill('SIGKILL'));
  try {
    await eventually(async () => {
      if (child.exitCode !== null) throw new Error('it ended');
      const answer = await fetch(`http://127.0.0.1:${port}${ready}`);
      if (answer.status !== 200) throw new Error(`${ready} answers ${answer.status}`);
    }, 180_000);
  } catch (error) {
    await stop();
    throw new Error(`${name} does not start: ${said}`, { cause: error });
  }
  const memory = (): number => familyOf(child.pid as number).reduce((sum, pid) => sum + residentMiB(pid), 0);
  return { name, version, port, memory, stop };
}

const slipwayVersion = (): string => JSON.parse(readFileSync('package.json', 'utf8')).version;

const REGISTRY = join(import.meta.dirname, '../../registry/src/main.ts');

/** Ours, open to everybody. */
export async function startSlipway(
  { postgres, storage }: Stores,
  nodeOptions: readonly string[] = [],
  program = REGISTRY,
): Promise<Server> {
  const port = await freePort();
  return start({
    name: 'slipway',
    version: slipwayVersion(),
    port,
    command: [process.execPath, ...nodeOptions, program],
    env: {
      PORT: String(port),
      LISTEN_ADDRESS: '127.0.0.1',
      AUTH: 'none',
      NAMESPACES: 'any',
      VERIFIER: 'none',
      LOG_LEVEL: 'warn',
      DRAIN_SECONDS: '0',
      POSTGRES_HOST: postgres.host,
      POSTGRES_PORT: String(postgres.port),
      POSTGRES_DATABASE: postgres.database,
      POSTGRES_USERNAME: postgres.username,
      POSTGRES_PASSWORD: postgres.password,
      OBJECT_STORAGE_ENDPOINT: storage.endpoint,
      OBJECT_STORAGE_REGION: storage.region,
      OBJECT_STORAGE_BUCKET: storage.bucket,
      OBJECT_STORAGE_ACCESS_KEY: storage.accessKey,
      OBJECT_STORAGE_SECRET_KEY: storage.secretKey,
    },
    ready: '/readyz',
  });
}

/** The command of a real mlflow: one from SLIPWAY_BENCH_MLFLOW, else the one of the conformance tests. */
async function mlflowCommand(): Promise<string> {
  const named = process.env['SLIPWAY_BENCH_MLFLOW'];
  if (named) return named;
  const requirements = join(import.meta.dirname, '../../test/conformance/python/requirements-new.txt');
  return join(dirname(await pythonWith(requirements)), 'mlflow');
}

/** The real one, with as many workers as it starts by default. */
export async function startMlflow({ postgres }: Stores): Promise<Server> {
  const mlflow = await mlflowCommand();
  const port = await freePort();
  const artifacts = await mkdtemp(join(tmpdir(), 'slipway-bench-mlflow-'));
  const { username, password, host, port: postgresPort, database } = postgres;
  const env = {
    PATH: `${dirname(mlflow)}:${process.env['PATH']}`,
    MLFLOW_DISABLE_TELEMETRY: 'true',
    DO_NOT_TRACK: 'true',
    GIT_PYTHON_REFRESH: 'quiet',
    MLFLOW_SERVER_ENABLE_JOB_EXECUTION: 'false',
  };
  const said = execFileSync(mlflow, ['--version'], { encoding: 'utf8', env });
  const server = await start({
    name: 'mlflow',
    version: /[\d.]+/.exec(said)?.[0] ?? said.trim(),
    port,
    command: [
      mlflow,
      ...['server', '--workers', String(MLFLOW_WORKERS), '--port', String(port)],
      ...['--backend-store-uri', `postgresql+psycopg2://${username}:${password}@${host}:${postgresPort}/${database}`],
      ...['--artifacts-destination', artifacts],
    ],
    env,
    ready: '/health',
  });
  return {
    ...server,
    async stop() {
      await server.stop();
      await rm(artifacts, { recursive: true, force: true });
    },
  };
}
