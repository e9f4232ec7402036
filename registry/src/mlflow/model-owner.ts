/** Which run a version belongs to, for callers that hold the token of one run, and the refusals that versions share. */
import type { VersionUse } from '@slipway/database';
import { ApiError, missing } from '../errors.ts';
import type { MlflowDeps } from './deps.ts';
import type { Call } from './endpoint.ts';
import { versionNumberIn } from './model-names.ts';
import { runOwner } from './run-of.ts';

/** The refusal for a model that is not there. */
export const noModel = (name: string): ApiError => missing(`Registered Model with name=${name} not found`);

/** The refusal for a version that is not there; `version` in the client's words. */
export const noVersion = (name: string, version: string): ApiError =>
  missing(`Model Version (name=${name}, version=${version.trim().replace(/^\+/, '')}) not found`);

/** The refusal for what InferenceServices use. */
export function inUse(model: string, uses: readonly VersionUse[]): ApiError {
  const shown = uses.slice(0, 5).map(({ version, services }) => {
    const names = services.slice(0, 5).join(', ');
    return `Model version ${model}/${version} is served by InferenceService(s) ${names}`;
  });
  return new ApiError(
    'RESOURCE_CONFLICT',
    `${shown.join('; ')}: switch to another version first, or delete what serves it.`,
  );
}

type Owners = Pick<MlflowDeps, 'models' | 'loggedModels' | 'tracking'>;

/** The run that made a version; undefined when nobody knows. */
export async function versionOwner(
  { models, tracking }: Owners,
  call: Call,
  model: string,
  version: string,
): Promise<string | undefined> {
  const number = versionNumberIn(version);
  const found = number === undefined ? undefined : await models.version(call.namespace, { model, version: number });
  return found?.runId === undefined ? undefined : runOwner(tracking, call, found.runId);
}

/** The run that made a logged model; undefined when nobody knows. */
export async function loggedModelOwner(
  { loggedModels, tracking }: Owners,
  call: Call,
  modelId: string,
): Promise<string | undefined> {
  const model = await loggedModels.find(call.namespace, modelId, { allowDeleted: true });
  return model?.sourceRunId === undefined ? undefined : runOwner(tracking, call, model.sourceRunId);
}

/** The run that a new version would belong to: that of the logged model it is made of, and the one that is named. */
export async function newVersionOwner(
  owners: Owners,
  call: Call,
  { runId, modelId }: { readonly runId?: string | undefined; readonly modelId?: string | undefined },
): Promise<string | undefined> {
  const ofRun = runId ? await runOwner(owners.tracking, call, runId) : undefined;
  if (!modelId) return ofRun;
  const ofModel = await loggedModelOwner(owners, call, modelId);
  // When both are named and differ, neither speaks for the other.
  return ofRun === undefined || ofRun === ofModel ? ofModel : undefined;
}
