/** One request on its way through the registry. */
import type { IncomingMessage, ServerResponse } from 'node:http';

/** Who asks. `runId` is set for the token of one training run: its holder writes to that run only. */
export interface Caller {
  readonly name: string;
  readonly runId?: string | undefined;
}

export type Access = 'read' | 'write';

export interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** The tenant the path speaks for. */
  readonly namespace: string;
  /** The path below `/n/<namespace>`, as it was sent: still percent-encoded. */
  readonly path: string;
  /** The query string without its question mark. */
  readonly query: string;
  /** Sent back as x-request-id and logged with what goes wrong. */
  readonly requestId: string;
  /** Set by whoever answers, for metrics: a pattern, never a path that was asked for. */
  route: string;
}

/** A part of the registry that answers a family of paths itself, without express. Throws ApiError to refuse. */
export interface Area {
  /** True when the path (below the namespace) is this area's to answer. */
  owns(path: string): boolean;
  answer(exchange: Exchange): Promise<void>;
}

/**
 * Lets the sender of a request in, or throws ApiError (401, 403, 404 for a namespace that is none) with the next step.
 * Resolves only when the namespace may hold data.
 */
export type Admit = (exchange: Pick<Exchange, 'request' | 'namespace'>, access: Access) => Promise<Caller>;

/** What a 401 says about how to come back. */
export const CHALLENGE = 'Bearer, Basic realm="slipway"';

const TENANT = /^\/n\/([^/?]*)(.*)$/;

/** `/n/team-a/api/…?x=1` → team-a, /api/…, x=1; without the prefix it is the default namespace that is spoken for. */
export function tenantOf(url: string, defaultNamespace: string): { namespace: string; path: string; query: string } {
  const mark = url.indexOf('?');
  const [whole, query] = mark < 0 ? [url, ''] : [url.slice(0, mark), url.slice(mark + 1)];
  const match = TENANT.exec(whole);
  if (!match) return { namespace: defaultNamespace, path: whole, query };
  return { namespace: match[1] as string, path: (match[2] as string) || '/', query };
}

/** Sends a JSON body. MLflow clients count nothing but 200 as success. */
export function sendJson(response: ServerResponse, status: number, body: object): void {
  const text = JSON.stringify(body);
  response.writeHead(status, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) });
  response.end(text);
}
