/** How a container tells why it ended: one JSON object in its termination message (at most 4096 bytes). */
import { z } from 'zod';
import { ArtifactFile, Sha256 } from './artifact.ts';
import { DepositReport } from './conversion.ts';
import { ModelSignature } from './signature.ts';

export const TERMINATION_LOG = '/dev/termination-log';
export const MAX_TERMINATION_BYTES = 4096;
/**
 * For why something failed. A kubelet keeps 12 KiB for all messages of a pod, cut into equal parts, and a training pod has five
 * containers: what was cut could not be parsed.
 */
export const MAX_FAILURE_BYTES = 2400;

/** Repeating cannot help: bad data, bad parameters, a bad model. The Job fails at once instead of retrying. */
export const EXIT_TERMINAL = 65;
/** A store stayed away until the container gave up: the Job's retries may help. */
export const EXIT_UNAVAILABLE = 75;

export const Stage = z.enum([
  'fetch',
  'train',
  'watch',
  'publish',
  'verify',
  'serve',
  'batch',
  'ship',
  'convert',
  'deposit',
]);
export type Stage = z.infer<typeof Stage>;

/** Why a container failed; the same words appear as condition reasons. */
export const FailureReason = z.enum([
  'InvalidConfiguration',
  'InputNotFound',
  'InputUnavailable',
  'InputUriNotAllowed',
  'DigestMismatch',
  'UnknownAlgorithm',
  'InvalidParameter',
  'TargetNotFound',
  'FeatureNotFound',
  'InvalidCell',
  'InvalidTarget',
  'EmptyInput',
  'TooManyCategories',
  'NoModelProduced',
  'InvalidModel',
  'InvalidMetrics',
  'ArtifactMissing',
  'UnsupportedOperator',
  'SignatureMismatch',
  'LoadTimeout',
  'OutOfMemory',
  'ParityFailed',
  'FormatNotServable',
  'ConversionTimeout',
  'BucketMissing',
  'ObjectStorageUnavailable',
  'ObjectStorageDenied',
  'PostgresUnavailable',
  'PublishRefused',
  'InternalError',
]);
export type FailureReason = z.infer<typeof FailureReason>;

export const Failure = z.object({ stage: Stage, reason: FailureReason, message: z.string() });
export type Failure = z.infer<typeof Failure>;

/** What `verify` reports on success; `files` only when the version was brought without digests and they fit. */
export const VerifyReport = z.object({
  stage: z.literal('verify'),
  reason: z.literal('Verified'),
  message: z.string(),
  digest: z.string(),
  files: z.array(ArtifactFile).exactOptional(),
  signature: ModelSignature.exactOptional(),
});
export type VerifyReport = z.infer<typeof VerifyReport>;

export const TerminationMessage = z.union([VerifyReport, Failure]);
export type TerminationMessage = z.infer<typeof TerminationMessage>;

/** What `fetch` says when the files are there: the digest of what it brought. */
export const FetchReport = z.object({
  stage: z.literal('fetch'),
  reason: z.literal('Fetched'),
  message: z.string(),
  digest: Sha256,
});
export type FetchReport = z.infer<typeof FetchReport>;

function parsed<T>(schema: z.ZodType<T>, text: string | undefined): T | undefined {
  if (!text) return undefined;
  try {
    return schema.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}

/**
 * Parses the termination message of a container that failed or verified; undefined when it is none of those (a log tail,
 * or what a container says that has done its part).
 */
export const parseTerminationMessage = (text: string | undefined): TerminationMessage | undefined =>
  parsed(TerminationMessage, text);

/** The report of a `fetch` that succeeded; undefined for anything else. */
export const parseFetchReport = (text: string | undefined): FetchReport | undefined => parsed(FetchReport, text);

/** The report of a `deposit` that succeeded; undefined for anything else. */
export const parseDepositReport = (text: string | undefined): DepositReport | undefined => parsed(DepositReport, text);

/** Renders a message that fits the kubelet's limits: the longest beginning of `message` that does is kept. */
export function renderTerminationMessage(message: TerminationMessage | FetchReport | DepositReport): string {
  const characters = [...message.message];
  const render = (kept: number) =>
    JSON.stringify(
      kept === characters.length ? message : { ...message, message: `${characters.slice(0, kept).join('')}…` },
    );
  const most = FailureReason.safeParse(message.reason).success ? MAX_FAILURE_BYTES : MAX_TERMINATION_BYTES;
  const fits = (kept: number) => Buffer.byteLength(render(kept)) <= most;
  if (fits(characters.length)) return render(characters.length);
  // JSON escapes make bytes per character uneven, so the cut is searched for.
  let [low, high] = [0, characters.length];
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (fits(middle)) low = middle;
    else high = middle;
  }
  return render(low);
}
