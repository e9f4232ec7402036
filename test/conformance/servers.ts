/** The two servers that are compared: our registry as the process it is, and a real `mlflow server`. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { ObjectStorageAccess, PostgresAccess } from '@slipway/contract';
import { eventually } from '../support/eventually.ts';
import { onLeaving } from './leaving.ts';

export interface MlflowServer {
  readonly url: string;
  stop(): Promise<void>;
}

const registry = fileURLToPath(new URL('../../registry/src/main.ts', import.meta.url));

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

interface Command {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** Answers 200 once requests can be served. */
  readonly ready: string;
  readonly port: number;
}

/** The process groups that run: none of them may outlive a test, however it ends. */
const groups = new Set<number>();
process.once('exit', () => {
  for (const group of groups) process.kill(-group, 'SIGKILL');
});

async function ended(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const closed = once(child, 'close');
  // The process group: a server of mlflow has its own children.
  process.kill(-(child.pid as number), signal);
  await closed;
}

async function start({ name, command, args, env, ready, port }: Command): Promise<MlflowServer> {
  const child = spawn(command, args, {
    env: { PATH: process.env['PATH'] ?? '', HOME: process.env['HOME'] ?? '', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  if (child.pid !== undefined) groups.add(child.pid);
  const stays = onLeaving(() => ended(child, 'SIGKILL'));
  child.once('exit', () => {
    stays();
    groups.delete(child.pid as number);
  });
  let said = '';
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (chunk: string) => {
      said = (said + chunk).slice(-8000);
    });
  const url = `http://127.0.0.1:${port}`;
  const died = () => child.exitCode !== null;
  try {
    await eventually(async () => {
      if (died()) return;
      const answer = await fetch(url + ready);
      if (answer.status !== 200) throw new Error(`${ready} answers ${answer.status}`);
    }, 180_000);
    if (died()) throw new Error('it ended');
  } catch (error) {
    await ended(child, 'SIGKILL');
    throw new Error(`${name} does not start: ${said}`, { cause: error });
  }
  return { url, stop: () => ended(child, 'SIGKILL') };
}

/** Our registry, open to everybody, with every namespace that is spoken for. */
export async function startOurs(postgres: PostgresAccess, storage: ObjectStorageAccess): Promise<MlflowServer> {
  const port = await freePort();
  return start({
    name: 'the registry',
    command: process.execPath,
    args: [registry],
    env: {
      PORT: String(port),
      LISTEN_ADDRESS: '127.0.0.1',
      AUTH: 'none',
      NAMESPACES: 'any',
      VERIFIER: 'none',
      LOG_LEVEL: process.env['SLIPWAY_CONFORMANCE_LOG'] ?? 'warn',
      POSTGRES_HOST: postgres.host,
      POSTGRES_PORT: String(postgres.port),
      POSTGRES_DATABASE: postgres.database,
      POSTGRES_USERNAME: postgres.username,
      POSTGRES_PASSWORD: postgres.password,
      OBJECT_STORAGE_ENDPOINT: storage.endpoint,
      OBJECT_STORAGE_BUCKET: storage.bucket,
      OBJECT_STORAGE_ACCESS_KEY: storage.accessKey,
      OBJECT_STORAGE_SECRET_KEY: storage.secretKey,
    },
    ready: '/readyz',
    port,
  });
}

/** The real one, on a database of the same Postgres and a folder for artifacts. */
export async function startOracle(python: string, access: PostgresAccess): Promise<MlflowServer> {
  const port = await freePort();
  const folder = await mkdtemp(join(tmpdir(), 'mlflow-oracle-'));
  const removed = () => rm(folder, { recursive: true, force: true });
  const stays = onLeaving(removed);
  const { username, password, host, port: postgresPort, database } = access;
  const store = `postgresql+psycopg2://${username}:${password}@${host}:${postgresPort}/${database}`;
  const server = await start({
    name: 'the real mlflow server',
    command: join(dirname(python), 'mlflow'),
    args: [
      ...['server', '--workers', '1', '--port', String(port)],
      ...['--backend-store-uri', store, '--artifacts-destination', folder],
    ],
    env: {
      PATH: `${dirname(python)}:${process.env['PATH']}`,
      MLFLOW_DISABLE_TELEMETRY: 'true',
      DO_NOT_TRACK: 'true',
      GIT_PYTHON_REFRESH: 'quiet',
      MLFLOW_SERVER_ENABLE_JOB_EXECUTION: 'false',
    },
    ready: '/health',
    port,
  });
  return {
    url: server.url,
    async stop() {
      await server.stop();
      await removed();
      stays();
    },
  };
}
