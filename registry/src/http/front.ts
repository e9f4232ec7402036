/** The first to see a request: names it, finds who answers it, turns what is thrown into an answer, counts it. */
import { randomUUID } from 'node:crypto';
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import type { Logger } from 'pino';
import { answerFor } from '../errors.ts';
import type { Metrics } from '../metrics.ts';
import { type Area, CHALLENGE, type Exchange, sendJson, tenantOf } from './exchange.ts';

export interface FrontOptions {
  readonly areas: readonly Area[];
  /** Answers everything the areas do not own; it sees the path below the namespace and counts by itself. */
  readonly otherwise: RequestListener;
  readonly defaultNamespace: string;
  readonly metrics: Metrics;
  readonly log: Logger;
}

const SHORT_BODY = 1024 * 1024;
/** How a request whose client went away before the answer is counted. */
const CLIENT_GONE = 499;

const methods = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']);

/**
 * What is left of a body nobody wants must not be taken for the next request: a short one is read to its end, so that the
 * connection lives on and the answer arrives; for one that does not come nobody waits.
 */
function leaveBody(request: IncomingMessage, response: ServerResponse, status: number): void {
  if (status !== 408 && Number(request.headers['content-length']) <= SHORT_BODY) request.resume();
  else if (!request.complete) response.setHeader('connection', 'close');
}

/** The listener of the registry's HTTP server. */
export function createFront({ areas, otherwise, defaultNamespace, metrics, log }: FrontOptions): RequestListener {
  async function answer(area: Area, exchange: Exchange): Promise<void> {
    try {
      await area.answer(exchange);
    } catch (error) {
      refuse(exchange, error);
    }
  }

  function refuse({ request, response, requestId, route }: Exchange, error: unknown): void {
    // Who has gone away is told nothing, and nothing went wrong here.
    if (request.destroyed && !request.complete) return void response.destroy();
    const { status, body } = answerFor(error, requestId);
    if (status >= 500) log.error({ requestId, method: request.method, route, err: error }, 'request failed');
    // Too late to say so: a body that breaks off is what the client can notice.
    if (response.headersSent) return void response.destroy();
    if (response.destroyed) return;
    if (status === 401) response.setHeader('www-authenticate', CHALLENGE);
    leaveBody(request, response, status);
    sendJson(response, status, body);
  }

  return (request: IncomingMessage, response: ServerResponse) => {
    const tenant = tenantOf(request.url ?? '/', defaultNamespace);
    const area = areas.find((candidate) => candidate.owns(tenant.path));
    if (!area) {
      request.url = tenant.query === '' ? tenant.path : `${tenant.path}?${tenant.query}`;
      return otherwise(request, response);
    }
    const started = performance.now();
    const requestId = randomUUID();
    const exchange: Exchange = { request, response, ...tenant, requestId, route: 'unknown' };
    response.setHeader('x-request-id', requestId);
    response.on('close', () => {
      const { method = '' } = request;
      const seconds = (performance.now() - started) / 1000;
      const { route } = exchange;
      const status = response.headersSent ? response.statusCode : CLIENT_GONE;
      metrics.observe({ method: methods.has(method) ? method : 'other', route, status, seconds });
    });
    void answer(area, exchange);
  };
}
