/** `serve`: answers health from the first moment, predictions once the model has shown that it is the right one. */
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runtimeThreads } from './cgroup.ts';
import type { ServeConfig } from './config.ts';
import { docsRoutes } from './docs-page/routes.ts';
import { enterEmptyDirectory } from './empty-directory.ts';
import { FailureError } from './failure.ts';
import { openAccess } from './http/access.ts';
import { createApp } from './http/app.ts';
import { drain } from './http/drain.ts';
import { collectProcessMetrics, createMetrics, type Metrics } from './http/metrics.ts';
import { createModelServer } from './http/server.ts';
import { afterStop, listen, operatorFor, stopSignal } from './lifecycle.ts';
import type { Logger } from './log.ts';
import { checkArtifact } from './model/artifact-check.ts';
import { inspectFile, loadModel } from './model/load.ts';
import { type ServedModel, serveModel } from './model/served-model.ts';
import { openPredictionLog } from './prediction-log/open.ts';
import { versionRoutes } from './protocols/model-version.ts';
import { PROTOCOLS } from './protocols/protocols.ts';
import { trainRoutes } from './protocols/train.ts';
import type { ServerState } from './request/state.ts';
import { watchRegistry } from './tracking.ts';

/** How long somebody who waits for a run may go on waiting once no new connection is taken; less than draining allows. */
const HURRY_MS = 5_000;

/**
 * What lives long here is small and does not grow, and what requests leave is garbage at once: collected when there is a
 * fifth more than was needed last time, instead of several times as much. Nothing is limited by this.
 */
const HEAP_FLAGS = '--heap-growing-percent=20';

/** Resolves when SIGTERM has been obeyed. Throws FailureError when the model is not the registered one or does not work. */
export async function serve(
  config: ServeConfig,
  log: Logger,
  onReady: (port: number) => void = () => {},
): Promise<void> {
  setFlagsFromString(HEAP_FLAGS);
  const stopped = stopSignal();
  const state: ServerState = {
    identity: { name: config.MODEL_NAME, version: config.MODEL_VERSION, digest: config.MODEL_ARTIFACT.digest },
    uptime: () => process.uptime(),
    model: undefined,
    isDraining: false,
  };
  const metrics = createMetrics(state);
  collectProcessMetrics(metrics);
  const asking = {
    state,
    operator: operatorFor(config, log),
    hurry: afterStop(stopped, config.DRAIN_DELAY_MS + HURRY_MS),
  };
  const training = trainRoutes({ ...asking, waitMs: config.TRAIN_WAIT_MS });
  const version = versionRoutes({ ...asking, waitMs: config.VERSION_WAIT_MS });
  const { auth } = config.SERVE_SETTINGS;
  const docs = docsRoutes({ state, modelDir: config.MODEL_DIR, ...(auth && { auth }) });
  const access = await openAccess({
    settings: config.SERVE_SETTINGS,
    apiKeysDir: config.API_KEYS_DIR,
    tokenKeysDir: config.TOKEN_KEYS_DIR,
    tlsDir: config.TLS_DIR,
    requestTimeoutMs: config.REQUEST_TIMEOUT_MS,
    registry: metrics.registry,
    log,
  });
  const predictions = openPredictionLog({
    settings: config.SERVE_SETTINGS.predictionLog,
    dir: config.PREDICTION_LOG_DIR,
    keysDir: config.PREDICTION_KEYS_DIR,
    state,
    metrics,
    log,
  });
  const server = createModelServer({
    state,
    protocols: PROTOCOLS,
    app: createApp({
      state,
      metrics,
      routes: [
        { path: '/train', handler: training },
        { path: '/model/version', handler: version },
        { path: '/', handler: docs },
      ],
      log,
      tracking: watchRegistry(config.REGISTRY_URL),
    }),
    metrics,
    log,
    maxBodyBytes: config.MAX_BODY_BYTES,
    requestTimeoutMs: config.REQUEST_TIMEOUT_MS,
    ...access.options,
    ...predictions.options,
  });
  access.follow(server);
  await listen(server, config);
  log.info({ port: (server.address() as AddressInfo).port, model: state.identity }, 'listening');
  void stopped.then(() => {
    state.isDraining = true;
  });
  const lost = Promise.withResolvers<never>();
  const loading = load(config, state, metrics, log, lost.reject);
  state.model = await Promise.race([loading, stopped, lost.promise]);
  if (state.model) predictions.fits(state.model);
  if (state.model) log.info({ model: state.identity, startSeconds: Number(state.uptime().toFixed(3)) }, 'ready');
  if (state.model) onReady((server.address() as AddressInfo).port);
  await Promise.race([stopped, lost.promise]);
  await drain({ server, state, delayMs: config.DRAIN_DELAY_MS, log });
  await predictions.close();
  if (!state.model) await Promise.race([loading.then((model) => model.release()).catch(() => undefined), patience()]);
}

/** A thread that is still loading is waited for: a process that ends while the runtime computes is aborted. */
const patience = (): Promise<void> => sleep(HURRY_MS, undefined, { ref: false });

async function load(
  config: ServeConfig,
  state: ServerState,
  metrics: Metrics,
  log: Logger,
  onLost: (error: FailureError) => void,
): Promise<ServedModel> {
  const start = performance.now();
  const { MODEL_ARTIFACT: artifact, MODEL_DIR: dir } = config;
  const files = await checkArtifact(artifact, dir);
  await inspectFile(dir, files);
  await enterEmptyDirectory();
  const loaded = await loadModel(dir, files, runtimeThreads(), {
    engine: config.SERVE_SETTINGS.engine,
    apart: (error) => onLost(withoutThread(error)),
    onProofFailed: (error) =>
      log.warn(
        { err: error },
        'no process of its own proves the model; the server does, and may hold the runtime for it',
      ),
  });
  metrics.loaded((performance.now() - start) / 1000);
  return serveModel(state.identity, loaded, {
    maxRows: config.MAX_ROWS,
    maxQueued: config.MAX_QUEUED_REQUESTS,
    onRun: metrics.ran,
  });
}

/** The thread of the model is gone: nothing can be predicted, and a new process is the cure. */
const withoutThread = (cause: Error): FailureError =>
  new FailureError(
    'InternalError',
    'the thread that computes the model ended by itself; the process ends, to be started again',
    { cause },
  );
