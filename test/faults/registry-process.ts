/** The registry as a process of its own, asked over HTTP as clients do: what holds when it, or what it stands on, falls. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { fileURLToPath } from 'node:url';
import type { ObjectStorageAccess, PostgresAccess } from '@slipway/contract';

const main = fileURLToPath(new URL('../../registry/src/main.ts', import.meta.url));

export interface Answer {
  readonly status: number;
  // biome-ignore lint/suspicious/noExplicitAny: tests look at any answer
  readonly body: any;
  /** The body as it came. */
  readonly text: string;
  readonly ms: number;
}

export interface RegistryProcess {
  readonly url: string;
  readonly child: ChildProcess;
  /** Below `/api/2.0/mlflow/`; rejects when no answer comes at all. */
  call(method: string, path: string, parameters?: Record<string, unknown>): Promise<Answer>;
  /** Resolves with the exit code, or undefined when a signal ended it. */
  ended(): Promise<number | undefined>;
}

/** A port that was free a moment ago. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

const query = (parameters: Record<string, unknown>): string =>
  new URLSearchParams(
    Object.entries(parameters).map(([key, value]): [string, string] => [key, String(value)]),
  ).toString();

/** Starts it without authentication and without an operator; it is not ready yet. What it logs goes nowhere. */
export async function startRegistryProcess(
  postgres: PostgresAccess,
  store: ObjectStorageAccess,
  more: Record<string, string> = {},
): Promise<RegistryProcess> {
  const port = await freePort();
  const env = {
    PATH: process.env['PATH'],
    PORT: String(port),
    LISTEN_ADDRESS: '127.0.0.1',
    AUTH: 'none',
    NAMESPACES: 'any',
    VERIFIER: 'none',
    POSTGRES_HOST: postgres.host,
    POSTGRES_PORT: String(postgres.port),
    POSTGRES_DATABASE: postgres.database,
    POSTGRES_USERNAME: postgres.username,
    POSTGRES_PASSWORD: postgres.password,
    OBJECT_STORAGE_ENDPOINT: store.endpoint,
    OBJECT_STORAGE_BUCKET: store.bucket,
    OBJECT_STORAGE_ACCESS_KEY: store.accessKey,
    OBJECT_STORAGE_SECRET_KEY: store.secretKey,
    ...more,
  };
  const child = spawn(process.execPath, [main], { env, stdio: ['ignore', 'ignore', 'inherit'] });
  const url = `http://127.0.0.1:${port}`;
  return {
    url,
    child,
    async call(method, path, parameters = {}) {
      const started = performance.now();
      const init =
        method === 'GET'
          ? {}
          : { method, headers: { 'content-type': 'application/json' }, body: JSON.stringify(parameters) };
      const asked = method === 'GET' ? `${path}?${query(parameters)}` : path;
      const response = await fetch(`${url}/api/2.0/mlflow/${asked}`, init);
      const text = await response.text();
      return { status: response.status, body: JSON.parse(text), text, ms: performance.now() - started };
    },
    async ended() {
      if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
      return child.exitCode ?? undefined;
    },
  };
}
