/**
 * From a version that Python alone can load to the ONNX it is converted to. What was converted is recorded in Postgres
 * beside the original, once: neither another converter image nor a label that is taken away changes it again.
 */
import type { DerivedModel, ModelVersionRow } from '@slipway/database';
import { finishedAt, isFinished, Job } from '../../api/batch-job.ts';
import { findCondition } from '../../api/conditions.ts';
import { COMPONENT_LABEL } from '../../api/containers.ts';
import { isControlledBy } from '../../api/meta.ts';
import { Pod } from '../../api/pod.ts';
import type { Result } from '../../runtime/reconcile.ts';
import type { ConverterSettings } from '../ports.ts';
import { ModelVersion, type ModelVersionStatus, READY, Reason } from './api.ts';
import { conversionRefusal, conversionStatus, convertedMessage, isJudged } from './conversion.ts';
import { convertJobFor } from './convert-job.ts';
import { type ConvertVerdict, convertVerdictOf } from './convert-verdict.ts';
import { CONVERTER_IMAGE_ANNOTATION, convertJobKey, MODEL_VERSION_LABEL } from './names.ts';
import { converted, notServable, ofThisGeneration, refused, statusFor, undecided, withServedBy } from './status.ts';
import { type Turn, users } from './turn.ts';

const LOOK_AGAIN_MS = 10_000;
/** A failure that does not lie in the model is tried again after this long. */
const RETRY_MS = 600_000;
/** How long a finished Job may be without a pod to speak for it before it is made again. */
const SILENCE_MS = 30_000;

/** The whole way of a version without ONNX; resolves with what its status is to say. */
export async function convert(turn: Turn, row: ModelVersionRow): Promise<Result<ModelVersionStatus>> {
  const { deps, ctx, modelVersion } = turn;
  if (row.derived) return conclude(turn, row, row.derived);
  const { settings } = deps;
  const { converter } = settings;
  const isAllowed = converter !== undefined && (await deps.conversions.mayConvert(row.namespace));
  const refusal = conversionRefusal(row, settings, isAllowed);
  if (refusal || !converter) {
    await stop(turn);
    return { status: said(turn, row, notServable(refusal as NonNullable<typeof refusal>)) };
  }
  if (isJudged(modelVersion, converter.image)) {
    const { status = {} } = modelVersion;
    return { status: withServedBy(ofThisGeneration(modelVersion, ctx.now()), users(turn, status.version)) };
  }
  return await work(turn, row, converter);
}

/** Looks after the Job: makes it, hears it, and makes it again where that may help. */
async function work(
  turn: Turn,
  row: ModelVersionRow,
  converter: ConverterSettings,
): Promise<Result<ModelVersionStatus>> {
  const { deps, ctx, modelVersion } = turn;
  const { namespace, name } = modelVersion.metadata;
  const key = convertJobKey(modelVersion);
  const job = await currentJob(turn, converter);
  if (job === 'going') return { status: said(turn, row, undecided(PREPARING)), requeueAfterMs: LOOK_AGAIN_MS };
  if (!job) {
    if (goingOn(turn) >= converter.maxParallel) return queued(turn, row, converter);
    await deps.tenants.ensure(namespace);
    // Before there is anything it could hold back.
    await deps.conversions.ensurePolicy(namespace, policyOwners(turn));
    await ctx.kube.apply(convertJobFor(modelVersion, { row, settings: deps.settings, converter }));
  }
  const pods = ctx.kube.list(Pod, { namespace, labels: { [MODEL_VERSION_LABEL]: name } });
  const seen = { job, pods, health: deps.health(), bucket: deps.settings.bucket, row, converter };
  const verdict = convertVerdictOf(key, seen);
  if (verdict.kind === 'converted') return recordConversion(turn, row, { verdict, image: imageOf(job, converter) });
  if (verdict.kind === 'failed') return failed(turn, row, { verdict, image: imageOf(job, converter), job: job as Job });
  if (verdict.kind === 'unheard') {
    await dropSilent(turn, job as Job);
    return { status: said(turn, row, undecided(PREPARING)), requeueAfterMs: LOOK_AGAIN_MS };
  }
  return { status: underWay(turn, row, verdict), requeueAfterMs: LOOK_AGAIN_MS };
}

/** The image that a Job converts with: an upgrade may have named another one since it was made. */
const imageOf = (job: Job | undefined, { image }: ConverterSettings): string =>
  job?.metadata.annotations?.[CONVERTER_IMAGE_ANNOTATION] ?? image;

/** Conversions that go on, in all namespaces; what was begun a moment ago may not be counted yet. */
const goingOn = ({ ctx }: Turn): number =>
  ctx.kube.list(Job, { labels: { [COMPONENT_LABEL]: 'conversion' } }).filter((job) => !isFinished(job)).length;

function queued(turn: Turn, row: ModelVersionRow, { maxParallel }: ConverterSettings): Result<ModelVersionStatus> {
  const message = `${maxParallel} other conversions go on (converter.maxParallel of the chart); it begins when one of them has ended`;
  return {
    status: underWay(turn, row, { kind: 'underWay', reason: Reason.Pending, message }),
    requeueAfterMs: LOOK_AGAIN_MS,
  };
}

const PREPARING = { reason: Reason.Pending, message: 'the conversion is being prepared' };

/**
 * The Job of this conversion. One that another image has finished, or that belongs to an object of this name that is gone,
 * makes room first: `going`.
 */
async function currentJob(
  { ctx, modelVersion }: Turn,
  { image }: ConverterSettings,
): Promise<Job | 'going' | undefined> {
  const job = ctx.kube.get(Job, convertJobKey(modelVersion));
  if (!job) return undefined;
  if (job.metadata.deletionTimestamp || !isControlledBy(job, modelVersion)) return 'going';
  const isOfAnother = job.metadata.annotations?.[CONVERTER_IMAGE_ANNOTATION] !== image;
  if (!isOfAnother || !isFinished(job)) return job;
  await ctx.kube.delete(Job, job);
  return 'going';
}

/** Versions that are converted now, so that the policy goes with the last of them. */
const policyOwners = ({ ctx, modelVersion }: Turn): readonly ModelVersion[] => {
  const { namespace, name } = modelVersion.metadata;
  const others = ctx.kube
    .list(ModelVersion, { namespace })
    .filter(({ metadata }) => metadata.name !== name && ctx.kube.get(Job, convertJobKey({ metadata })) !== undefined);
  return [modelVersion, ...others];
};

/** Nothing is to be converted here (any more): what runs is stopped, and what is left of it taken away. */
async function stop({ ctx, modelVersion }: Turn): Promise<void> {
  const job = ctx.kube.get(Job, convertJobKey(modelVersion));
  if (job && !job.metadata.deletionTimestamp && isControlledBy(job, modelVersion)) await ctx.kube.delete(Job, job);
}

type Verdict<K extends ConvertVerdict['kind']> = Extract<ConvertVerdict, { kind: K }>;

async function recordConversion(
  turn: Turn,
  row: ModelVersionRow,
  { verdict, image }: { readonly verdict: Verdict<'converted'>; readonly image: string },
): Promise<Result<ModelVersionStatus>> {
  const { deps } = turn;
  const { deposit, verified, fetched } = verdict;
  const digest = row.artifact?.digest ?? fetched;
  const from = { uri: row.sourceUri, ...(digest !== undefined && { digest }) };
  const conversion = { ...deposit.conversion, from, image };
  const derived = await deps.versions.recordConversion(row.namespace, row.model, row.version, {
    artifact: { uri: deposit.uri, files: deposit.files, digest: deposit.digest },
    ...(verified.signature && { signature: verified.signature }),
    conversion,
    message: convertedMessage(conversion),
  });
  // Deleted meanwhile: the next turn takes the object away.
  if (!derived) return { status: turn.modelVersion.status ?? {}, requeueAfterMs: 0 };
  return conclude(turn, row, derived);
}

/** Proven: the Job is no longer needed. */
async function conclude(turn: Turn, row: ModelVersionRow, derived: DerivedModel): Promise<Result<ModelVersionStatus>> {
  const { ctx, modelVersion } = turn;
  const { artifact, signature, message } = derived;
  const { version } = row;
  const proof = { artifact, message, conversion: conversionStatus(derived), ...(signature && { signature }) };
  const servedBy = users(turn, version);
  return { status: statusFor(modelVersion, { version, servedBy, said: converted(message), proof, now: ctx.now() }) };
}

async function failed(
  turn: Turn,
  row: ModelVersionRow,
  { verdict, image, job }: { readonly verdict: Verdict<'failed'>; readonly image: string; readonly job: Job },
): Promise<Result<ModelVersionStatus>> {
  const { ctx } = turn;
  const { reason, message } = verdict;
  if (verdict.final) {
    // Its attempts would only repeat this one. One that has ended stays, with its logs.
    if (!isFinished(job)) await stop(turn);
    const tried = { from: { uri: row.sourceUri }, image };
    return { status: said(turn, row, notServable({ reason, message }), tried) };
  }
  const status = said(turn, row, refused({ reason, message: `${message}; it is tried again every 10 minutes` }));
  // Its pod may have ended before the Job is counted as over.
  const sinceMs = ctx.now().getTime() - (finishedAt(job) ?? ctx.now()).getTime();
  if (sinceMs < RETRY_MS) return { status, requeueAfterMs: RETRY_MS - sinceMs };
  await stop(turn);
  return { status, requeueAfterMs: LOOK_AGAIN_MS };
}

/** A version that was refused for a reason that may pass stays so until another try has said otherwise. */
function underWay(turn: Turn, row: ModelVersionRow, verdict: Verdict<'underWay'>): ModelVersionStatus {
  const { status = {} } = turn.modelVersion;
  const ready = findCondition(status.conditions, READY);
  const isRefused = ready?.status === 'False' && ready.reason !== Reason.FormatNotServable && !status.conversion;
  if (isRefused) return { ...withServedBy(status, users(turn, row.version)), version: row.version };
  return said(turn, row, undecided(verdict));
}

const said = (
  turn: Turn,
  { version }: ModelVersionRow,
  words: Parameters<typeof statusFor>[1]['said'],
  tried?: ModelVersionStatus['conversion'],
): ModelVersionStatus =>
  statusFor(turn.modelVersion, {
    ...{ version, servedBy: users(turn, version), said: words, now: turn.ctx.now() },
    ...(tried && { tried }),
  });

/** Its report cannot be heard any more: it is made again. The watch of the pods gets some time first. */
async function dropSilent(turn: Turn, job: Job): Promise<void> {
  const silentMs = turn.ctx.now().getTime() - (finishedAt(job)?.getTime() ?? 0);
  if (silentMs >= SILENCE_MS) await stop(turn);
}
