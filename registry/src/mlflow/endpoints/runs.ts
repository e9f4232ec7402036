/** Runs: made, read, updated, deleted and restored. What is logged to them: run-logging.ts, inputs.ts. */
import { randomUUID } from 'node:crypto';
import type { ClientRunStatus, KeyValue } from '@slipway/database';
import { z } from 'zod';
import { ApiError, invalid } from '../../errors.ts';
import { integer, keyValues, missingValue, text } from '../../http/parameters.ts';
import type { MlflowDeps } from '../deps.ts';
import { type Call, type Endpoint, endpoint } from '../endpoint.ts';
import { newRunJson, runInfoJson, runJson } from '../entities/run.ts';
import { checkKeysOnce, checkLength, cut, experimentIdFrom, MAX_KEY, MAX_TAG_VALUE, RUN_NAME } from '../limits.ts';
import { randomRunName } from '../run-names.ts';
import { noRun, ofRun, refusedRun, runOwner } from '../run-of.ts';
import { experimentNotActive, noExperiment } from './experiments.ts';
import { runLoggingEndpoints } from './run-logging.ts';

const PARENT = 'mlflow.parentRunId';

const statuses: readonly ClientRunStatus[] = ['RUNNING', 'SCHEDULED', 'FINISHED', 'FAILED', 'KILLED'];

/** A status by its name or its number in MLflow's protocol; one that MLflow does not know says nothing. */
const statusFrom = (value: string | number | null | undefined): ClientRunStatus | undefined =>
  typeof value === 'number' ? statuses[value - 1] : statuses.find((status) => status === value);

/** Milliseconds that a Postgres timestamp holds: from 4713 BC on. */
const EARLIEST = -210_866_803_200_000;
const time = () => integer().refine((millis) => millis === undefined || millis >= EARLIEST, 'type');

/** The name of a new run and its tags, which say the same. */
function named(runName: string | undefined, tags: readonly KeyValue[]): { runName: string; tags: KeyValue[] } {
  const tagged = tags.find(({ key }) => key === RUN_NAME)?.value;
  if (runName && tagged && runName !== tagged)
    throw invalid(
      `Both 'run_name' argument and 'mlflow.runName' tag are specified, but with different values (run_name='${runName}', mlflow.runName='${tagged}').`,
    );
  const name = cut(runName || tagged || randomRunName(), MAX_TAG_VALUE);
  return { runName: name, tags: [...tags.filter(({ key }) => key !== RUN_NAME), { key: RUN_NAME, value: name }] };
}

function newTags(tags: readonly KeyValue[]): KeyValue[] {
  checkKeysOnce(tags);
  return tags.map(({ key, value }, index) => {
    checkLength(`tags[${index}].key`, MAX_KEY, key);
    return { key, value: cut(value, MAX_TAG_VALUE) };
  });
}

/** A run is made in an experiment. Throws BAD_REQUEST, as MLflow does here alone, when none is named. */
function givenExperiment(id: string | undefined): string {
  if (!id) throw new ApiError('BAD_REQUEST', missingValue('experiment_id'));
  return experimentIdFrom(id);
}

const creating = ({ tracking }: MlflowDeps): Endpoint =>
  endpoint({
    method: 'POST',
    path: 'runs/create',
    access: 'write',
    request: z.object({
      experiment_id: text().transform(givenExperiment),
      user_id: text(),
      run_name: text(),
      start_time: time(),
      tags: keyValues(),
    }),
    // A training run may make runs below itself, as nested runs and searches for parameters do.
    runOf: (call, { tags }) => {
      const parent = tags.find(({ key }) => key === PARENT)?.value;
      return parent === undefined ? undefined : runOwner(tracking, call, parent);
    },
    async answer({ namespace }, { experiment_id, user_id = '', run_name, start_time = 0, tags }) {
      checkLength('user_id', 256, user_id);
      const run = await tracking.createRun(namespace, {
        runId: randomUUID().replaceAll('-', ''),
        experimentId: experiment_id,
        userId: user_id,
        startTime: start_time,
        ...named(run_name, newTags(tags)),
      });
      if (run === 'missing') throw noExperiment(experiment_id);
      if (run === 'deleted') throw experimentNotActive(experiment_id);
      return { run: newRunJson(run) };
    },
  });

const reading = ({ tracking }: MlflowDeps): Endpoint =>
  endpoint({
    method: 'GET',
    path: 'runs/get',
    access: 'read',
    request: ofRun({}),
    async answer({ namespace }, { run_id }) {
      const [run] = await tracking.runsById(namespace, [run_id]);
      if (!run) throw noRun(run_id);
      return { run: runJson(run) };
    },
  });

const changing = ({ tracking }: MlflowDeps): readonly Endpoint[] => {
  const runOf = (call: Call, { run_id }: { run_id: string }) => runOwner(tracking, call, run_id);
  return [
    endpoint({
      method: 'POST',
      path: 'runs/update',
      access: 'write',
      request: ofRun({
        end_time: time(),
        status: z
          .union([z.string(), z.int().min(1).max(statuses.length)])
          .nullish()
          .transform(statusFrom),
        run_name: text(),
      }),
      runOf,
      async answer({ namespace }, { run_id, end_time, status, run_name }) {
        const runName = run_name ? cut(run_name, MAX_TAG_VALUE) : undefined;
        const run = await tracking.updateRun(namespace, run_id, { status, endTime: end_time, runName });
        if (typeof run === 'string') throw refusedRun(run, run_id);
        return { run_info: runInfoJson(run) };
      },
    }),
    endpoint({
      method: 'POST',
      path: 'runs/delete',
      access: 'write',
      request: ofRun({}),
      runOf,
      async answer({ namespace }, { run_id }) {
        const outcome = await tracking.deleteRun(namespace, run_id);
        if (outcome === 'busy')
          throw new ApiError(
            'RESOURCE_CONFLICT',
            `A TrainingJob is training the run ${run_id}: delete it when it has ended, or delete the TrainingJob first.`,
          );
        if (outcome === 'missing') throw noRun(run_id);
        return {};
      },
    }),
    endpoint({
      method: 'POST',
      path: 'runs/restore',
      access: 'write',
      request: ofRun({}),
      runOf,
      async answer({ namespace }, { run_id }) {
        if ((await tracking.restoreRun(namespace, run_id)) === 'missing') throw noRun(run_id);
        return {};
      },
    }),
  ];
};

export const runsEndpoints = (deps: MlflowDeps): readonly Endpoint[] => [
  creating(deps),
  reading(deps),
  ...changing(deps),
  ...runLoggingEndpoints(deps),
];
