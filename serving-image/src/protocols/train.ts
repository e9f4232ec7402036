/** `POST /train` starts a run of the service's TrainingJob and answers with its result; `GET /train/<run id>` looks again. */
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { MAX_TRAIN_BYTES, type RunAnswer } from '@slipway/contract';
import { type Request, type Response, Router } from 'express';
import { typeName } from '../model/column.ts';
import { AbortedError, createBodyReader } from '../request/body.ts';
import { checkContent } from '../request/content.ts';
import { methodNotAllowed, overloaded, Refusal } from '../request/refusal.ts';
import type { ServerState } from '../request/state.ts';
import { invalid, parsedBody } from './fastapi.ts';
import { isObject, parseJson } from './json.ts';
import { isAway, type Operator, wantsAsync } from './operator-client.ts';

export interface TrainingOptions {
  readonly state: ServerState;
  /** Absent: spec.api names no TrainingJob. */
  readonly operator: Operator | undefined;
  /** How long a client is kept waiting for the result. */
  readonly waitMs: number;
  /** Fires while the process drains, when it is time to answer whoever still waits. */
  readonly hurry: AbortSignal;
}

/** Requests that wait for a result beyond this are refused with 429. */
const MAX_WAITING = 32;
/** How long one question to the operator may take: short enough that its end is noticed when the operator restarts. */
const WAIT_SECONDS = 10;
const PAUSE_MS = 1_000;

/** Mounted at /train. Throws Refusals for the app to word. */
export function trainRoutes({ state, operator, waitMs, hurry }: TrainingOptions): Router {
  const router = Router();
  const readBody = createBodyReader(MAX_TRAIN_BYTES, MAX_TRAIN_BYTES * MAX_WAITING, 'leave out what is no parameter');
  let waiting = 0;

  /** How the run goes when it has ended, or when there is no time left to wait. */
  async function outcome(asked: Operator, started: RunAnswer & { request_id: string }, until: AbortSignal) {
    let answer: RunAnswer = started;
    while (answer.status === 'RUNNING' && !until.aborted) {
      try {
        answer = await asked.run(started.request_id, { waitSeconds: WAIT_SECONDS, signal: until });
      } catch (error) {
        // The run goes on whoever is away; a client that still waits hears of its end, or where to look.
        if (!isAway(error)) throw error;
        await sleep(PAUSE_MS, undefined, { signal: until }).catch(() => {});
      }
    }
    return answer;
  }

  async function train(asked: Operator, request: Request, response: Response): Promise<void> {
    checkContent(request.headers, ['application/json']);
    const { bytes, release } = await readBody(request);
    try {
      const started = await asked.train(parametersIn(bytes), keyOf(request), traceOn(request, response));
      const isAsync = wantsAsync(request.headers);
      if (isAsync) response.set('preference-applied', 'respond-async');
      const gone = new AbortController();
      response.once('close', () => gone.abort());
      const until = AbortSignal.any([hurry, gone.signal, AbortSignal.timeout(isAsync ? 0 : waitMs)]);
      send(response, isAsync ? started : await outcome(asked, started, until));
    } finally {
      release();
    }
  }

  function send(response: Response, answer: RunAnswer): void {
    const { status, run_id, version, metrics, gate, error } = answer;
    const result = {
      ...(version !== undefined && { version }),
      ...(metrics && { metrics }),
      ...(gate && { gate }),
      ...(error && { error }),
    };
    if (state.isDraining) response.set('connection', 'close');
    if (status !== 'RUNNING') {
      response.json({ status, run_id, ...result });
      return;
    }
    const location = `/train/${run_id}`;
    response.status(202).set('location', location).json({ status, run_id, location });
  }

  router.post('/', async (request, response) => {
    const asked = operator ?? refuse();
    if (waiting >= MAX_WAITING) throw overloaded();
    waiting++;
    try {
      await train(asked, request, response);
    } catch (error) {
      if (!(error instanceof AbortedError)) throw error;
    } finally {
      waiting--;
    }
  });
  router.all('/', () => {
    throw methodNotAllowed('POST');
  });
  router.get('/:run', async ({ params }, response) => {
    const asked = operator ?? refuse();
    send(response, await asked.run(params.run, { waitSeconds: 0 }));
  });
  router.all('/:run', () => {
    throw methodNotAllowed('GET');
  });
  return router;
}

function refuse(): never {
  throw new Refusal(
    403,
    'This service starts no runs; set spec.api.trainingJob of the InferenceService to the name of a TrainingJob',
  );
}

/** The trace this answer belongs to, for the operator to carry on. */
function traceOn({ headers: { tracestate } }: Request, response: Response): Record<string, string> {
  const traceparent = response.getHeader('traceparent');
  if (typeof traceparent !== 'string') return {};
  return { traceparent, ...(typeof tracestate === 'string' && { tracestate }) };
}

/** The parameters as they were written; no body means none. */
function parametersIn(body: Buffer): string {
  if (body.length === 0) return '{}';
  const parsed = parsedBody(body, parseJson);
  if (isObject(parsed)) return body.toString('utf8');
  throw invalid(['body'], 'dict_type', `Input should be an object of parameters, got ${typeName(parsed)}`);
}

/** What the client calls this request, so that asking again does not train again; else a name nobody had before. */
function keyOf({ headers }: Request): string {
  const key = headers['idempotency-key'];
  if (typeof key !== 'string' || key === '') return randomUUID();
  if (key.length <= 255) return key;
  throw invalid(['header', 'Idempotency-Key'], 'string_too_long', 'The key should have at most 255 characters');
}
