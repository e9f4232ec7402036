/** What is answered in front of the server: health, metrics, versions, training. All else is handed on. */
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import express, { type Express, type RequestHandler } from 'express';
import { errorsAs, type Route } from '../http/app.ts';
import type { Metrics } from '../http/metrics.ts';
import type { Authorize } from '../http/options.ts';
import type { Logger } from '../log.ts';
import { methodNotAllowed, Refusal } from '../request/refusal.ts';
import { isReady, type ServerState } from '../request/state.ts';
import type { Tracking } from '../tracking.ts';
import { refuse } from './refuse.ts';

export interface FrontAppOptions {
  readonly state: ServerState;
  readonly metrics: Pick<Metrics, 'registry'>;
  /** False: the server behind is to be restarted. */
  readonly isAlive: () => boolean;
  readonly protocol: string;
  /** What else is answered here, each below its path. */
  readonly routes: readonly Route[];
  readonly forward: RequestListener;
  /** Who may ask; absent: everybody. */
  readonly authorize?: Authorize;
  readonly tracking: () => Tracking;
  readonly log: Logger;
}

/** Asked by the kubelet on behalf of the server's container. A query, because nothing below /livez is open to all. */
export const SERVER_LIVENESS = '/livez?server';
/** What whoever has no credentials may ask of the server. */
const OPEN = new Set(['/ping', '/v2/health/live', '/v2/health/ready']);
export function createFrontApp(options: FrontAppOptions): RequestListener {
  const { routes, forward, authorize } = options;
  const own = createOwn(options);
  const paths = new Set(['/livez', '/readyz', '/health', '/metrics']);
  const isOwn = (path: string): boolean =>
    paths.has(path) || routes.some((route) => path === route.path || path.startsWith(`${route.path}/`));
  return (request, response) => {
    const path = (request.url ?? '/').split('?', 1)[0] as string;
    if (isOwn(path)) own(request, response);
    // Asked once more: what the HTTP server lets pass (a page, a question of a browser) tells nothing, but in a server of ours.
    else if (authorize && !OPEN.has(path)) {
      void asked(authorize, request, response).then((may) => may && forward(request, response));
    } else forward(request, response);
  };
}

async function asked(authorize: Authorize, request: IncomingMessage, response: ServerResponse): Promise<boolean> {
  try {
    const refusal = await authorize(request);
    if (!refusal) return true;
    refuse(request, response, refusal);
  } catch (error) {
    refuse(request, response, error);
  }
  return false;
}

function createOwn({ state, metrics, isAlive, protocol, routes, tracking, log }: FrontAppOptions): Express {
  const app = express();
  app.disable('x-powered-by');
  app.disable('etag');
  const get = (path: string, handler: RequestHandler): void => {
    app.get(path, handler);
    app.all(path, () => {
      throw methodNotAllowed('GET');
    });
  };
  get('/livez', (request, response) => {
    const isFine = request.url !== SERVER_LIVENESS || isAlive();
    response.status(isFine ? 200 : 503).json({ status: isFine ? 'ok' : 'silent' });
  });
  get('/readyz', (_, response) => void response.status(isReady(state) ? 200 : 503).json({ status: phase(state) }));
  get('/health', (_, response) => {
    const { name, version, digest } = state.identity;
    response.status(state.model ? 200 : 503).json({
      status: phase(state),
      model_name: name,
      model_version: version,
      version,
      model_uri: `models:/${name}/${version}`,
      model_loaded: state.model !== undefined,
      sha256: digest,
      engine: 'runtime',
      protocol,
      uptime_seconds: Math.round(state.uptime()),
      tracking: tracking(),
    });
  });
  get('/metrics', async (_, response) => {
    response.set('content-type', metrics.registry.contentType).send(await metrics.registry.metrics());
  });
  for (const { path, handler } of routes) app.use(path, handler);
  app.use(() => {
    throw new Refusal(404, 'Not found');
  });
  app.use(errorsAs('detail', log));
  return app;
}

const phase = (state: ServerState): string => (state.isDraining ? 'draining' : state.model ? 'ok' : 'loading');
