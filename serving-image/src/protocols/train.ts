/** `POST /train` starts a run of the service's TrainingJob and answers with its result; `GET /train/<run id>` looks again. */
import { randomUUID } from 'node:crypto';
import { MAX_TRAIN_BYTES, type RunAnswer } from '@slipway/contract';
import { type Request, type Response, Router } from 'express';
import { typeName } from '../model/column.ts';
import { createBodyReader } from '../request/body.ts';
import { checkContent } from '../request/content.ts';
import { methodNotAllowed, Refusal } from '../request/refusal.ts';
import type { ServerState } from '../request/state.ts';
import { invalid, parsedBody } from './fastapi.ts';
import { isObject, parseJson } from './json.ts';
import type { Operator, Patience } from './operator-client.ts';
import { MAX_WAITING, outcomeFor, type PatienceOptions, waitingRoom } from './patience.ts';

export interface TrainingOptions extends PatienceOptions {
  readonly state: ServerState;
  /** Absent: spec.api names no TrainingJob. */
  readonly operator: Operator | undefined;
}

/** Mounted at /train. Throws Refusals for the app to word. */
export function trainRoutes({ state, operator, ...patience }: TrainingOptions): Router {
  const router = Router();
  const readBody = createBodyReader(MAX_TRAIN_BYTES, MAX_TRAIN_BYTES * MAX_WAITING, 'leave out what is no parameter');
  const inRoom = waitingRoom();

  async function train(asked: Operator, request: Request, response: Response): Promise<void> {
    checkContent(request.headers, ['application/json']);
    const { bytes, release } = await readBody(request);
    try {
      const started = await asked.train(parametersIn(bytes), keyOf(request), traceOn(request, response));
      const look = (each: Patience) => asked.run(started.request_id, each);
      send(response, await outcomeFor<RunAnswer>({ request, response }, patience, { started, going: 'RUNNING', look }));
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
    await inRoom(() => train(asked, request, response));
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
