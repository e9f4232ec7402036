/** Registered models: what holds for a model as a whole, and the aliases that point to its versions. */
import type { RegisteredModelEntity, Renaming } from '@slipway/database';
import { z } from 'zod';
import { ApiError, invalid } from '../../errors.ts';
import { keyValues, list, requiredText, text, unlessEmpty } from '../../http/parameters.ts';
import type { MlflowDeps } from '../deps.ts';
import { type Call, type Endpoint, endpoint } from '../endpoint.ts';
import { modelVersionJson } from '../entities/model-version.ts';
import { registeredModelJson } from '../entities/registered-model.ts';
import {
  canonicalStage,
  checkAlias,
  checkDescription,
  checkedTags,
  checkModelName,
  checkNewAlias,
  checkTag,
  isLatest,
  versionNumber,
} from '../model-names.ts';
import { inUse, noModel, noVersion, versionOwner } from '../model-owner.ts';
import { PROMPT_TAG } from '../sources/resolve.ts';

const isPrompt = (tags: Readonly<Record<string, string>>): boolean => tags[PROMPT_TAG]?.toLowerCase() === 'true';

/** Why a model cannot be made: there is one of this name, which may be a prompt and the other not. */
function taken(name: string, existing: RegisteredModelEntity | undefined, asPrompt: boolean): ApiError {
  const wasPrompt = isPrompt(Object.fromEntries((existing?.tags ?? []).map(({ key, value }) => [key, value])));
  const word = (prompt: boolean): string => (prompt ? 'Prompt' : 'Registered Model');
  const message =
    wasPrompt === asPrompt
      ? `${word(asPrompt)} (name=${name}) already exists.`
      : `Tried to create a ${word(asPrompt).toLowerCase()} with name '${name}', but the name is already taken by a ${word(wasPrompt).toLowerCase()}. MLflow does not allow creating a model and a prompt with the same name.`;
  return new ApiError('RESOURCE_ALREADY_EXISTS', message);
}

/** Why a model was not renamed. */
function notRenamed(result: Exclude<Renaming, { model: unknown }>, from: string, to: string): ApiError {
  if ('missing' in result) return noModel(from);
  if ('used' in result) return inUse(from, result.used);
  return result.taken === 'active'
    ? new ApiError('RESOURCE_ALREADY_EXISTS', `Registered Model (name=${to}) already exists.`)
    : new ApiError(
        'RESOURCE_CONFLICT',
        `Registered Model (name=${to}) was deleted, and its version numbers stay taken: choose another name, or create '${to}' anew and register into it.`,
      );
}

/** A run may make models, since a script that registers one does that first. */
const anyRun = ({ caller }: Call): string | undefined => caller.runId;

function modelEndpoints({ models, artifacts }: MlflowDeps): readonly Endpoint[] {
  const modelBody = ({ namespace }: Call, model: RegisteredModelEntity): object => ({
    registered_model: registeredModelJson(model, { bucket: artifacts.bucket, namespace }),
  });
  return [
    endpoint({
      method: 'POST',
      path: 'registered-models/create',
      access: 'write',
      request: z.object({ name: requiredText(), tags: keyValues(), description: text() }),
      runOf: anyRun,
      async answer(call, { name, tags: given, description = '' }) {
        checkModelName(name);
        checkDescription(description);
        const tags = checkedTags(given);
        const model = await models.createModel(call.namespace, { name, description, tags });
        if (!model) throw taken(name, await models.model(call.namespace, name), isPrompt(tags));
        return modelBody(call, model);
      },
    }),
    endpoint({
      method: 'GET',
      path: 'registered-models/get',
      access: 'read',
      request: z.object({ name: requiredText() }),
      async answer(call, { name }) {
        checkModelName(name);
        const model = await models.model(call.namespace, name);
        if (!model) throw noModel(name);
        return modelBody(call, model);
      },
    }),
    endpoint({
      method: 'PATCH',
      path: 'registered-models/update',
      access: 'write',
      request: z.object({ name: requiredText(), description: text() }),
      async answer(call, { name, description = '' }) {
        checkModelName(name);
        checkDescription(description);
        const model = await models.describeModel(call.namespace, name, description);
        if (!model) throw noModel(name);
        return modelBody(call, model);
      },
    }),
    endpoint({
      method: 'POST',
      path: 'registered-models/rename',
      access: 'write',
      request: z.object({ name: requiredText(), new_name: requiredText() }),
      async answer(call, { name, new_name: to }) {
        checkModelName(to, 'new_name');
        checkModelName(name);
        const result = await models.renameModel(call.namespace, { from: name, to }, call.caller.name);
        if (!('model' in result)) throw notRenamed(result, name, to);
        return modelBody(call, result.model);
      },
    }),
    endpoint({
      method: 'DELETE',
      path: 'registered-models/delete',
      access: 'write',
      request: z.object({ name: requiredText() }),
      async answer({ namespace, caller }, { name }) {
        checkModelName(name);
        const result = await models.deleteModel(namespace, name, caller.name);
        if ('missing' in result) throw noModel(name);
        if ('used' in result) throw inUse(name, result.used);
        return {};
      },
    }),
    endpoint({
      method: 'POST',
      path: 'registered-models/set-tag',
      access: 'write',
      request: z.object({ name: requiredText(), key: requiredText(), value: text() }),
      async answer({ namespace }, { name, key, value = '' }) {
        checkModelName(name);
        checkTag({ key, value });
        if (!(await models.setModelTag(namespace, name, { key, value }))) throw noModel(name);
        return {};
      },
    }),
    endpoint({
      method: 'DELETE',
      path: 'registered-models/delete-tag',
      access: 'write',
      request: z.object({ name: requiredText(), key: requiredText() }),
      async answer({ namespace }, { name, key }) {
        checkModelName(name);
        checkTag({ key, value: '' });
        if (!(await models.deleteModelTag(namespace, name, key))) throw noModel(name);
        return {};
      },
    }),
  ];
}

/** Clients ask by POST; by GET everybody else may. */
const latestVersions = ({ models, artifacts }: MlflowDeps, method: 'GET' | 'POST'): Endpoint =>
  endpoint({
    method,
    path: 'registered-models/get-latest-versions',
    access: 'read',
    request: z.object({ name: requiredText(), stages: list(text()) }),
    async answer({ namespace }, { name, stages }) {
      checkModelName(name);
      const versions = await models.latestVersions(namespace, name);
      if (!versions) throw noModel(name);
      const wanted = stages.map((stage) => canonicalStage(stage ?? ''));
      const shown = versions.filter(({ stage }) => wanted.length === 0 || wanted.includes(stage));
      const place = { bucket: artifacts.bucket, namespace };
      return { model_versions: unlessEmpty(shown.map((version) => modelVersionJson(version, place))) };
    },
  });

function aliasEndpoints(deps: MlflowDeps): readonly Endpoint[] {
  const { models, artifacts } = deps;
  /** `latest` is no alias that is set: it means the highest number of all stages. */
  const versionOf = async (namespace: string, name: string, alias: string) => {
    if (!isLatest(alias)) return models.versionByAlias(namespace, name, alias);
    const latest = await models.latestVersions(namespace, name);
    if (!latest) return { missing: 'model' as const };
    const version = latest.at(-1);
    // MLflow leaves the aliases out here.
    return version ? { version: { ...version, aliases: [] } } : { missing: 'latest' as const };
  };
  return [
    endpoint({
      method: 'GET',
      path: 'registered-models/alias',
      access: 'read',
      request: z.object({ name: requiredText(), alias: requiredText() }),
      async answer({ namespace }, { name, alias }) {
        checkModelName(name);
        checkAlias(alias);
        const found = await versionOf(namespace, name, alias);
        if ('version' in found)
          return { model_version: modelVersionJson(found.version, { bucket: artifacts.bucket, namespace }) };
        if (found.missing === 'model') throw noModel(name);
        if (found.missing === 'alias') throw invalid(`Registered model alias ${alias} not found.`);
        throw new ApiError('RESOURCE_DOES_NOT_EXIST', `Latest version not found for model ${name}.`);
      },
    }),
    endpoint({
      method: 'POST',
      path: 'registered-models/alias',
      access: 'write',
      request: z.object({ name: requiredText(), alias: requiredText(), version: requiredText() }),
      runOf: (call, { name, version }) => versionOwner(deps, call, name, version),
      async answer({ namespace, caller }, { name, alias, version }) {
        checkModelName(name);
        checkNewAlias(alias);
        const change = { namespace, model: name, version: versionNumber(version), actor: caller.name };
        if (!(await models.setAlias(change, alias))) throw noVersion(name, version);
        return {};
      },
    }),
    endpoint({
      method: 'DELETE',
      path: 'registered-models/alias',
      access: 'write',
      request: z.object({ name: requiredText(), alias: requiredText() }),
      async runOf(call, { name, alias }) {
        const found = await models.versionByAlias(call.namespace, name, alias);
        return 'version' in found ? versionOwner(deps, call, name, String(found.version.version)) : undefined;
      },
      async answer({ namespace, caller }, { name, alias }) {
        checkModelName(name);
        checkAlias(alias);
        if (!(await models.deleteAlias(namespace, name, alias, caller.name))) throw noModel(name);
        return {};
      },
    }),
  ];
}

export const registeredModelsEndpoints = (deps: MlflowDeps): readonly Endpoint[] => [
  ...modelEndpoints(deps),
  latestVersions(deps, 'POST'),
  latestVersions(deps, 'GET'),
  ...aliasEndpoints(deps),
];
