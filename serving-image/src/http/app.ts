/** What is asked seldom: health, metadata, metrics. Predictions never come through here. */
import express, { type ErrorRequestHandler, type Express, type RequestHandler } from 'express';
import type { Logger } from '../log.ts';
import { detailOf } from '../protocols/fastapi.ts';
import { kserveV1Routes } from '../protocols/kserve-v1-metadata.ts';
import { openInferenceRoutes } from '../protocols/open-inference-metadata.ts';
import { afterBody } from '../request/body.ts';
import { asRefusal, methodNotAllowed, Refusal } from '../request/refusal.ts';
import { isReady, type ServerState } from '../request/state.ts';
import type { Tracking } from '../tracking.ts';
import type { Metrics } from './metrics.ts';

/** The version of the server itself, as `GET /v2` and `GET /version` name it. */
export const SERVER_VERSION = '0.1.0';

export interface Route {
  readonly path: string;
  readonly handler: RequestHandler;
}

export interface AppOptions {
  readonly state: ServerState;
  readonly metrics: Metrics;
  /** What else answers, each below its path. */
  readonly routes: readonly Route[];
  readonly log: Logger;
  /** How the registry is; absent: there is none. */
  readonly tracking?: () => Tracking;
}

export function createApp({ state, metrics, routes, log, tracking = () => 'disabled' }: AppOptions): Express {
  const app = express();
  app.disable('x-powered-by');
  app.disable('etag');
  const get = (path: string, handler: RequestHandler): void => {
    app.get(path, handler);
    app.all(path, () => {
      throw methodNotAllowed('GET');
    });
  };
  get('/livez', (_, response) => void response.json({ status: 'ok' }));
  get('/readyz', (_, response) => void response.status(isReady(state) ? 200 : 503).json({ status: phase(state) }));
  get('/health', (_, response) => void response.status(state.model ? 200 : 503).json(healthOf(state, tracking())));
  // What MLflow's own server answers to its clients and to SageMaker's probes.
  get(
    '/ping',
    (_, response) =>
      void response
        .status(isReady(state) ? 200 : 503)
        .type('json')
        .send('\n'),
  );
  get('/version', (_, response) => void response.type('text/plain').send(SERVER_VERSION));
  get('/metrics', async (_, response) => {
    const text = await metrics.registry.metrics();
    response.set('content-type', metrics.registry.contentType).send(text);
  });
  app.use('/v1', kserveV1Routes(state), errorsAs('error', log));
  app.use('/v2', openInferenceRoutes(state, SERVER_VERSION), errorsAs('error', log));
  for (const { path, handler } of routes) app.use(path, handler);
  app.use(() => {
    throw new Refusal(404, 'Not found');
  });
  app.use(errorsAs('detail', log));
  return app;
}

const phase = (state: ServerState): string => (state.isDraining ? 'draining' : state.model ? 'ok' : 'loading');

function healthOf(state: ServerState, tracking: Tracking): object {
  const { name, version, digest } = state.identity;
  return {
    status: phase(state),
    model_name: name,
    model_version: version,
    version,
    model_uri: `models:/${name}/${version}`,
    model_loaded: state.model !== undefined,
    sha256: digest,
    ...(state.model && { engine: state.model.engine, engine_reason: state.model.engineReason }),
    uptime_seconds: Math.round(state.uptime()),
    tracking,
  };
}

/** Answers anything thrown as `{"error": message}` or `{"detail": …}`, as FastAPI does; what is not the client's fault is logged with the request id. */
export function errorsAs(key: 'error' | 'detail', log: Logger): ErrorRequestHandler {
  return (error, request, response, _next) => {
    const requestId = String(response.getHeader('x-request-id'));
    const isBadPath = error instanceof URIError;
    const refusal = isBadPath ? new Refusal(404, 'Not found') : asRefusal(error, requestId);
    if (refusal.status >= 500 && !(error instanceof Refusal))
      log.error({ requestId, err: error, path: request.path }, 'request failed');
    afterBody(request, () => {
      // What is left of a body nobody will read must not be taken for the next request.
      if (!request.complete) response.set('connection', 'close');
      response
        .status(refusal.status)
        .set(refusal.headers)
        .json(key === 'detail' ? { detail: detailOf(refusal) } : { error: refusal.message });
    });
  };
}
