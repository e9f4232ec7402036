/**
 * HTTP to the API server: client-node loads the configuration and authenticates, one keep-alive agent keeps the
 * connections (client-node's own clients open a new TLS connection for every call).
 */
import http from 'node:http';
import https from 'node:https';
import type { TLSSocket } from 'node:tls';
import type { KubeConfig } from '@kubernetes/client-node';
import { errorOfResponse, KubeError, unreachable } from './errors.ts';

export interface KubeRequest {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  readonly path: string;
  readonly query?: Readonly<Record<string, string | undefined>>;
  readonly body?: unknown;
  /** `application/json` when absent. */
  readonly contentType?: string;
  /** `application/json` when absent. What comes has to be JSON all the same. */
  readonly accept?: string;
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
  /** Called right before the first byte is sent, on a connection that stands; throwing sends nothing. */
  readonly guard?: () => void;
}

export interface Transport {
  /** The parsed answer. Throws KubeError, or what the guard threw. */
  json(request: KubeRequest): Promise<unknown>;
  /** A long answer, line by line. Throws KubeError when nothing has come for `idleMs`. */
  lines(request: KubeRequest & { readonly idleMs: number }): AsyncGenerator<string, void>;
  /** Closes idle connections. */
  close(): void;
}

const MAX_LINE = 32 * 1024 * 1024;
const RESPONSE_TIMEOUT_MS = 30_000;

type Credentials = Pick<https.RequestOptions, 'ca' | 'cert' | 'key' | 'rejectUnauthorized' | 'servername'>;
const sameCredentials = (a: Credentials, b: Credentials): boolean =>
  `${a.ca}\n${a.cert}\n${a.key}` === `${b.ca}\n${b.cert}\n${b.key}`;

/** One agent for as long as the credentials stay the same; a rotated certificate gets a new one. */
function agentCache(secure: boolean) {
  let current: { readonly credentials: Credentials; readonly agent: http.Agent } | undefined;
  const settings = { keepAlive: true, keepAliveMsecs: 15_000, maxFreeSockets: 8, scheduling: 'lifo' } as const;
  return {
    agentFor(options: https.RequestOptions): http.Agent {
      const { ca, cert, key, rejectUnauthorized, servername } = options;
      const credentials = Object.fromEntries(
        Object.entries({ ca, cert, key, rejectUnauthorized, servername }).filter(([, value]) => value !== undefined),
      ) as Credentials;
      if (!current || !sameCredentials(current.credentials, credentials)) {
        current?.agent.destroy();
        current = {
          credentials,
          agent: secure ? new https.Agent({ ...settings, ...credentials }) : new http.Agent(settings),
        };
      }
      return current.agent;
    },
    close: () => current?.agent.destroy(),
  };
}

const encodeQuery = (query: KubeRequest['query'] = {}): string => {
  const given = Object.entries(query).filter((entry): entry is [string, string] => entry[1] !== undefined);
  return given.length === 0 ? '' : `?${new URLSearchParams(given)}`;
};

/** Sends once the connection stands, so that the guard's word is not older than the bytes. */
function sendWhenConnected(request: http.ClientRequest, body: string | undefined, guard: () => void): void {
  request.once('socket', (socket) => {
    const send = () => {
      try {
        guard();
        request.end(body);
      } catch (error) {
        request.destroy(error as Error);
      }
    };
    const { secureConnecting } = socket as TLSSocket & { secureConnecting?: boolean };
    if (socket.connecting || secureConnecting) socket.once('encrypted' in socket ? 'secureConnect' : 'connect', send);
    else send();
  });
}

async function bodyOf(response: http.IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}

function parsed(text: string): unknown {
  try {
    return text === '' ? undefined : JSON.parse(text);
  } catch (error) {
    throw unreachable('the API server answered something that is not JSON', error);
  }
}

async function refusalOf(response: http.IncomingMessage): Promise<KubeError> {
  const text = await bodyOf(response);
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    // A proxy's own error page: the status code says enough.
  }
  return errorOfResponse(response.statusCode ?? 0, body, response.headers['retry-after']);
}

/** The complete lines of an answer. */
async function* split(response: http.IncomingMessage, onData: () => void): AsyncGenerator<string, void> {
  response.setEncoding('utf8');
  let rest = '';
  for await (const chunk of response) {
    onData();
    const parts = `${rest}${chunk as string}`.split('\n');
    rest = parts.pop() as string;
    if (rest.length > MAX_LINE) throw unreachable('a line of the watch is longer than 32 MiB');
    for (const line of parts) if (line !== '') yield line;
  }
  if (rest !== '') throw unreachable('the watch ended in the middle of a line');
}

/** Connections to the current cluster of `config`. */
export function openTransport(config: KubeConfig, options: { readonly userAgent: string }): Transport {
  const cluster = config.getCurrentCluster();
  if (!cluster) throw new Error('the kubeconfig names no current cluster');
  const server = new URL(cluster.server);
  const secure = server.protocol === 'https:';
  const agents = agentCache(secure);

  async function authenticated(): Promise<https.RequestOptions> {
    const auth: https.RequestOptions = {};
    await config.applyToHTTPSOptions(auth);
    // client-node's agent is right for a proxy only: it closes every connection after one request.
    const agent = cluster?.proxyUrl ? auth.agent : agents.agentFor(auth);
    return { agent, headers: { ...(auth.headers as object), 'user-agent': options.userAgent } };
  }

  /** Resolves with the head of a successful answer. `abort` ends the exchange at any time. */
  async function open(request: KubeRequest, abort: AbortController): Promise<http.IncomingMessage> {
    const auth = await authenticated();
    const body = request.body === undefined ? undefined : JSON.stringify(request.body);
    const { accept = 'application/json' } = request;
    const headers: http.OutgoingHttpHeaders = { ...(auth.headers as object), accept };
    if (body !== undefined) {
      headers['content-type'] = request.contentType ?? 'application/json';
      headers['content-length'] = Buffer.byteLength(body);
    }
    const path = `${server.pathname.replace(/\/$/, '')}${request.path}${encodeQuery(request.query)}`;
    const response = await new Promise<http.IncomingMessage>((resolve, reject) => {
      const sent = (secure ? https : http).request({
        ...(auth.agent === undefined ? {} : { agent: auth.agent }),
        host: server.hostname.replace(/^\[|\]$/g, ''),
        port: server.port || (secure ? 443 : 80),
        method: request.method,
        path,
        headers,
        signal: abort.signal,
      });
      sent.on('response', resolve).on('error', reject);
      sendWhenConnected(sent, body, request.guard ?? (() => {}));
    });
    if ((response.statusCode ?? 0) < 400) return response;
    throw await refusalOf(response);
  }

  /** Runs an exchange that ends when the caller's signal fires; every failure leaves as a KubeError. */
  function exchange(request: KubeRequest) {
    const abort = new AbortController();
    const onAbort = () => abort.abort(request.signal?.reason);
    request.signal?.addEventListener('abort', onAbort, { once: true });
    if (request.signal?.aborted) onAbort();
    let guardError: unknown;
    const guard = () => {
      try {
        request.guard?.();
      } catch (error) {
        guardError = error;
        throw error;
      }
    };
    const failure = (error: unknown): unknown => {
      if (error instanceof KubeError || (guardError !== undefined && error === guardError)) return error;
      const cause = abort.signal.aborted ? abort.signal.reason : error;
      if (cause instanceof KubeError) return cause;
      const code = (cause as { code?: unknown } | undefined)?.code;
      return unreachable(`the API server cannot be reached (${typeof code === 'string' ? code : 'no answer'})`, cause);
    };
    const finish = () => request.signal?.removeEventListener('abort', onAbort);
    return { abort, guarded: { ...request, guard }, failure, finish };
  }

  async function json(request: KubeRequest): Promise<unknown> {
    const { abort, guarded, failure, finish } = exchange(request);
    const limit = request.timeoutMs ?? RESPONSE_TIMEOUT_MS;
    const timer = setTimeout(() => abort.abort(unreachable(`the API server did not answer for ${limit} ms`)), limit);
    try {
      return parsed(await bodyOf(await open(guarded, abort)));
    } catch (error) {
      throw failure(error);
    } finally {
      clearTimeout(timer);
      finish();
    }
  }

  async function* lines(request: KubeRequest & { idleMs: number }): AsyncGenerator<string, void> {
    const { abort, guarded, failure, finish } = exchange(request);
    const { idleMs } = request;
    const timer = setTimeout(() => abort.abort(unreachable(`nothing was heard for ${idleMs} ms`)), idleMs);
    try {
      const response = await open(guarded, abort);
      yield* split(response, () => timer.refresh());
    } catch (error) {
      throw failure(error);
    } finally {
      clearTimeout(timer);
      finish();
      abort.abort();
    }
  }

  return { json, lines, close: agents.close };
}
