/**
 * The control API over HTTP. A request goes: route → method → token → whose pod → room → body → the work → JSON; each step
 * has its refusal, and a client never sees more of a fault of ours than that there was one.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import {
  MAX_TRAIN_BYTES,
  MAX_WAIT_SECONDS,
  RUNS_PATH,
  TRAIN_PATH,
  TrainRequest,
  VERSION_PATH,
  VersionRequest,
} from '@slipway/contract';
import { DatabaseUnavailableError, UnclaimedNamespaceError } from '@slipway/database';
import type { z } from 'zod';
import type { InferenceService } from '../controllers/inference-service/api.ts';
import { KubeError } from '../kube/errors.ts';
import { UnreadableObjectError } from '../kube/object-cache.ts';
import type { Logger } from '../runtime/reconcile.ts';
import type { Control } from './control.ts';
import { ControlRefusal, conflict, notFound, tooMany, unauthorized, unavailable } from './refusal.ts';
import type { VersionControl } from './versions.ts';
import { createRoom, whenEnded } from './wait.ts';

export interface HandlerOptions {
  readonly control: Control;
  readonly versions: VersionControl;
  /** Whose pod the token belongs to; throws ControlRefusal 401 or 403. */
  readonly callerOf: (token: string) => Promise<InferenceService>;
  /** What this process still waits for before it can answer; empty: nothing. */
  readonly missing: () => readonly string[];
  /** Fires when the process is to end: whoever waits is answered at once. */
  readonly stopping: AbortSignal;
  readonly log: Logger;
  readonly onAnswer: (route: string, status: number) => void;
}

/** What may be in work at once, waiting requests among them; one namespace cannot take it all. */
const ROOM = { total: 256, perKey: 96 };
/** The parameters and what stands around them. */
const MAX_BODY_BYTES = MAX_TRAIN_BYTES + 64;
const BEARER = /^Bearer ([\w.~+/=-]{1,8192})$/i;

interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly url: URL;
}

interface Answer {
  readonly status: number;
  readonly body: object;
}

interface Route {
  /** A label from a fixed set. */
  readonly name: 'train' | 'runs' | 'version' | 'other';
  readonly methods: readonly string[];
}

const routeOf = (path: string): Route | undefined => {
  if (path === TRAIN_PATH) return { name: 'train', methods: ['POST'] };
  if (path === VERSION_PATH) return { name: 'version', methods: ['GET', 'POST'] };
  return path.startsWith(`${RUNS_PATH}/`) ? { name: 'runs', methods: ['GET'] } : undefined;
};

/** Answers everything below /control/v1/. Never throws. */
export function controlHandler(options: HandlerOptions): (request: IncomingMessage, response: ServerResponse) => void {
  const { control, versions, callerOf, missing, stopping, log, onAnswer } = options;
  const room = createRoom(ROOM);

  async function work(route: Route, exchange: Exchange): Promise<Answer> {
    const { request, url } = exchange;
    const service = await callerOf(tokenOf(request));
    const { namespace } = service.metadata;
    if (!room.enter(namespace)) throw tooMany('too many requests are waiting for runs and versions: try again');
    try {
      if (route.name === 'train') return await train(service, request);
      return route.name === 'version' ? await version(service, exchange) : await run(service, url, exchange);
    } finally {
      room.leave(namespace);
    }
  }

  async function train(service: InferenceService, request: IncomingMessage): Promise<Answer> {
    const { parameters } = trainRequest(await bodyOf(request));
    const key = request.headers['idempotency-key'];
    const idempotencyKey = Array.isArray(key) ? key[0] : key;
    return { status: 202, body: await control.train(service, { parameters, idempotencyKey }) };
  }

  async function run(service: InferenceService, url: URL, { response }: Exchange): Promise<Answer> {
    const id = url.pathname.slice(RUNS_PATH.length + 1);
    const body = await whenEnded(() => control.run(service, id), 'RUNNING', patienceOf(url, response));
    return { status: 200, body };
  }

  async function version(service: InferenceService, { request, response, url }: Exchange): Promise<Answer> {
    if (request.method === 'POST') {
      const { version: wanted } = versionRequest(await bodyOf(request));
      return { status: 202, body: await versions.switchTo(service, wanted) };
    }
    const token = tokenOf(request);
    const generation = Number(url.searchParams.get('generation') ?? 0);
    const least = Number.isSafeInteger(generation) ? generation : 0;
    // The object as it is at each look, not as it was when the question came.
    const look = async () => versions.current(await callerOf(token), least);
    return { status: 200, body: await whenEnded(look, 'ROLLING_OUT', patienceOf(url, response)) };
  }

  /** For how long this client is kept waiting. */
  function patienceOf(url: URL, response: ServerResponse): { ms: number; signal: AbortSignal } {
    const ms = waitOf(url) * 1000;
    // It would be answered at once, and ask again at once.
    if (ms > 0 && stopping.aborted) throw unavailable('the operator is stopping: try again');
    const gone = new AbortController();
    response.once('close', () => gone.abort());
    return { ms, signal: AbortSignal.any([gone.signal, stopping]) };
  }

  function refusalFor(error: unknown, route: string): ControlRefusal {
    if (error instanceof ControlRefusal) return error;
    if (error instanceof DatabaseUnavailableError) return unavailable(error.message);
    if (error instanceof UnreadableObjectError) return conflict(error.message);
    if (error instanceof UnclaimedNamespaceError)
      return unavailable('the namespace has no place in Postgres yet: try again');
    if (error instanceof KubeError) {
      log.warn({ error, route }, 'the API server could not be asked');
      return unavailable('the API server does not answer as it should: try again');
    }
    log.error({ error, route }, 'a control request failed');
    return new ControlRefusal(500, "internal error: the operator's log has more");
  }

  async function answer(route: Route | undefined, exchange: Exchange): Promise<void> {
    const { request, response, url } = exchange;
    const name = route?.name ?? 'other';
    try {
      if (!route)
        throw notFound(`not found: there are POST ${TRAIN_PATH}, GET ${RUNS_PATH}/<id>, GET and POST ${VERSION_PATH}`);
      if (!route.methods.includes(request.method ?? '')) {
        const allow = route.methods.join(', ');
        throw new ControlRefusal(405, `only ${allow} is answered at ${url.pathname}`, { allow });
      }
      const [unmet] = missing();
      if (unmet !== undefined) throw unavailable(`the operator is not ready: ${unmet}`);
      const { status, body } = await work(route, exchange);
      send(exchange, status, body);
    } catch (error) {
      const { status, detail, headers } = refusalFor(error, name);
      send(exchange, status, { detail }, headers);
    }
    onAnswer(name, response.statusCode);
  }

  return (request, response) => {
    const url = new URL(request.url ?? '/', 'http://operator');
    void answer(routeOf(url.pathname), { request, response, url });
  };
}

function send(
  { request, response }: Exchange,
  status: number,
  body: object,
  headers: Record<string, string> = {},
): void {
  if (response.destroyed) return;
  // What is left of a body nobody will read must not be taken for the next request.
  const connection = request.complete ? {} : { connection: 'close' };
  const type = { 'content-type': 'application/json', 'cache-control': 'no-store' };
  response.writeHead(status, { ...type, ...headers, ...connection });
  response.end(`${JSON.stringify(body)}\n`);
}

function tokenOf({ headers }: IncomingMessage): string {
  const token = BEARER.exec(headers.authorization ?? '')?.[1];
  if (token === undefined) throw unauthorized('no token: send Authorization: Bearer <token of the pod>');
  return token;
}

/** Seconds a client will wait; what is no number is none. */
function waitOf(url: URL): number {
  const wait = Number(url.searchParams.get('wait') ?? 0);
  return Number.isFinite(wait) ? Math.min(Math.max(wait, 0), MAX_WAIT_SECONDS) : 0;
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  const tooLarge = new ControlRefusal(413, `the body is larger than ${MAX_BODY_BYTES} bytes`);
  if (Number(request.headers['content-length'] ?? 0) > MAX_BODY_BYTES) throw tooLarge;
  const chunks: Buffer[] = [];
  let size = 0;
  // The response still has to go out on this connection: the stream is left as it is.
  for await (const chunk of request.iterator({ destroyOnReturn: false })) {
    size += (chunk as Buffer).length;
    if (size > MAX_BODY_BYTES) throw tooLarge;
    chunks.push(chunk as Buffer);
  }
  return Buffer.concat(chunks).toString();
}

const trainRequest = (text: string): TrainRequest => parsedAs(TrainRequest, text, '{"parameters": {…}}');
const versionRequest = (text: string): { version?: unknown } => parsedAs(VersionRequest, text, '{"version": "2"}');

/** Throws 400 naming what was expected. */
function parsedAs<T>(schema: z.ZodType<T>, text: string, expected: string): T {
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    throw new ControlRefusal(400, `the body is not JSON: send ${expected}`);
  }
  const parsed = schema.safeParse(body);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new ControlRefusal(400, `the body is not ${expected}: ${issue?.path.join('.')} ${issue?.message}`);
}
