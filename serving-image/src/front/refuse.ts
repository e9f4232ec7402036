import type { IncomingMessage, ServerResponse } from 'node:http';
import { detailOf } from '../protocols/fastapi.ts';
import { afterBody } from '../request/body.ts';
import { asRefusal } from '../request/refusal.ts';

/** Answers what the server behind does not: as KServe's clients read it below /v1 and /v2, else as FastAPI's do. */
export function refuse(request: IncomingMessage, response: ServerResponse, error: unknown): void {
  const refusal = asRefusal(error, String(response.getHeader('x-request-id')));
  const isKServe = /^\/v[12](\/|$|\?)/.test(request.url ?? '/');
  const body = JSON.stringify(isKServe ? { error: refusal.message } : { detail: detailOf(refusal) });
  afterBody(request, () => {
    if (response.headersSent || response.destroyed) return;
    // What is left of a body nobody will read must not be taken for the next request.
    if (!request.complete) response.setHeader('connection', 'close');
    response.writeHead(refusal.status, { ...refusal.headers, 'content-type': 'application/json' }).end(body);
  });
}
