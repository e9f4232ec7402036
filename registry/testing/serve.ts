/** A registry on loopback for tests: real routes on a real schema, open to everybody unless a test says otherwise. */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import {
  type Database,
  migrate,
  openLoggedModels,
  openModelRegistry,
  openSearch,
  openTracking,
} from '@slipway/database';
import pino from 'pino';
import type { TenantArtifacts } from '../src/artifacts/tenant-artifacts.ts';
import type { Admit, Area } from '../src/http/exchange.ts';
import { createFront } from '../src/http/front.ts';
import { createMetrics } from '../src/metrics.ts';
import { mlflowArea } from '../src/mlflow/area.ts';
import { allEndpoints } from '../src/mlflow/endpoints/index.ts';
import { admitAll } from '../src/tenants/admit.ts';

/** A bucket with nothing in it. */
export const noArtifacts: TenantArtifacts = {
  bucket: 'slipway',
  list: async () => [],
  files: async () => [],
  readSmall: async () => undefined,
};

export interface Served {
  readonly url: string;
  /** A JSON request below `/api/2.0/mlflow/`; a GET's parameters go into the query string. */
  // biome-ignore lint/suspicious/noExplicitAny: tests look at any answer
  call(method: string, path: string, parameters?: Record<string, unknown>): Promise<{ status: number; body: any }>;
  close(): Promise<void>;
}

export interface ServeOptions {
  readonly admit?: Admit;
  readonly artifacts?: TenantArtifacts;
  readonly areas?: readonly Area[];
  readonly verified?: boolean;
}

/** Migrates the database and serves the default namespace `default` at the root. */
export async function serveRegistry(pool: Database, options: ServeOptions = {}): Promise<Served> {
  await migrate(pool);
  const admit = options.admit ?? admitAll(pool);
  const endpoints = allEndpoints({
    tracking: openTracking(pool),
    search: openSearch(pool),
    models: openModelRegistry(pool),
    loggedModels: openLoggedModels(pool),
    artifacts: options.artifacts ?? noArtifacts,
    verified: options.verified ?? false,
    now: Date.now,
  });
  const front = createFront({
    areas: [mlflowArea(endpoints, admit), ...(options.areas ?? [])],
    otherwise: (_request, response) => response.writeHead(404).end(),
    defaultNamespace: 'default',
    metrics: createMetrics(),
    log: pino({ level: 'error' }),
  });
  const server = createServer(front).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    url,
    async call(method, path, parameters = {}) {
      const query = method === 'GET' ? `?${queryOf(parameters)}` : '';
      const response = await fetch(`${url}/api/2.0/mlflow/${path}${query}`, {
        method,
        ...(method !== 'GET' && {
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify(parameters),
        }),
      });
      return { status: response.status, body: await response.json() };
    },
    async close() {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
}

function queryOf(parameters: Record<string, unknown>): string {
  const query = new URLSearchParams();
  for (const [key, value] of Object.entries(parameters))
    for (const item of Array.isArray(value) ? value : [value]) query.append(key, String(item));
  return query.toString();
}
