/** Wiring: which part of the registry answers what. */
import type { RequestListener } from 'node:http';
import {
  type Database,
  openArtifactRows,
  openDataSets,
  openLoggedModels,
  openModelRegistry,
  openReader,
  openSearch,
  openTracking,
} from '@slipway/database';
import type { StreamingObjectStore } from '@slipway/object-store';
import type { Logger } from 'pino';
import { createApp } from './app.ts';
import { artifactArea } from './artifacts/area.ts';
import { storedArtifacts } from './artifacts/stored-artifacts.ts';
import { dataArea } from './data/area.ts';
import type { Admit } from './http/exchange.ts';
import { createFront } from './http/front.ts';
import type { Metrics } from './metrics.ts';
import { mlflowArea } from './mlflow/area.ts';
import { allEndpoints } from './mlflow/endpoints/index.ts';
import type { Readiness } from './readiness.ts';

export interface RegistryOptions {
  readonly pool: Database;
  readonly store: StreamingObjectStore;
  /** Clients may be sent to the object store for large artifacts. */
  readonly presigned: boolean;
  readonly admit: Admit;
  readonly verified: boolean;
  readonly defaultNamespace: string;
  readonly readiness: Readiness;
  readonly metrics: Metrics;
  readonly log: Logger;
}

/** Everything the registry answers, as the listener of an HTTP server. */
export function createRegistry(options: RegistryOptions): RequestListener {
  const { pool, store, presigned, admit, verified, defaultNamespace, readiness, metrics, log } = options;
  const rows = openArtifactRows(pool);
  const artifacts = storedArtifacts({ store, rows, presigned });
  const tracking = openTracking(pool);
  const loggedModels = openLoggedModels(pool);
  const endpoints = allEndpoints({
    tracking,
    search: openSearch(pool),
    models: openModelRegistry(pool),
    loggedModels,
    artifacts,
    verified,
    now: Date.now,
  });
  return createFront({
    areas: [
      mlflowArea(endpoints, admit),
      artifactArea({ admit, store, rows, artifacts, tracking, loggedModels }),
      dataArea({ admit, store, dataSets: openDataSets(pool) }),
    ],
    otherwise: createApp({ reader: openReader(pool), admit, readiness, metrics, log }),
    defaultNamespace,
    metrics,
    log,
  });
}
