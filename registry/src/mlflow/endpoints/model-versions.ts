/** Versions of registered models: numbered once, moved from stage to stage, never changed in what they are. */
import type { NewVersion, VersionEntity } from '@slipway/database';
import { z } from 'zod';
import { clientUri } from '../../artifacts/location.ts';
import { boolean, keyValues, requiredText, text } from '../../http/parameters.ts';
import type { MlflowDeps } from '../deps.ts';
import { type Call, type Endpoint, endpoint } from '../endpoint.ts';
import { modelVersionJson } from '../entities/model-version.ts';
import { checkLength } from '../limits.ts';
import {
  canonicalStage,
  checkArchiving,
  checkDescription,
  checkedTags,
  checkModelName,
  checkTag,
  versionNumber,
} from '../model-names.ts';
import { inUse, newVersionOwner, noModel, noVersion, versionOwner } from '../model-owner.ts';
import { inspect } from '../sources/format.ts';
import { PROMPT_TAG, resolveSource } from '../sources/resolve.ts';

const MAX_SOURCE = 2048;
const MAX_RUN_LINK = 500;
const MAX_RUN_ID = 256;

const creation = z.object({
  name: requiredText(),
  source: requiredText(),
  run_id: text(),
  model_id: text(),
  tags: keyValues(),
  run_link: text(),
  description: text(),
});
type Creation = z.output<typeof creation>;

/** What is to be written for a request: everything that is looked up is looked up before anything is written. */
async function newVersion(deps: MlflowDeps, namespace: string, request: Creation): Promise<NewVersion> {
  const { name, source, run_id: runId, model_id: modelId, run_link: runLink = '', description = '' } = request;
  checkModelName(name);
  checkLength('source', MAX_SOURCE, source);
  checkLength('run_id', MAX_RUN_ID, runId ?? '');
  checkLength('run_link', MAX_RUN_LINK, runLink);
  checkDescription(description);
  const tags = checkedTags(request.tags);
  const isPrompt = tags[PROMPT_TAG]?.toLowerCase() === 'true';
  const place = { bucket: deps.artifacts.bucket, namespace };
  const { artifactPath, ...resolved } = await resolveSource(deps, place, { source, runId, modelId, isPrompt });
  const { format, artifact } = await inspect(deps.artifacts, namespace, {
    artifactPath,
    sourceUri: resolved.sourceUri,
  });
  const status = format === 'onnx' && deps.verified ? 'PENDING_REGISTRATION' : 'READY';
  return { model: name, ...resolved, format, status, artifact, runLink, description, tags };
}

/** A version in a request: a number, told as text. */
const ofVersion = <Shape extends z.core.$ZodLooseShape>(shape: Shape) =>
  z.object({ name: requiredText(), version: requiredText(), ...shape });

interface Named {
  readonly name: string;
  readonly version: string;
}

const keyOf = ({ name, version }: Named) => {
  checkModelName(name);
  return { model: name, version: versionNumber(version) };
};

const changeOf = ({ namespace, caller }: Call, named: Named) => ({ ...keyOf(named), namespace, actor: caller.name });

function readEndpoints({ models, artifacts }: MlflowDeps): readonly Endpoint[] {
  const find = async ({ namespace }: Call, named: Named): Promise<VersionEntity> => {
    const version = await models.version(namespace, keyOf(named));
    if (!version) throw noVersion(named.name, named.version);
    return version;
  };
  return [
    endpoint({
      method: 'GET',
      path: 'model-versions/get',
      access: 'read',
      request: ofVersion({}),
      async answer(call, named) {
        const place = { bucket: artifacts.bucket, namespace: call.namespace };
        return { model_version: modelVersionJson(await find(call, named), place) };
      },
    }),
    endpoint({
      method: 'GET',
      path: 'model-versions/get-download-uri',
      access: 'read',
      request: z.object({ name: text(), version: text() }),
      async answer(call, { name = '', version = '' }) {
        const { sourceUri, clientSource } = await find(call, { name, version });
        // A path of a run is for the client to look up, as in MLflow.
        const uri = clientSource?.startsWith('runs:') ? clientSource : sourceUri;
        return { artifact_uri: clientUri(uri, { bucket: artifacts.bucket, namespace: call.namespace }) };
      },
    }),
  ];
}

function changeEndpoints(deps: MlflowDeps): readonly Endpoint[] {
  const { models, artifacts } = deps;
  const owner = (call: Call, { name, version }: Named) => versionOwner(deps, call, name, version);
  const bodyOf = ({ namespace }: Call, version: VersionEntity | undefined, named: Named): object => {
    if (!version) throw noVersion(named.name, named.version);
    return { model_version: modelVersionJson(version, { bucket: artifacts.bucket, namespace }) };
  };
  return [
    endpoint({
      method: 'PATCH',
      path: 'model-versions/update',
      access: 'write',
      request: ofVersion({ description: text() }),
      runOf: owner,
      async answer(call, { description, ...named }) {
        checkDescription(description ?? '');
        return bodyOf(call, await models.describeVersion(changeOf(call, named), description), named);
      },
    }),
    endpoint({
      method: 'POST',
      path: 'model-versions/transition-stage',
      access: 'write',
      request: ofVersion({ stage: requiredText(), archive_existing_versions: boolean() }),
      runOf: owner,
      async answer(call, { stage: asked, archive_existing_versions: archiveOthers = false, ...named }) {
        const stage = canonicalStage(asked);
        if (archiveOthers) checkArchiving(asked);
        return bodyOf(call, await models.setStage(changeOf(call, named), { stage, archiveOthers }), named);
      },
    }),
    endpoint({
      method: 'POST',
      path: 'model-versions/set-tag',
      access: 'write',
      request: ofVersion({ key: requiredText(), value: text() }),
      runOf: owner,
      async answer(call, { key, value = '', ...named }) {
        const change = changeOf(call, named);
        checkTag({ key, value });
        if (!(await models.setVersionTag(change, { key, value }))) throw noVersion(named.name, named.version);
        return {};
      },
    }),
    endpoint({
      method: 'DELETE',
      path: 'model-versions/delete-tag',
      access: 'write',
      request: ofVersion({ key: requiredText() }),
      runOf: owner,
      async answer(call, { key, ...named }) {
        const change = changeOf(call, named);
        checkTag({ key, value: '' });
        if (!(await models.deleteVersionTag(change, key))) throw noVersion(named.name, named.version);
        return {};
      },
    }),
    endpoint({
      method: 'DELETE',
      path: 'model-versions/delete',
      access: 'write',
      request: ofVersion({}),
      async answer(call, named) {
        const result = await models.deleteVersion(changeOf(call, named));
        if ('missing' in result) throw noVersion(named.name, named.version);
        if ('used' in result) throw inUse(named.name, result.used);
        return {};
      },
    }),
  ];
}

export const modelVersionsEndpoints = (deps: MlflowDeps): readonly Endpoint[] => [
  endpoint({
    method: 'POST',
    path: 'model-versions/create',
    access: 'write',
    request: creation,
    runOf: (call, { run_id, model_id }) => newVersionOwner(deps, call, { runId: run_id, modelId: model_id }),
    async answer({ namespace, caller }, request) {
      const made = await deps.models.createVersion(namespace, await newVersion(deps, namespace, request), caller.name);
      if (!made) throw noModel(request.name);
      return { model_version: modelVersionJson(made, { bucket: deps.artifacts.bucket, namespace }) };
    },
  }),
  ...readEndpoints(deps),
  ...changeEndpoints(deps),
];
