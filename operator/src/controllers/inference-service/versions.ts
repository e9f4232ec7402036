/** Which release an InferenceService asks for, among the versions there are. */
import { type Artifact, artifactDigest } from '@slipway/contract';
import { findCondition, isTrue } from '../../api/conditions.ts';
import { labelsOf, syncedOf } from '../mirror.ts';
import { ARTIFACT_VERIFIED, type ModelVersion, READY } from '../model-version/api.ts';
import { modelVersionName } from '../model-version/names.ts';
import { Reason } from './api.ts';
import { isSame, type Release, type ReleaseId } from './release.ts';

/** What a ModelVersion object says of itself. */
export interface VersionFacts {
  readonly version: number;
  /** The bytes that may be served; absent until they are known. */
  readonly release?: Release;
  readonly isReady: boolean;
  readonly isDeleting: boolean;
  /** What object and registry agree on: an edit that the registry has not heard of yet moves nothing. */
  readonly stage: string;
  readonly aliases: readonly string[];
  /** What it did not meet when it was registered: such a version is never `latest`. Absent: it met everything. */
  readonly gateFailure?: string;
  /** Why it is not ready, in its own words. */
  readonly reason: string;
  readonly message: string;
}

/** What a version is to this service: its proven ONNX model, or with spec.runtime the folder it was registered with. */
type Served = Pick<VersionFacts, 'release' | 'isReady' | 'reason' | 'message'>;

/** The numbered versions of a model, newest first, as a service with this spec sees them. */
export function versionFacts(
  objects: readonly ModelVersion[],
  { runtime }: { readonly runtime?: object },
): readonly VersionFacts[] {
  const servedOf = runtime ? folderOf : modelOf;
  const facts: VersionFacts[] = [];
  for (const object of objects) {
    const { metadata, spec, status } = object;
    const version = status?.version ?? spec.version;
    if (version === undefined) continue;
    const { stage, aliases } = syncedOf(object) ?? labelsOf(spec);
    facts.push({
      stage,
      aliases,
      version,
      ...gateFailureOf(spec),
      ...servedOf(object, version),
      isDeleting: metadata.deletionTimestamp !== undefined,
    });
  }
  return facts.sort((a, b) => b.version - a.version);
}

const NOT_LOOKED_AT = { reason: 'Pending', message: 'it has not been looked at yet' } as const;

/** What the built-in server may serve: what was proven to answer. */
function modelOf({ status }: ModelVersion, version: number): Served {
  const artifact = status?.artifact;
  const { reason, message } = findCondition(status?.conditions, READY) ?? NOT_LOOKED_AT;
  return {
    ...(artifact && { release: { version, digest: artifact.digest, artifact } }),
    isReady: artifact !== undefined && isTrue(status?.conditions, READY),
    ...{ reason, message },
  };
}

const UNKNOWN_BYTES = {
  reason: 'ArtifactMissing',
  message:
    'the digests of its files are not known, so that nobody could say what is served: log the model to this registry (mlflow.<flavor>.log_model(…, registered_model_name=…)) and register that',
} as const;

/**
 * What a server of one's own may serve: the registered folder, whether or not there is an ONNX model in it. Its files must
 * be known by digest, by which each pod checks them as it fetches them; bytes that were found to be others are no version.
 */
function folderOf({ spec, status }: ModelVersion, version: number): Served {
  const artifact = folderArtifact(spec.source, status?.artifact);
  const verified = findCondition(status?.conditions, ARTIFACT_VERIFIED) ?? { ...NOT_LOOKED_AT, status: 'Unknown' };
  const { reason, message } = artifact || verified.status === 'False' ? verified : UNKNOWN_BYTES;
  // Of a folder without ONNX nothing but the digests can be proven, and that is done by whoever fetches it.
  const mayBe = verified.status === 'True' || (spec.format === 'mlflow' && verified.status !== 'False');
  return {
    ...(artifact && { release: { version, digest: artifact.digest, artifact } }),
    isReady: artifact !== undefined && mayBe,
    ...{ reason, message },
  };
}

/** The files the version was registered with, or was found to have when it was brought without a list. */
function folderArtifact(
  { uri, files }: ModelVersion['spec']['source'],
  proven: Artifact | undefined,
): Artifact | undefined {
  if (files) return { uri, files, digest: artifactDigest(files) };
  return proven?.uri === uri ? proven : undefined;
}

function gateFailureOf({ lineage }: ModelVersion['spec']): Pick<VersionFacts, 'gateFailure'> {
  const gate = lineage?.gate;
  if (gate?.passed !== false) return {};
  const failed = gate.results.filter(({ passed }) => !passed).map(({ message }) => message);
  return { gateFailure: failed.length === 0 ? 'its gates failed' : `its gates failed (${failed.join('; ')})` };
}

export interface Problem {
  readonly reason: string;
  readonly message: string;
}
export type Choice = { readonly release: Release } | { readonly problem: Problem };

export interface Wish {
  readonly namespace: string;
  readonly name: string;
  readonly model: string;
  /** A number, `latest`, a stage, or `@` and an alias. */
  readonly version: number | string;
}

interface Known {
  readonly versions: readonly VersionFacts[];
  /** What answers already: it is proven, whatever its object says at the moment. */
  readonly serving: ReleaseId | undefined;
  /** Why a release must not be tried now; undefined when it may. */
  readonly refusalOf: (release: ReleaseId) => Problem | undefined;
}

/** The release that is asked for, or why there is none and what to do. */
export function choose(wish: Wish, known: Known): Choice {
  if (known.versions.length === 0) return { problem: modelNotFound(wish) };
  if (typeof wish.version === 'number') return numbered(wish, wish.version, known);
  return wish.version === 'latest' ? latest(wish, known) : labelled(wish, wish.version, known);
}

/** True when the version may be served: proven, or what answers already. */
const isUsable =
  (serving: ReleaseId | undefined) =>
  ({ release, isReady, isDeleting }: VersionFacts): boolean =>
    release !== undefined && (isSame(release, serving) || (isReady && !isDeleting));

/** A stage means its highest ready number, an alias the one version it points to. */
function labelled(wish: Wish, label: string, { versions, serving, refusalOf }: Known): Choice {
  const has = ({ stage, aliases }: VersionFacts) =>
    label.startsWith('@') ? aliases.includes(label.slice(1)) : stage === label;
  const labels = versions.filter(has);
  const [newest] = labels;
  if (!newest) return { problem: nothingLabelled(wish, label, versions[0] as VersionFacts) };
  const release = labels.find(isUsable(serving))?.release;
  if (!release) return { problem: notReady(wish, newest) };
  const refusal = isSame(release, serving) ? undefined : refusalOf(release);
  return refusal ? { problem: refusal } : { release };
}

function nothingLabelled({ namespace, model }: Wish, label: string, newest: VersionFacts): Problem {
  const patch = (spec: object) =>
    `kubectl patch mv ${modelVersionName(model, newest.version)} -n ${namespace} --type=merge -p '${JSON.stringify({ spec })}'`;
  const alias = label.slice(1);
  const message = label.startsWith('@')
    ? `no version of model ${model} has the alias ${alias} (${patch({ aliases: [...newest.aliases, alias] })})`
    : `no version of model ${model} is in stage ${label} (${patch({ stage: label })})`;
  return { reason: Reason.VersionNotFound, message };
}

const modelNotFound = ({ namespace, model }: Wish): Problem => ({
  reason: Reason.ModelNotFound,
  message: `model ${model} has no version in namespace ${namespace} yet; a TrainingJob with spec.model ${model} makes one (see which there are: kubectl get tj,mv -n ${namespace})`,
});

function numbered(wish: Wish, version: number, { versions, serving, refusalOf }: Known): Choice {
  const facts = versions.find((candidate) => candidate.version === version);
  if (!facts) {
    const numbers = versions.map((known) => known.version);
    const more = numbers.length > 20 ? ', …' : '';
    const message = `model ${wish.model} has no version ${version}; there are ${numbers.slice(0, 20).join(', ')}${more} (kubectl patch infsvc ${wish.name} -n ${wish.namespace} --type=merge -p '{"spec":{"version":"${numbers[0]}"}}')`;
    return { problem: { reason: Reason.VersionNotFound, message } };
  }
  const { release } = facts;
  if (release && isSame(release, serving)) return { release };
  if (!release || !facts.isReady || facts.isDeleting) return { problem: notReady(wish, facts) };
  const refusal = refusalOf(release);
  return refusal ? { problem: refusal } : { release };
}

function latest(wish: Wish, { versions: all, serving, refusalOf }: Known): Choice {
  const versions = all.filter(({ stage, gateFailure }) => stage !== 'Archived' && gateFailure === undefined);
  if (versions.length === 0) return { problem: noneIsLatest(wish, all) };
  const releases = versions.filter(isUsable(serving)).map(({ release }) => release as Release);
  const release = releases.find((candidate) => isSame(candidate, serving) || !refusalOf(candidate));
  if (release) return { release };
  const [newest] = releases;
  const refusal = newest && refusalOf(newest);
  return { problem: refusal ?? notReady(wish, versions[0] as VersionFacts) };
}

function noneIsLatest({ namespace, name, model }: Wish, versions: readonly VersionFacts[]): Problem {
  const { version } = versions[0] as VersionFacts;
  const failed = versions.find(({ gateFailure }) => gateFailure !== undefined);
  const message = failed
    ? `every version of model ${model} is archived or failed its gates (version ${failed.version}: ${failed.gateFailure}): train a better one, or ask for one by its number (kubectl patch infsvc ${name} -n ${namespace} --type=merge -p '{"spec":{"version":"${failed.version}"}}')`
    : `every version of model ${model} is archived: train a new one, or take one out of the archive (kubectl patch mv ${modelVersionName(model, version)} -n ${namespace} --type=merge -p '{"spec":{"stage":"None"}}')`;
  return { reason: Reason.VersionNotFound, message };
}

function notReady({ namespace, model }: Wish, facts: VersionFacts): Problem {
  const what = facts.isDeleting ? 'is being deleted' : `is not ready: ${facts.reason}: ${facts.message}`;
  return {
    reason: Reason.VersionNotReady,
    message: `version ${facts.version} of model ${model} ${what} (kubectl get mv -n ${namespace} -o wide)`,
  };
}
