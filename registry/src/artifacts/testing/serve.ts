/** Artifacts and data sets on loopback, with a real schema and a real bucket behind them, for tests. */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { ObjectStorageAccess } from '@slipway/contract';
import {
  type Database,
  migrate,
  openArtifactRows,
  openDataSets,
  openLoggedModels,
  openTracking,
} from '@slipway/database';
import { openObjectStore, type StreamingObjectStore } from '@slipway/object-store';
import pino from 'pino';
import { dataArea } from '../../data/area.ts';
import type { Admit } from '../../http/exchange.ts';
import { createFront } from '../../http/front.ts';
import { createMetrics } from '../../metrics.ts';
import { mlflowArea } from '../../mlflow/area.ts';
import type { MlflowDeps } from '../../mlflow/deps.ts';
import { artifactsEndpoints } from '../../mlflow/endpoints/artifacts.ts';
import { admitAll } from '../../tenants/admit.ts';
import { artifactArea } from '../area.ts';
import type { Owners } from '../ownership.ts';
import type { Patience } from '../receive.ts';
import { storedArtifacts } from '../stored-artifacts.ts';

export interface ServedArtifacts {
  readonly url: string;
  readonly store: StreamingObjectStore;
  close(): Promise<void>;
}

export interface ServeArtifactsOptions {
  readonly admit?: Admit;
  /** Who owns which path; asks the database when absent. */
  readonly owners?: Owners;
  readonly presigned?: boolean;
  readonly patience?: Patience;
  /** How long the store may stand still. */
  readonly timeoutMs?: number;
}

/** Migrates the database and serves the default namespace `default` at the root. */
export async function serveArtifacts(
  pool: Database,
  access: ObjectStorageAccess,
  options: ServeArtifactsOptions = {},
): Promise<ServedArtifacts> {
  await migrate(pool);
  const store = openObjectStore(access, { timeoutMs: options.timeoutMs ?? 15_000 });
  const rows = openArtifactRows(pool);
  const admit = options.admit ?? admitAll(pool);
  const artifacts = storedArtifacts({ store, rows, presigned: options.presigned ?? false });
  const patience = options.patience && { patience: options.patience };
  const owners = options.owners ?? { tracking: openTracking(pool), loggedModels: openLoggedModels(pool) };
  // The endpoints for artifacts ask for nothing else.
  const deps = { ...owners, artifacts } as MlflowDeps;
  const front = createFront({
    areas: [
      artifactArea({ admit, store, rows, artifacts, ...owners, ...patience }),
      dataArea({ admit, store, dataSets: openDataSets(pool), ...patience }),
      mlflowArea(artifactsEndpoints(deps), admit),
    ],
    otherwise: (_request, response) => response.writeHead(404).end(),
    defaultNamespace: 'default',
    metrics: createMetrics(),
    log: pino({ level: 'fatal' }),
  });
  const server = createServer({ requestTimeout: 0 }, front).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    store,
    async close() {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
}
