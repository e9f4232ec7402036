/** The registry's process: migrates the schema, then answers over HTTP until SIGTERM. */
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { connect, openReader } from '@slipway/database';
import { collectDefaultMetrics } from 'prom-client';
import { createApp } from './app.ts';
import { type Authorize, kubernetesAuth, openToAll } from './auth/auth.ts';
import { type Config, configFromEnv } from './config.ts';
import { createLog } from './log.ts';
import { createMetrics } from './metrics.ts';
import { migrateWhenThere, readinessOf } from './readiness.ts';
import { VERSION } from './version.ts';

/** How long the endpoints of the Service may still send requests after SIGTERM. */
const DRAIN_MS = 3_000;
/** Then open requests have this long to finish. */
const CLOSE_MS = 10_000;

async function authorizeAs({ auth, viewRole }: Config): Promise<Authorize> {
  if (auth === 'none') return openToAll;
  const { accessReviews, clusterConfig } = await import('./auth/access-reviews.ts');
  return kubernetesAuth(accessReviews(clusterConfig()), { now: Date.now, viewRole });
}

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
    max: 10,
    onIdleError: (error) => log.warn({ err: error }, 'idle database connection lost'),
  });
  const metrics = createMetrics();
  collectDefaultMetrics({ register: metrics.registry });
  if (config.auth === 'none') log.warn({}, 'AUTH=none: whoever reaches this port reads every namespace');
  const app = createApp({
    reader: openReader(pool),
    authorize: await authorizeAs(config),
    readiness: readinessOf(pool, state),
    metrics,
    log,
  });
  const server = createServer({ keepAliveTimeout: 75_000, requestTimeout: 30_000, headersTimeout: 10_000 }, app);
  server.listen(config.port);
  await once(server, 'listening');
  log.info({ port: config.port, version: VERSION, auth: config.auth }, 'listening');

  const stopped = once(process, 'SIGTERM').then(async () => {
    log.info({}, 'stopping');
    state.stopping = true;
    stop.abort();
    await new Promise((resolve) => setTimeout(resolve, DRAIN_MS));
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
