/**
 * `GET /model/version` tells what answers, `POST /model/version` asks for another version. The switch changes the
 * InferenceService, so that it reaches all replicas and outlives them; this process only asks and waits.
 */
import type { VersionAnswer } from '@slipway/contract';
import { type Request, type Response, Router } from 'express';
import { typeName } from '../model/column.ts';
import { createBodyReader } from '../request/body.ts';
import { checkContent } from '../request/content.ts';
import { methodNotAllowed, notReady, Refusal } from '../request/refusal.ts';
import type { ServerState } from '../request/state.ts';
import { invalid, parsedBody } from './fastapi.ts';
import { isObject, parseJson } from './json.ts';
import { type Operator, type Patience, shortened } from './operator-client.ts';
import { MAX_WAITING, outcomeFor, type PatienceOptions, waitingRoom } from './patience.ts';

export interface VersionOptions extends PatienceOptions {
  readonly state: ServerState;
  /** Absent: spec.api does not allow the switch. */
  readonly operator: Operator | undefined;
}

const MAX_BODY_BYTES = 4096;
const PATH = '/model/version';

/** Mounted at /model/version. Throws Refusals for the app to word. */
export function versionRoutes({ state, operator, ...patience }: VersionOptions): Router {
  const router = Router();
  const readBody = createBodyReader(MAX_BODY_BYTES, MAX_BODY_BYTES * MAX_WAITING, 'send {"version": "2"}');
  const inRoom = waitingRoom();

  async function change(asked: Operator, request: Request, response: Response): Promise<void> {
    checkContent(request.headers, ['application/json']);
    const { bytes, release } = await readBody(request);
    try {
      const started = await asked.switchTo(versionIn(bytes));
      const look = (each: Patience) => asked.version({ generation: started.generation, ...each });
      send(response, await outcomeFor({ request, response }, patience, { started, going: 'ROLLING_OUT', look }));
    } finally {
      release();
    }
  }

  function send(response: Response, { status, requested, version, error }: VersionAnswer): void {
    if (state.isDraining) response.set('connection', 'close');
    if (status === 'FAILED')
      throw new Refusal(409, shortened(`Version ${requested} does not answer: ${error?.message}`));
    if (status === 'ROLLING_OUT' || version === undefined) {
      response.status(202).set('location', PATH).json({ status: 'ROLLING_OUT', requested, location: PATH });
      return;
    }
    response.json(describe(state, String(version), requested));
  }

  router.get('/', async (_, response) => {
    if (!state.model) throw notReady();
    response.json(describe(state, state.identity.version, await requestedNow(operator)));
  });
  router.post('/', async (request, response) => {
    if (!operator) {
      throw new Refusal(
        403,
        'This service lets no client switch its version; set spec.api.allowVersionSwitch of the InferenceService to true',
      );
    }
    await inRoom(() => change(operator, request, response));
  });
  router.all('/', () => {
    throw methodNotAllowed('GET, POST');
  });
  return router;
}

/** Whoever only wants to know what answers is not kept waiting for what was asked for. */
const ASK_MS = 1_000;

/** What the object asks for; undefined when this process may not ask or hears nothing. */
async function requestedNow(operator: Operator | undefined): Promise<string | undefined> {
  try {
    return (await operator?.version({ waitSeconds: 0, signal: AbortSignal.timeout(ASK_MS) }))?.requested;
  } catch {
    return undefined;
  }
}

function describe({ identity, model }: ServerState, version: string, requested: string | undefined): object {
  return {
    model_name: identity.name,
    version,
    model_uri: `models:/${identity.name}/${version}`,
    model_loaded: model !== undefined,
    ...(requested !== undefined && { requested }),
  };
}

/** The version as it was written. Throws 422 for a body without one. */
function versionIn(body: Buffer): unknown {
  if (body.length === 0) throw invalid(['body'], 'missing', 'Field required');
  const parsed = parsedBody(body, parseJson);
  if (!isObject(parsed)) {
    throw invalid(['body'], 'dict_type', `Input should be an object with "version", got ${typeName(parsed)}`);
  }
  if (!Object.hasOwn(parsed, 'version')) throw invalid(['body', 'version'], 'missing', 'Field required');
  const extra = Object.keys(parsed).find((key) => key !== 'version');
  if (extra === undefined) return parsed['version'];
  throw invalid(['body', extra.slice(0, 128)], 'extra_forbidden', 'Extra inputs are not permitted beside "version"');
}
