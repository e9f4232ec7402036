/** The registry's process: migrates the schema, then answers over HTTP until SIGTERM. */
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { connect } from '@slipway/database';
import { openObjectStore } from '@slipway/object-store';
import { collectDefaultMetrics } from 'prom-client';
import { configFromEnv } from './config.ts';
import { createLog } from './log.ts';
import { createMetrics } from './metrics.ts';
import { migrateWhenThere, readinessOf } from './readiness.ts';
import { createRegistry } from './registry.ts';
import { admissionFor } from './tenants/admission.ts';
import { VERSION } from './version.ts';

/** How long open requests, uploads among them, have to finish once nothing new comes. */
const CLOSE_MS = 20_000;
/** A connection on which nothing moves for this long is closed, whatever it is in the middle of. */
const IDLE_MS = 120_000;

/** An upload of gigabytes takes as long as it takes: what is limited is the time for headers, and silence. */
const serverOptions = { keepAliveTimeout: 75_000, requestTimeout: 0, headersTimeout: 10_000 };

async function closed(server: Server): Promise<void> {
  const ended = once(server, 'close');
  server.close();
  server.closeIdleConnections();
  const timer = setTimeout(() => server.closeAllConnections(), CLOSE_MS);
  await ended;
  clearTimeout(timer);
}

async function main(): Promise<void> {
  const config = configFromEnv(process.env);
  const log = createLog(config.logLevel);
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
    store: openObjectStore(config.objectStorage),
    presigned: config.presigned,
    admit: await admissionFor({ config, pool, log }),
    verified: config.verified,
    defaultNamespace: config.defaultNamespace,
    readiness: readinessOf(pool, state),
    metrics,
    log,
  });
  const server = createServer(serverOptions, registry);
  server.setTimeout(IDLE_MS);
  server.listen(config.port, config.listenAddress);
  await once(server, 'listening');
  log.info({ port: config.port, version: VERSION, auth: config.auth }, 'listening');

  const stopped = once(process, 'SIGTERM').then(async () => {
    log.info({}, 'stopping');
    state.stopping = true;
    stop.abort();
    await new Promise((resolve) => setTimeout(resolve, config.drainMs));
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

main().then(
  () => process.exit(0),
  (error) => {
    createLog('error').fatal({ err: error }, 'the registry cannot run');
    process.exit(1);
  },
);
