/** Logged models of MLflow 3: what a run saved, before and whether or not it is registered. */
import { randomUUID } from 'node:crypto';
import type { KeyValue, LoggedModelStatus } from '@slipway/database';
import { z } from 'zod';
import { type ApiError, invalid, missing } from '../../errors.ts';
import { boolean, keyValues, requiredText, text } from '../../http/parameters.ts';
import type { MlflowDeps } from '../deps.ts';
import { type Call, type Endpoint, endpoint } from '../endpoint.ts';
import { loggedModelJson } from '../entities/logged-model.ts';
import { checkLength, experimentIdFrom } from '../limits.ts';
import { loggedModelOwner } from '../model-owner.ts';
import { randomRunName } from '../run-names.ts';
import { runOwner } from '../run-of.ts';

const MAX_NAME = 500;
const MAX_KEY = 255;
const MAX_VALUE = 100_000;
const MAX_INT = 2 ** 31 - 1;

const noLoggedModel = (modelId: string): ApiError => missing(`Logged model with ID '${modelId}' not found.`);

/** As Python shows a string. */
const quoted = (text: string): string => (text.includes("'") && !text.includes('"') ? `"${text}"` : `'${text}'`);

function checkName(name: string): void {
  if (/[/:.%"']/.test(name))
    throw invalid(
      `Invalid model name (${quoted(name)}) provided. Model name must be a non-empty string and cannot contain the following characters: ('/', ':', '.', '%', '"', "'")`,
    );
  checkLength('name', MAX_NAME, name);
}

/** As an object; each key once, the last value given holds. */
function checkedPairs(pairs: readonly KeyValue[]): Record<string, string> {
  for (const { key, value } of pairs) {
    checkLength('key', MAX_KEY, key);
    checkLength('value', MAX_VALUE, value);
  }
  return Object.fromEntries(pairs.map(({ key, value }) => [key, value]));
}

const changed = (key: string): ApiError =>
  invalid(`Changing param values is not allowed. Param with key='${key}' of a logged model already has another value.`);

/** Params are written once: two values of one key contradict each other. */
function checkedParams(pairs: readonly KeyValue[]): Record<string, string> {
  const params = checkedPairs(pairs);
  const other = pairs.find(({ key, value }) => params[key] !== value);
  if (other) throw changed(other.key);
  return params;
}

/** A status by name, or by the number it has on MLflow's wire. */
const statuses: Readonly<Record<string, LoggedModelStatus>> = {
  LOGGED_MODEL_PENDING: 'LOGGED_MODEL_PENDING',
  LOGGED_MODEL_READY: 'LOGGED_MODEL_READY',
  LOGGED_MODEL_UPLOAD_FAILED: 'LOGGED_MODEL_UPLOAD_FAILED',
  1: 'LOGGED_MODEL_PENDING',
  2: 'LOGGED_MODEL_READY',
  3: 'LOGGED_MODEL_UPLOAD_FAILED',
};

const requiredStatus = () =>
  z.union([z.int().transform(String), requiredText()], {
    error: ({ input }) => (input == null || input === '' ? 'missing' : 'type'),
  });

function statusFrom(status: string): LoggedModelStatus {
  const known = Object.hasOwn(statuses, status) ? statuses[status] : undefined;
  if (known) return known;
  throw invalid(
    `Invalid value '${status}' for parameter 'status' supplied: expected LOGGED_MODEL_PENDING, LOGGED_MODEL_READY or LOGGED_MODEL_UPLOAD_FAILED.`,
  );
}

const creation = z.object({
  experiment_id: requiredText(),
  name: text(),
  model_type: text(),
  source_run_id: text(),
  params: keyValues(),
  tags: keyValues(),
});

async function create({ loggedModels }: MlflowDeps, { namespace }: Call, request: z.output<typeof creation>) {
  const { name = '', model_type: modelType = '', source_run_id: sourceRunId } = request;
  checkName(name);
  checkLength('model_type', MAX_NAME, modelType);
  checkLength('source_run_id', MAX_NAME, sourceRunId ?? '');
  const experimentId = experimentIdFrom(request.experiment_id);
  const result =
    Math.abs(Number(experimentId)) > MAX_INT
      ? ({ experiment: 'missing' } as const)
      : await loggedModels.create(namespace, {
          modelId: `m-${randomUUID().replaceAll('-', '')}`,
          experimentId,
          name: name || randomRunName(),
          modelType,
          sourceRunId: sourceRunId || undefined,
          params: checkedParams(request.params),
          tags: checkedPairs(request.tags),
        });
  if ('model' in result) return { model: loggedModelJson(result.model) };
  throw result.experiment === 'missing'
    ? missing(`No Experiment with id=${experimentId} exists`)
    : invalid(`The experiment ${experimentId} must be in the 'active' state. Current state is deleted.`);
}

/** Parameters of a request about one logged model. */
const ofModel = <Shape extends z.core.$ZodLooseShape>(shape: Shape) => z.object({ model_id: requiredText(), ...shape });

export function loggedModelsEndpoints(deps: MlflowDeps): readonly Endpoint[] {
  const { loggedModels, tracking } = deps;
  const owner = (call: Call, { model_id }: { readonly model_id: string }) => loggedModelOwner(deps, call, model_id);
  return [
    endpoint({
      method: 'POST',
      path: 'logged-models',
      access: 'write',
      request: creation,
      runOf: (call, { source_run_id }) => (source_run_id ? runOwner(tracking, call, source_run_id) : undefined),
      answer: (call, request) => create(deps, call, request),
    }),
    endpoint({
      method: 'GET',
      path: 'logged-models/{model_id}',
      access: 'read',
      request: ofModel({ allow_deleted: boolean() }),
      async answer({ namespace }, { model_id, allow_deleted: allowDeleted = false }) {
        const model = await loggedModels.find(namespace, model_id, { allowDeleted });
        if (!model) throw noLoggedModel(model_id);
        return { model: loggedModelJson(model) };
      },
    }),
    endpoint({
      method: 'PATCH',
      path: 'logged-models/{model_id}',
      access: 'write',
      request: ofModel({ status: requiredStatus() }),
      runOf: owner,
      async answer({ namespace }, { model_id, status }) {
        const model = await loggedModels.finalize(namespace, model_id, statusFrom(status));
        if (!model) throw noLoggedModel(model_id);
        return { model: loggedModelJson(model) };
      },
    }),
    endpoint({
      method: 'DELETE',
      path: 'logged-models/{model_id}',
      access: 'write',
      request: ofModel({}),
      async answer({ namespace }, { model_id }) {
        if (!(await loggedModels.delete(namespace, model_id))) throw noLoggedModel(model_id);
        return {};
      },
    }),
    endpoint({
      method: 'PATCH',
      path: 'logged-models/{model_id}/tags',
      access: 'write',
      request: ofModel({ tags: keyValues() }),
      runOf: owner,
      async answer({ namespace }, { model_id, tags }) {
        if (!(await loggedModels.setTags(namespace, model_id, checkedPairs(tags)))) throw noLoggedModel(model_id);
        return {};
      },
    }),
    endpoint({
      method: 'DELETE',
      path: 'logged-models/{model_id}/tags/{tag_key}',
      access: 'write',
      request: ofModel({ tag_key: requiredText() }),
      runOf: owner,
      async answer({ namespace }, { model_id, tag_key: key }) {
        const result = await loggedModels.deleteTag(namespace, model_id, key);
        if (result === 'no model') throw noLoggedModel(model_id);
        if (result === 'no tag') throw missing(`No tag with key ${quoted(key)} found for model with ID '${model_id}'.`);
        return {};
      },
    }),
    endpoint({
      method: 'POST',
      path: 'logged-models/{model_id}/params',
      access: 'write',
      request: ofModel({ params: keyValues() }),
      runOf: owner,
      async answer({ namespace }, { model_id, params }) {
        const result = await loggedModels.logParams(namespace, model_id, checkedParams(params));
        if ('missing' in result) throw noLoggedModel(model_id);
        if ('changed' in result) throw changed(result.changed);
        return {};
      },
    }),
  ];
}
