/** Wiring: which part of the registry answers what. */
import type { RequestListener } from 'node:http';
import {
  type Database,
  openLoggedModels,
  openModelRegistry,
  openReader,
  openSearch,
  openTracking,
} from '@slipway/database';
import type { Logger } from 'pino';
import { createApp } from './app.ts';
import type { TenantArtifacts } from './artifacts/tenant-artifacts.ts';
import type { Admit, Area } from './http/exchange.ts';
import { createFront } from './http/front.ts';
import type { Metrics } from './metrics.ts';
import { mlflowArea } from './mlflow/area.ts';
import { allEndpoints } from './mlflow/endpoints/index.ts';
import type { Readiness } from './readiness.ts';

export interface RegistryOptions {
  readonly pool: Database;
  readonly artifacts: TenantArtifacts;
  /** The parts that answer by themselves, beside MLflow's REST API. */
  readonly areas: readonly Area[];
  readonly admit: Admit;
  readonly verified: boolean;
  readonly defaultNamespace: string;
  readonly readiness: Readiness;
  readonly metrics: Metrics;
  readonly log: Logger;
}

/** Everything the registry answers, as the listener of an HTTP server. */
export function createRegistry(options: RegistryOptions): RequestListener {
  const { pool, artifacts, areas, admit, verified, defaultNamespace, readiness, metrics, log } = options;
  const endpoints = allEndpoints({
    tracking: openTracking(pool),
    search: openSearch(pool),
    models: openModelRegistry(pool),
    loggedModels: openLoggedModels(pool),
    artifacts,
    verified,
    now: Date.now,
  });
  return createFront({
    areas: [mlflowArea(endpoints, admit), ...areas],
    otherwise: createApp({ reader: openReader(pool), admit, readiness, metrics, log }),
    defaultNamespace,
    metrics,
    log,
  });
}
