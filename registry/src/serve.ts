/** What the process does when it is asked nothing else: migrates the schema, then answers over HTTP until SIGTERM. */
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { connect } from '@slipway/database';
import { openObjectStore } from '@slipway/object-store';
import type { Logger } from 'pino';
import { collectDefaultMetrics } from 'prom-client';
import type { Config } from './config.ts';
import { createMetrics } from './metrics.ts';
import { migrateWhenThere, readinessOf } from './readiness.ts';
import { createRegistry } from './registry.ts';
import { closed, httpServer, lettingGo, listening } from './server.ts';
import { admissionFor } from './tenants/admission.ts';
import { VERSION } from './version.ts';

/** Resolves after SIGTERM, when everything has ended; throws what makes it useless to go on. */
export async function serve(config: Config, log: Logger): Promise<void> {
  const state = { migrated: false, stopping: false };
  const stop = new AbortController();
  const pool = connect(config.postgres, {
    applicationName: 'slipway-registry',
    max: config.poolSize,
    onIdleError: (error) => log.warn({ err: error }, 'idle database connection lost'),
  });
  const metrics = createMetrics();
  collectDefaultMetrics({ register: metrics.registry });
  if (config.auth === 'none') log.warn({}, 'AUTH=none: whoever reaches this port reads and writes every namespace');
  const registry = createRegistry({
    pool,
    store: openObjectStore(config.objectStorage, { publicEndpoint: config.publicEndpoint }),
    presigned: config.presigned,
    admit: await admissionFor({ config, pool, log }),
    verified: config.verified,
    defaultNamespace: config.defaultNamespace,
    readiness: readinessOf(pool, state),
    metrics,
    log,
  });
  const server = httpServer(registry);
  await listening(server, config.port, config.listenAddress);
  log.info({ port: config.port, version: VERSION, auth: config.auth }, 'listening');

  const stopped = once(process, 'SIGTERM').then(async () => {
    log.info({}, 'stopping');
    state.stopping = true;
    stop.abort();
    lettingGo(server);
    await delay(config.drainMs);
    await closed(server);
    await pool.end();
    log.info({}, 'stopped');
  });

  const migration = migrateWhenThere(pool, {
    signal: stop.signal,
    onWaiting: (why) => log.warn({ why }, 'waiting for the database'),
  }).then((applied) => {
    state.migrated = true;
    log.info({ applied }, 'schema ready');
  });
  await migration.catch((error) => {
    if (!state.stopping) throw error;
  });
  await stopped;
}
