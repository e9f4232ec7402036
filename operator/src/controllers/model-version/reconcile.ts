/**
 * From a ModelVersion to its row, its verification and its proof. The proof is recorded in Postgres and in the status;
 * once it is there nothing is verified again.
 */
import type { ModelVersionRow } from '@slipway/database';
import { finishedAt, Job } from '../../api/batch-job.ts';
import { findCondition, isTrue } from '../../api/conditions.ts';
import { TerminalError } from '../../api/errors.ts';
import { Pod } from '../../api/pod.ts';
import type { Context, Result } from '../../runtime/reconcile.ts';
import { isProjection, mirror } from '../mirroring.ts';
import { outageOf } from '../outage.ts';
import type { ControllerDeps } from '../ports.ts';
import { ModelVersion, type ModelVersionStatus, READY, Reason } from './api.ts';
import { verifyJobFor } from './job.ts';
import { convertJobKey, MODEL_VERSION_LABEL, verifyJobKey } from './names.ts';
import { convert } from './reconcile-convert.ts';
import { recordedFailure, sourceRefusal, storedElsewhere } from './source.ts';
import {
  conditionsFor,
  notServable,
  ofThisGeneration,
  type Proof,
  proven,
  refused,
  statusFor,
  undecided,
  withServedBy,
} from './status.ts';
import { type Turn, users } from './turn.ts';
import { isFinal, type Verdict, verdictOf, type Words } from './verdict.ts';

const LOOK_AGAIN_MS = 10_000;
/** A failure that does not lie in the bytes is tried again after this long. */
const RETRY_MS = 600_000;
const UNKNOWN_RETRY_MS = 300_000;
/** How long a finished Job may be without a pod to speak for it before it is made again. */
const SILENCE_MS = 30_000;

export async function reconcile(
  deps: ControllerDeps,
  ctx: Context,
  modelVersion: ModelVersion,
): Promise<Result<ModelVersionStatus>> {
  const turn = { deps, ctx, modelVersion };
  const { status = {} } = modelVersion;
  try {
    return await mirrored(turn);
  } catch (error) {
    const now = ctx.now();
    const outage = outageOf(error, { health: deps.health(), status, summary: READY, now });
    if (!outage) throw error;
    // What is proven stays so; what was edited meanwhile is carried over when the store is back.
    if (isSettled(modelVersion)) return { ...(await steady(turn)), requeueAfterMs: LOOK_AGAIN_MS };
    const conditions = conditionsFor(modelVersion, undecided(outage), now);
    return { status: { ...status, conditions }, requeueAfterMs: LOOK_AGAIN_MS };
  }
}

/** Object and row first say the same; then it is looked at what the bytes are worth. */
async function mirrored(turn: Turn): Promise<Result<ModelVersionStatus>> {
  const { deps, ctx, modelVersion } = turn;
  const { status = {} } = modelVersion;
  const row = await rowOf(turn);
  if (!row) {
    await ctx.kube.delete(ModelVersion, modelVersion);
    return { status };
  }
  const { rewritten, notes } = await mirror(deps, ctx, modelVersion, row);
  if (rewritten) return { status, rewritten, notes };
  const result = isKnown(modelVersion, row)
    ? await steady(turn)
    : await (row.format === 'onnx' ? prove : convert)(turn, row);
  return { ...result, notes };
}

/**
 * A registration that somebody waits for is proven, whatever the object says of one before it; what is not ONNX may be
 * allowed to be converted at any time.
 */
function isKnown(modelVersion: ModelVersion, { status, format }: ModelVersionRow): boolean {
  if (!isSettled(modelVersion) || status === 'PENDING_REGISTRATION') return false;
  return format === 'onnx' || isTrue(modelVersion.status?.conditions, READY);
}

/** Nothing can change any more but who uses it, and what people say of it. */
async function steady(turn: Turn): Promise<Result<ModelVersionStatus>> {
  const { ctx, modelVersion } = turn;
  const { status = {} } = modelVersion;
  if (isTrue(status.conditions, READY)) await dropJobs(turn);
  return { status: withServedBy(ofThisGeneration(modelVersion, ctx.now()), users(turn, status.version)) };
}

/** True when the status tells what the bytes are worth: a version never changes, so nothing else will. */
function isSettled({ status }: ModelVersion): boolean {
  const ready = findCondition(status?.conditions, READY);
  if (!ready || findCondition(status?.conditions, 'Stalled')) return false;
  return ready.status === 'True' ? status?.artifact !== undefined : ready.status === 'False' && isFinal(ready.reason);
}

async function prove(turn: Turn, row: ModelVersionRow): Promise<Result<ModelVersionStatus>> {
  const { deps, ctx, modelVersion } = turn;
  const { namespace, name } = modelVersion.metadata;
  const refusal = storedElsewhere(row, deps.settings.bucket);
  if (refusal) return refuse(turn, row, refusal);
  const told = recordedFailure(row);
  if (told) return { status: failedStatus(turn, row, { ...told, container: 'verify' }) };
  // Recorded before the status could be written, or the object is a new mirror of a proven version.
  if (row.status === 'READY' && row.artifact) {
    return conclude(turn, row, { artifact: row.artifact, message: row.statusMessage || 'verified', ...signed(row) });
  }
  const key = verifyJobKey(modelVersion);
  const job = ctx.kube.get(Job, key);
  if (!job) await ctx.kube.apply(verifyJobFor(modelVersion, row, deps.settings));
  const pods = ctx.kube.list(Pod, { namespace, labels: { [MODEL_VERSION_LABEL]: name } });
  const verdict = verdictOf(key, { job, pods, health: deps.health() });
  if (verdict.kind === 'proven') return recordProof(turn, row, verdict.report);
  if (verdict.kind === 'failed') return recordFailure(turn, row, verdict, job as Job);
  if (verdict.kind === 'unheard') await dropSilentJob(turn, job as Job);
  return wait(turn, row, verdict);
}

const signed = ({ signature }: Pick<ModelVersionRow, 'signature'>) => (signature ? { signature } : {});

/**
 * The row this object mirrors; a version somebody brought is numbered here. Undefined: the version was deleted in the
 * registry, and the object has nothing to stand for any more.
 */
async function rowOf(turn: Turn): Promise<ModelVersionRow | undefined> {
  const { deps, modelVersion } = turn;
  const { metadata, spec, status } = modelVersion;
  const { namespace } = metadata;
  if (spec.version !== undefined) return projectedRow(turn, spec.version);
  const known =
    status?.version === undefined ? undefined : await deps.versions.find(namespace, spec.model, status.version);
  // A number alone may be another version's, of a model made under the name this one had before it was renamed.
  const row = known?.sourceUri === spec.source.uri ? known : await brought(turn);
  return row.status === 'DELETED' ? undefined : row;
}

async function projectedRow(turn: Turn, version: number): Promise<ModelVersionRow | undefined> {
  const { deps, modelVersion } = turn;
  const { metadata, spec } = modelVersion;
  const { model, source } = spec;
  if (!isSettled(modelVersion)) await deps.tenants.ensure(metadata.namespace);
  const row = await deps.versions.find(metadata.namespace, model, version);
  const isThere = row !== undefined && row.status !== 'DELETED';
  if (isThere && row.sourceUri === source.uri) return row;
  if (!isThere && isProjection(modelVersion) && (row || (await deps.versions.isRenamed(metadata.namespace, model)))) {
    return undefined;
  }
  if (isThere && isSuperseded(turn, version)) return undefined;
  const message =
    `the registry knows ${isThere ? `another artifact (${row.sourceUri})` : 'nothing'} as version ${version} of model ${model}: ` +
    'to bring a version of your own leave out spec.version, and the next number is given';
  throw new TerminalError(Reason.VersionUnknown, message, { retryAfterMs: UNKNOWN_RETRY_MS });
}

/**
 * Object and row once were the same version, and neither ever changes its source: the model was renamed since, and this row
 * belongs to another one made under its old name. Whoever still serves the object keeps it.
 */
const isSuperseded = (turn: Turn, version: number): boolean => {
  const { modelVersion } = turn;
  return modelVersion.status?.version === version && isProjection(modelVersion) && users(turn, version).length === 0;
};

async function brought({ deps, modelVersion }: Turn): Promise<ModelVersionRow> {
  const { metadata, spec } = modelVersion;
  const { namespace, uid = '', creationTimestamp = '' } = metadata;
  await deps.tenants.ensure(namespace);
  const refusal = sourceRefusal(spec.source.uri, deps.settings.bucket, namespace);
  if (refusal !== undefined) throw new TerminalError(Reason.SourceNotAllowed, refusal);
  const { model, source } = spec;
  return deps.versions.registerBrought({
    namespace,
    model,
    sourceUri: source.uri,
    format: spec.format,
    objectUid: uid,
    creationTime: creationTimestamp,
  });
}

/** What cannot be served whatever its bytes are. A client that waits for the registration is told; a version that is only tracked stays READY. */
async function refuse(turn: Turn, row: ModelVersionRow, words: Words): Promise<Result<ModelVersionStatus>> {
  const { ctx, modelVersion } = turn;
  if (row.status === 'PENDING_REGISTRATION' && row.format === 'onnx') await record(turn, row, words);
  const { version } = row;
  const said = notServable(words);
  return { status: statusFor(modelVersion, { version, servedBy: users(turn, version), said, now: ctx.now() }) };
}

async function recordProof(
  turn: Turn,
  row: ModelVersionRow,
  report: Extract<Verdict, { kind: 'proven' }>['report'],
): Promise<Result<ModelVersionStatus>> {
  const { deps } = turn;
  const { digest, files, message } = report;
  const artifact = row.artifact ?? (files && { uri: row.sourceUri, files, digest });
  if (!artifact) {
    const words = {
      reason: 'InvalidModel',
      message: 'the model consists of too many files to be listed: bring a folder of at most 20',
    };
    await record(turn, row, words);
    return { status: failedStatus(turn, row, words) };
  }
  const signature = row.signature ?? report.signature;
  await deps.versions.recordVerification(row.namespace, row.model, row.version, {
    status: 'READY',
    message,
    ...(row.artifact ? {} : { artifact }),
    ...(signature && { signature }),
  });
  return conclude(turn, row, { artifact, message, ...(signature && { signature }) });
}

function conclude(turn: Turn, { version }: ModelVersionRow, proof: Proof): Result<ModelVersionStatus> {
  const { ctx, modelVersion } = turn;
  const servedBy = users(turn, version);
  const said = proven(proof.message);
  return { status: statusFor(modelVersion, { version, servedBy, said, proof, now: ctx.now() }) };
}

async function recordFailure(
  turn: Turn,
  row: ModelVersionRow,
  words: Words & { readonly container?: string },
  job: Job,
): Promise<Result<ModelVersionStatus>> {
  const { ctx } = turn;
  await record(turn, row, words);
  if (isFinal(words.reason)) return { status: failedStatus(turn, row, words) };
  const status = failedStatus(turn, row, { ...words, message: `${words.message}; it is tried again every 10 minutes` });
  const sinceMs = ctx.now().getTime() - (finishedAt(job)?.getTime() ?? 0);
  if (sinceMs < RETRY_MS) return { status, requeueAfterMs: RETRY_MS - sinceMs };
  if (!job.metadata.deletionTimestamp) await ctx.kube.delete(Job, job);
  return { status, requeueAfterMs: LOOK_AGAIN_MS };
}

/** The registry tells it too; what it tells already is not written again. */
async function record({ deps }: Turn, row: ModelVersionRow, { reason, message }: Words): Promise<void> {
  const told = `${reason}: ${message}`;
  if (row.status === 'FAILED_REGISTRATION' && row.statusMessage === told) return;
  const result = { status: 'FAILED_REGISTRATION', message: told } as const;
  await deps.versions.recordVerification(row.namespace, row.model, row.version, result);
}

function failedStatus(
  turn: Turn,
  { version }: ModelVersionRow,
  words: Words & { readonly container?: string },
): ModelVersionStatus {
  const { ctx, modelVersion } = turn;
  const said = refused(words);
  return statusFor(modelVersion, { version, servedBy: users(turn, version), said, now: ctx.now() });
}

/** Not known yet. A version that was refused stays so until another try has said otherwise. */
function wait(turn: Turn, { version }: ModelVersionRow, verdict: Verdict): Result<ModelVersionStatus> {
  const { ctx, modelVersion } = turn;
  const { status = {} } = modelVersion;
  const servedBy = users(turn, version);
  if (verdict.kind !== 'underWay' || findCondition(status.conditions, READY)?.status === 'False') {
    return { status: { ...withServedBy(status, servedBy), version }, requeueAfterMs: LOOK_AGAIN_MS };
  }
  const said = undecided(verdict);
  return {
    status: statusFor(modelVersion, { version, servedBy, said, now: ctx.now() }),
    requeueAfterMs: LOOK_AGAIN_MS,
  };
}

/** Its report cannot be heard any more: it is made again. The watch of the pods gets some time first. */
async function dropSilentJob({ ctx }: Turn, job: Job): Promise<void> {
  const silentMs = ctx.now().getTime() - (finishedAt(job)?.getTime() ?? 0);
  if (silentMs >= SILENCE_MS && !job.metadata.deletionTimestamp) await ctx.kube.delete(Job, job);
}

/** The proof is recorded: the Jobs and their pods are no longer needed. */
async function dropJobs({ ctx, modelVersion }: Turn): Promise<void> {
  for (const key of [verifyJobKey(modelVersion), convertJobKey(modelVersion)]) {
    const job = ctx.kube.get(Job, key);
    if (job && finishedAt(job) && !job.metadata.deletionTimestamp) await ctx.kube.delete(Job, job);
  }
}
