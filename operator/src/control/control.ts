/**
 * Runs that clients of a service ask for. A request is a row before anything else happens, so none overwrites another and
 * any replica may take it; the leader makes a run of it. Which TrainingJob it is for, the caller's InferenceService says.
 */
import { randomUUID } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import { type RunAnswer, runIdFor, runKeyFor, shortHash, type TrainAnswer } from '@slipway/contract';
import type { RequestStore, RunRequest, RunStore } from '@slipway/database';
import type { ObjectKey } from '../api/meta.ts';
import type { InferenceService } from '../controllers/inference-service/api.ts';
import { TrainingJob } from '../controllers/training-job/api.ts';
import type { KubeReader } from '../kube/client.ts';
import { answerOf } from './answers.ts';
import { checkParameters } from './parameters.ts';
import { conflict, forbidden, invalid, notFound, tooMany } from './refusal.ts';

export interface ControlDeps {
  readonly runs: Pick<RunStore, 'findById'>;
  readonly requests: Pick<RequestStore, 'add' | 'find' | 'countPending' | 'unstarted'>;
  readonly kube: () => KubeReader;
  /** Has this TrainingJob looked at now, when this process leads. */
  readonly enqueue: (trainingJob: ObjectKey) => void;
}

export interface Ask {
  readonly parameters: Readonly<Record<string, unknown>>;
  /** The client's `Idempotency-Key`. */
  readonly idempotencyKey?: string | undefined;
}

export interface Control {
  /** Writes the request down and answers how it goes. The same key with the same parameters is the same run. */
  train(service: InferenceService, ask: Ask): Promise<TrainAnswer>;
  /** How the run goes that a request led to; `id` is either the request's or the run's. */
  run(service: InferenceService, id: string): Promise<RunAnswer>;
}

/** Anybody who reaches a service may ask for runs: beyond so many that wait, nobody can. */
const MAX_PENDING = 100;
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const RUN_ID = /^[0-9a-f]{32}$/;
const RUN_OF_REQUEST = /\/r([0-9a-f-]{36})$/;

/** A UUID names the request as it is; any other key one of its own among those of this service. */
function requestIdFor({ metadata }: InferenceService, key: string | undefined): string {
  if (key === undefined || key === '') return randomUUID();
  const lower = key.toLowerCase();
  if (UUID.test(lower)) return lower;
  const digits = shortHash(`${metadata.uid}/${key}`, 32);
  return [8, 12, 16, 20, 32].map((end, i, ends) => digits.slice(ends[i - 1] ?? 0, end)).join('-');
}

const sameParameters = (one: RunRequest, parameters: Readonly<Record<string, string>>): boolean =>
  isDeepStrictEqual({ ...one.parameters }, { ...parameters });

export function createControl({ runs, requests, kube, enqueue }: ControlDeps): Control {
  /** Which TrainingJob the service may start. Throws 403 without one. */
  function nameOf({ metadata, spec }: InferenceService): string {
    const name = spec.api?.trainingJob;
    if (name !== undefined) return name;
    throw forbidden(
      `InferenceService ${metadata.namespace}/${metadata.name} starts no runs: set spec.api.trainingJob to the name of a TrainingJob`,
    );
  }

  function jobOf({ metadata: { namespace, name } }: InferenceService, trainingJob: string): TrainingJob {
    const found = kube().get(TrainingJob, { namespace, name: trainingJob });
    if (found && !found.metadata.deletionTimestamp) return found;
    const what = found ? 'is being deleted' : 'does not exist';
    throw notFound(
      `TrainingJob ${namespace}/${trainingJob} (spec.api.trainingJob of InferenceService ${name}) ${what}`,
    );
  }

  /** The id of the run that will come of a request that has none yet. */
  const expectedRun = ({ metadata }: TrainingJob, requestId: string): string =>
    runIdFor(runKeyFor(metadata.uid ?? '', { kind: 'request', requestId }));

  async function progressOf(service: InferenceService, request: RunRequest): Promise<RunAnswer> {
    if (request.refused !== undefined) throw conflict(`no run comes of this request: ${request.refused}`);
    const { runId } = request;
    const run = runId === undefined ? undefined : await runs.findById(request.namespace, runId);
    if (run) return answerOf(run);
    return { status: 'RUNNING', run_id: runId ?? expectedRun(jobOf(service, request.trainingJob), request.requestId) };
  }

  /** The request with that id, if the service's TrainingJob was asked. */
  async function requestOf(service: InferenceService, id: string): Promise<RunRequest | undefined> {
    const { namespace } = service.metadata;
    if (UUID.test(id)) return requests.find(namespace, id);
    if (!RUN_ID.test(id)) return undefined;
    const run = await runs.findById(namespace, id);
    if (run) {
      const requestId = RUN_OF_REQUEST.exec(run.runKey)?.[1];
      return requestId === undefined ? undefined : requests.find(namespace, requestId);
    }
    const trainingJob = jobOf(service, nameOf(service));
    const unstarted = await requests.unstarted(namespace, trainingJob.metadata.name);
    const requestId = unstarted.find((candidate) => expectedRun(trainingJob, candidate) === id);
    return requestId === undefined ? undefined : requests.find(namespace, requestId);
  }

  /** Writes the request down unless it is there already, or too many are. */
  async function add(asked: Parameters<RequestStore['add']>[0]): Promise<void> {
    const { namespace, requestId, trainingJob } = asked;
    if (await requests.find(namespace, requestId)) return;
    const pending = await requests.countPending(namespace, trainingJob);
    if (pending >= MAX_PENDING) {
      throw tooMany(
        `${pending} runs of TrainingJob ${trainingJob} wait for their turn already: ask again when some have ended`,
      );
    }
    await requests.add(asked);
  }

  return {
    async train(service, { parameters: given, idempotencyKey }) {
      const { namespace, name } = service.metadata;
      const trainingJob = jobOf(service, nameOf(service));
      const checked = checkParameters(given, trainingJob.spec);
      if ('fault' in checked) throw invalid(checked.fault);
      const { parameters } = checked;
      const requestId = requestIdFor(service, idempotencyKey);
      const asked = { namespace, requestId, trainingJob: trainingJob.metadata.name, parameters };
      await add({ ...asked, requestedBy: `InferenceService ${name}` });
      const request = await requests.find(namespace, requestId);
      if (!request) throw conflict('the request was deleted at once: ask again');
      if (request.trainingJob !== asked.trainingJob || !sameParameters(request, parameters)) {
        const msg = 'the key was used for a request with other parameters: use a new one';
        throw invalid({ loc: ['header', 'Idempotency-Key'], type: 'value_error', msg });
      }
      if (request.runId === undefined) enqueue(trainingJob.metadata);
      return { ...(await progressOf(service, request)), request_id: requestId };
    },

    async run(service, id) {
      const trainingJob = nameOf(service);
      const request = await requestOf(service, id);
      if (request?.trainingJob === trainingJob) return progressOf(service, request);
      throw notFound(`no run ${id.slice(0, 64)} was asked for of TrainingJob ${trainingJob} by POST /train`);
    },
  };
}
