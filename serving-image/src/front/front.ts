/**
 * `front`: stands before a server that is not ours, in the same pod. Clients get from it what they get from ours: the version
 * on every answer, who may ask, https, metrics, readiness that was proven by a prediction, and an end that loses nothing.
 */
import type { AddressInfo } from 'node:net';
import type { FrontConfig } from '../config.ts';
import { openAccess } from '../http/access.ts';
import { drain } from '../http/drain.ts';
import { collectProcessMetrics, createMetrics } from '../http/metrics.ts';
import { createModelServer } from '../http/server.ts';
import { afterStop, listen, operatorFor, stopSignal } from '../lifecycle.ts';
import type { Logger } from '../log.ts';
import type { ServedModel } from '../model/served-model.ts';
import { versionRoutes } from '../protocols/model-version.ts';
import { trainRoutes } from '../protocols/train.ts';
import type { ServerState } from '../request/state.ts';
import { watchRegistry } from '../tracking.ts';
import { createFrontApp } from './app.ts';
import { watchBackend } from './backend.ts';
import { createForward } from './forward.ts';
import { askHealth } from './health.ts';
import { proofFor, prove } from './proof.ts';

/** As long as the model server gives whoever waits for a run. */
const HURRY_MS = 5_000;
/** So much earlier than the operator's own look at the clock the end is told, with what was heard of the server. */
const HEAD_START_MS = 2_000;

/** Stands for the model while the server behind answers: no protocol of ours is asked, so nothing else of it is used. */
const BEHIND = { queued: () => 0, release: async () => {} } as unknown as ServedModel;

/** Resolves when `stopped` has been obeyed. Throws FailureError when the server behind never becomes ready. */
export async function front(
  config: FrontConfig,
  log: Logger,
  { stopped = stopSignal(), onListen }: { stopped?: Promise<undefined>; onListen?: (port: number) => void } = {},
): Promise<void> {
  const { MODEL_NAME: name, RUNTIME: runtime, SERVE_SETTINGS: settings } = config;
  const state: ServerState = {
    identity: { name, version: config.MODEL_VERSION, digest: config.MODEL_ARTIFACT.digest },
    uptime: () => process.uptime(),
    model: undefined,
    isDraining: false,
  };
  const metrics = createMetrics(state);
  collectProcessMetrics(metrics);
  const access = await openAccess({
    settings,
    apiKeysDir: config.API_KEYS_DIR,
    tokenKeysDir: config.TOKEN_KEYS_DIR,
    tlsDir: config.TLS_DIR,
    requestTimeoutMs: config.REQUEST_TIMEOUT_MS,
    registry: metrics.registry,
    log,
  });
  const over = new AbortController();
  const example = await proofFor(runtime.protocol, config.MODEL_DIR);
  const backend = watchBackend({
    ask: () => askHealth(runtime, runtime.protocol, name),
    prove: example && (() => prove(runtime, example)),
    readyWithinMs: runtime.readyWithinSeconds * 1000 - Math.min(HEAD_START_MS, runtime.readyWithinSeconds * 100),
    onChange: (isReady) => {
      state.model = isReady ? BEHIND : undefined;
    },
    log,
    signal: over.signal,
  });
  const forward = createForward({
    server: runtime,
    isReady: () => state.model !== undefined,
    isDraining: () => state.isDraining,
    onAnswer: backend.answered,
    hidesCredentials: settings.auth !== undefined,
    answerTimeoutMs: config.ANSWER_TIMEOUT_MS,
    log,
  });
  const { authorize } = access.options;
  const server = createModelServer({
    state,
    protocols: [],
    app: createFrontApp({
      state,
      metrics,
      isAlive: backend.isAlive,
      protocol: runtime.protocol,
      routes: ownRoutes(config, state, stopped, log),
      forward,
      ...(authorize && { authorize }),
      tracking: watchRegistry(config.REGISTRY_URL),
      log,
    }),
    metrics,
    log,
    maxBodyBytes: config.MAX_BODY_BYTES,
    requestTimeoutMs: config.REQUEST_TIMEOUT_MS,
    ...access.options,
  });
  access.follow(server);
  try {
    await listen(server, config);
    const { port } = server.address() as AddressInfo;
    log.info({ port, model: state.identity, runtime, isProven: example !== undefined }, 'listening');
    onListen?.(port);
    await Promise.race([stopped, backend.watched]);
    await drain({ server, state, delayMs: config.DRAIN_DELAY_MS, log });
  } finally {
    over.abort();
    access.stop();
    server.close();
  }
}

/** What clients may ask of us rather than of the server: another version, a run. */
function ownRoutes(config: FrontConfig, state: ServerState, stopped: Promise<undefined>, log: Logger) {
  const hurry = afterStop(stopped, config.DRAIN_DELAY_MS + HURRY_MS);
  const asking = { state, operator: operatorFor(config, log), hurry };
  return [
    { path: '/train', handler: trainRoutes({ ...asking, waitMs: config.TRAIN_WAIT_MS }) },
    { path: '/model/version', handler: versionRoutes({ ...asking, waitMs: config.VERSION_WAIT_MS }) },
  ];
}
