import { randomUUID } from 'node:crypto';
import type { RegistryReader } from '@slipway/database';
import express, { type ErrorRequestHandler, type Express, type RequestHandler } from 'express';
import type { Logger } from 'pino';
import { ApiError, answerFor } from './errors.ts';
import { type Admit, CHALLENGE } from './http/exchange.ts';
import type { Metrics } from './metrics.ts';
import { readApi } from './read-api/read-api.ts';
import type { Readiness } from './readiness.ts';
import { MLFLOW_VERSION } from './version.ts';

export interface AppOptions {
  readonly reader: RegistryReader;
  readonly admit: Admit;
  readonly readiness: Readiness;
  readonly metrics: Metrics;
  readonly log: Logger;
}

const methods = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']);

/** Counts, times and names every request: the id goes back to the client and into the log. */
const observed =
  ({ metrics }: AppOptions): RequestHandler =>
  (request, response, next) => {
    const started = performance.now();
    response.locals['requestId'] = randomUUID();
    response.setHeader('x-request-id', response.locals['requestId']);
    response.on('finish', () => {
      const route = request.route
        ? `${request.baseUrl ? '/api/v1/namespaces/:namespace' : ''}${request.route.path}`
        : '';
      metrics.observe({
        method: methods.has(request.method) ? request.method : 'other',
        route: route || 'unknown',
        status: response.statusCode,
        seconds: (performance.now() - started) / 1000,
      });
    });
    next();
  };

function healthRoutes({ readiness, metrics }: AppOptions): express.Router {
  const routes = express.Router();
  routes.get(['/health', '/livez'], (_request, response) => void response.type('text/plain').send('OK'));
  routes.get('/version', (_request, response) => void response.type('text/plain').send(MLFLOW_VERSION));
  routes.get('/readyz', async (_request, response) => {
    const problem = await readiness.problem();
    metrics.dependency(problem === undefined);
    response
      .status(problem === undefined ? 200 : 503)
      .type('text/plain')
      .send(problem ?? 'OK');
  });
  routes.get('/metrics', async (_request, response) => {
    response.setHeader('content-type', metrics.registry.contentType);
    response.send(await metrics.registry.metrics());
  });
  return routes;
}

const answerErrors =
  ({ log }: AppOptions): ErrorRequestHandler =>
  (error, request, response, next) => {
    if (response.headersSent) return next(error);
    const requestId = String(response.locals['requestId']);
    const { status, body } = answerFor(error, requestId);
    if (status >= 500) log.error({ requestId, method: request.method, err: error }, 'request failed');
    if (status === 401) response.setHeader('www-authenticate', CHALLENGE);
    response.status(status).json(body);
  };

/** The registry over HTTP. Every answer that is not 2xx is `{"error_code", "message"}`, but those of probes, which are text. */
export function createApp(options: AppOptions): Express {
  const app = express();
  app.disable('x-powered-by');
  app.set('query parser', 'simple');
  app.use(observed(options));
  app.use(healthRoutes(options));
  app.use('/api/v1', readApi(options.reader, options.admit));
  app.use(() => {
    throw new ApiError(
      'ENDPOINT_NOT_FOUND',
      'There is no such endpoint: /api/v1/namespaces/{namespace}/models is one.',
    );
  });
  app.use(answerErrors(options));
  return app;
}
