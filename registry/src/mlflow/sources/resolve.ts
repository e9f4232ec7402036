/** From what a source claims to be to where the bytes are: looks up runs, logged models and versions, and refuses what does not fit. */
import type { LoggedModelPlace, VersionEntity } from '@slipway/database';
import { artifactPathOf, clientUri, storedUri } from '../../artifacts/location.ts';
import { invalid, missing } from '../../errors.ts';
import type { MlflowDeps } from '../deps.ts';
import type { Place } from '../entities/model-version.ts';
import { canonicalStage, versionNumberIn } from '../model-names.ts';
import { claimOf, localRefused, notContained, type SourceClaim, type SourceRequest } from './claim.ts';
import { isWithin, pathParts } from './uri.ts';

/** Where a new version's bytes are, and what it comes from. */
export interface ResolvedSource {
  /** The words clients get back. */
  readonly clientSource: string;
  /** s3:// for what lies in our store. */
  readonly sourceUri: string;
  /** The path below the namespace, as the artifact proxy names it; absent for what is not ours to read. */
  readonly artifactPath?: string | undefined;
  readonly runId?: string | undefined;
  readonly loggedModelId?: string | undefined;
}

type Lookups = Pick<MlflowDeps, 'tracking' | 'models' | 'loggedModels' | 'artifacts'>;

/** One request on its way: what is looked up, for whom. */
interface Resolving {
  readonly deps: Lookups;
  readonly place: Place;
  readonly request: SourceRequest;
  /** The logged model the request names; undefined when it names none, or none that is there. */
  readonly model: LoggedModelPlace | undefined;
}

/** A version looks like a prompt when its model has this tag. */
export const PROMPT_TAG = 'mlflow.prompt.is_prompt';

type Located = Pick<ResolvedSource, 'sourceUri' | 'artifactPath'>;

/** The stored form of a place that is told in a client's words. */
function located(uri: string, place: Place): Located {
  const artifactPath = artifactPathOf(clientUri(uri, place));
  return artifactPath === undefined ? { sourceUri: uri } : { sourceUri: storedUri(artifactPath, place), artifactPath };
}

const below = (root: string, path: string): string => (path === '' ? root : `${root.replace(/\/+$/, '')}/${path}`);

/** A path of a run. Since MLflow 3 a model logged by that name is no artifact of its run: then it is the model that is meant. */
async function ofRun(
  at: Resolving,
  claim: { runId: string; path: string },
): Promise<Located & { loggedModelId?: string }> {
  const { deps, place, request } = at;
  const [run] = await deps.tracking.runsById(place.namespace, [claim.runId]);
  if (!run) return { sourceUri: request.source };
  const folder = located(below(run.artifactUri, claim.path), place);
  if (folder.artifactPath === undefined || claim.path === '') return folder;
  if ((await deps.artifacts.files(place.namespace, folder.artifactPath)).length > 0) return folder;
  const model = await deps.loggedModels.ofRun(place.namespace, claim.runId, claim.path);
  return model ? { ...located(model.artifactUri, place), loggedModelId: model.modelId } : folder;
}

/** A place in the artifact store, within the run or the logged model that the request names. */
async function ofArtifacts({ deps, place, request, model }: Resolving): Promise<Located> {
  const { source, runId, modelId } = request;
  const [run] = modelId || !runId ? [] : await deps.tracking.runsById(place.namespace, [runId]);
  const root = (model ?? run)?.artifactUri;
  if (root === undefined || !isWithin(source, clientUri(root, place)))
    throw notContained(source, modelId ? 'model_id' : 'run_id');
  return located(`mlflow-artifacts:/${pathParts(source).join('/')}`, place);
}

async function selectVersion(
  { deps, place, request }: Resolving,
  { name, selector }: Extract<SourceClaim, { kind: 'version' }>,
): Promise<VersionEntity> {
  const { models } = deps;
  const model = await models.model(place.namespace, name);
  if (!model) throw missing(`Registered Model with name=${name} not found`);
  if (model.tags.some(({ key, value }) => key === PROMPT_TAG && value.toLowerCase() === 'true'))
    throw invalid(
      `Invalid model version source: '${request.source}'. Prompt versions cannot be used as model version sources.`,
    );
  if ('alias' in selector) {
    const found = await models.versionByAlias(place.namespace, name, selector.alias);
    if ('version' in found) return found.version;
    throw invalid(`Registered model alias ${selector.alias} not found.`);
  }
  if ('version' in selector) {
    const number = versionNumberIn(selector.version);
    const version =
      number === undefined ? undefined : await models.version(place.namespace, { model: name, version: number });
    if (version) return version;
    throw missing(`Model Version (name=${name}, version=${selector.version}) not found`);
  }
  const stage = 'stage' in selector ? canonicalStage(selector.stage) : undefined;
  const latest = model.latestVersions.filter((version) => stage === undefined || version.stage === stage).at(-1);
  if (latest) return latest;
  throw missing(`No versions of model with name '${name}'${stage ? ` and stage '${stage}'` : ''} found`);
}

/** A copy of another version: it points to the same bytes and comes from the same run. */
async function ofVersion(at: Resolving, claim: Extract<SourceClaim, { kind: 'version' }>): Promise<ResolvedSource> {
  const { source, runId, modelId } = at.request;
  const version = await selectVersion(at, claim);
  if ((runId !== undefined && runId !== (version.runId ?? '')) || modelId)
    throw invalid(
      `Invalid model version source: '${source}'. The run_id and model_id request parameters must match the referenced model version.`,
    );
  return {
    clientSource: `models:/${version.model}/${version.version}`,
    ...located(version.sourceUri, at.place),
    runId: version.runId,
  };
}

/** Where the bytes are that a claim speaks of. */
async function bytesOf(at: Resolving, claim: SourceClaim): Promise<Located & { loggedModelId?: string }> {
  const { source, modelId } = at.request;
  switch (claim.kind) {
    case 'run':
      return ofRun(at, claim);
    case 'artifact':
      return ofArtifacts(at);
    case 'logged-model':
      if (!at.model) throw notContained(source, 'model_id');
      return located(at.model.artifactUri, at.place);
    case 'stored':
      return located(claim.uri, at.place);
    case 'local':
      throw (await isUnknown(at))
        ? notContained(source, modelId ? 'model_id' : 'run_id')
        : localRefused(source, modelId ? 'model_id' : 'run_id');
    default:
      return { sourceUri: source };
  }
}

/** Whether the request names a run or a logged model that is not there. */
async function isUnknown({ deps, place, request, model }: Resolving): Promise<boolean> {
  if (request.modelId) return model === undefined;
  if (!request.runId) return false;
  return (await deps.tracking.runsById(place.namespace, [request.runId])).length === 0;
}

/** Where the bytes of a version to be made are. Throws ApiError, in MLflow's words, for what may not be its source. */
export async function resolveSource(deps: Lookups, place: Place, request: SourceRequest): Promise<ResolvedSource> {
  const claim = claimOf(request, place);
  const { source, runId, modelId } = request;
  const model = modelId ? await deps.loggedModels.placeOf(place.namespace, modelId) : undefined;
  const at: Resolving = { deps, place, request, model };
  if (claim.kind === 'version') return ofVersion(at, claim);
  const bytes = await bytesOf(at, claim);
  if (modelId && !model && claim.kind !== 'prompt') throw missing(`Logged model with ID '${modelId}' not found.`);
  return {
    clientSource: source,
    ...bytes,
    runId: runId || model?.sourceRunId || undefined,
    loggedModelId: model?.modelId ?? bytes.loggedModelId,
  };
}
