/** What the conversion Job has come to. Pure. */
import {
  CONVERT_LABEL,
  type DepositReport,
  derivedKey,
  isWholeDeposit,
  parseDepositReport,
  parseFetchReport,
  parseTerminationMessage,
  s3Uri,
  type VerifyReport,
} from '@slipway/contract';
import type { ModelVersionRow } from '@slipway/database';
import { failedCondition, isFinished, type Job } from '../../api/batch-job.ts';
import type { DependencyHealth } from '../../api/health.ts';
import { isControlledBy, type ObjectKey } from '../../api/meta.ts';
import { containerStatuses, type Pod, unschedulableMessage, waitingFor } from '../../api/pod.ts';
import { DISRUPTED, EVICTED, OUT_OF_MEMORY, type PodFailure, podFailure } from '../../api/pod-failure.ts';
import { knownOutage } from '../outage.ts';
import type { ConverterSettings } from '../ports.ts';
import { Reason } from './api.ts';
import { LOADER } from './job.ts';
import { isFinal, type Words } from './verdict.ts';

export type ConvertVerdict =
  | ({ readonly kind: 'underWay' } & Words)
  | {
      readonly kind: 'converted';
      readonly deposit: DepositReport;
      readonly verified: VerifyReport;
      /** Digest of the original, as it was fetched. */
      readonly fetched?: string;
    }
  /** `final`: it lies in the model, and repeating would only repeat it. */
  | ({ readonly kind: 'failed'; readonly final: boolean } & Words)
  /** The Job is over, but no pod of it is there to say how. */
  | { readonly kind: 'unheard' };

interface Seen {
  readonly job: Job | undefined;
  readonly pods: readonly Pod[];
  readonly health: DependencyHealth;
  readonly bucket: string;
  readonly row: ModelVersionRow;
  readonly converter: ConverterSettings;
}

/** `key` is where the Job is or will be. */
export function convertVerdictOf(key: ObjectKey, seen: Seen): ConvertVerdict {
  const { job, pods: allPods, health, converter } = seen;
  if (!job) return noPod(key);
  const pods = allPods.filter((pod) => isControlledBy(pod, job));
  const done = pods.map((pod) => doneBy(pod, seen)).find((found) => found !== undefined);
  if (done) return done;
  const failures = pods.map(podFailure).filter((failure) => failure !== undefined);
  // What lies in the model is not tried again, whatever attempts the Job has left.
  const final = failures.map((failure) => failureOf(failure, converter)).find((failed) => failed.final);
  if (final) return final;
  if (!isFinished(job)) return underWay(key, pods, health);
  const last = failures.findLast(({ reason }) => reason !== DISRUPTED) ?? failures.at(-1);
  if (failedCondition(job)?.reason === 'DeadlineExceeded') {
    const why = last ? `; the last attempt: ${last.message}` : '';
    const message = `it was not converted within ${converter.deadlineSeconds} s (converter.deadlineSeconds of the chart)${why}`;
    return { kind: 'failed', final: false, reason: Reason.ConversionFailed, message };
  }
  return last ? failureOf(last, converter) : { kind: 'unheard' };
}

/** The same before and after its Job is there, so that a start is told once. */
const noPod = ({ namespace, name }: ObjectKey): ConvertVerdict =>
  pending(`waiting for its pod; what is in its way: kubectl describe job ${name} -n ${namespace}`);
const pending = (message: string): ConvertVerdict => ({ kind: 'underWay', reason: Reason.Pending, message });

const lastWords = (pod: Pod, container: string): string | undefined =>
  containerStatuses(pod).find(({ name }) => name === container)?.state.terminated?.message;

/** The reports of a pod that came to its end: what was stored must be what was verified, where it belongs. */
function doneBy(pod: Pod, { bucket, row }: Seen): ConvertVerdict | undefined {
  if (pod.status.phase !== 'Succeeded') return undefined;
  const deposit = parseDepositReport(lastWords(pod, 'deposit'));
  const verified = parseTerminationMessage(lastWords(pod, 'verify'));
  if (!deposit || verified?.reason !== 'Verified') {
    const message = 'its pod came to its end, but what verify and deposit said of it cannot be read';
    return { kind: 'failed', final: false, reason: Reason.ConversionFailed, message };
  }
  const key = derivedKey({ ...row, digest: verified.digest });
  const isSame =
    deposit.digest === verified.digest && isWholeDeposit(deposit) && deposit.uri === s3Uri({ bucket, key });
  if (!isSame) {
    const message = `what was stored (${deposit.digest}) is not what was verified (${verified.digest})`;
    return { kind: 'failed', final: false, reason: Reason.ConversionFailed, message };
  }
  const fetched = parseFetchReport(lastWords(pod, 'fetch'))?.digest;
  return { kind: 'converted', deposit, verified, ...(fetched !== undefined && { fetched }) };
}

type Failed = Extract<ConvertVerdict, { kind: 'failed' }>;

function failureOf(failure: PodFailure, converter: ConverterSettings): Failed {
  const { reason, message, container } = failure;
  if (reason === EVICTED) {
    const words = `the conversion wrote more than it may, and its pod was evicted (${message})`;
    return { kind: 'failed', final: true, reason: Reason.ConversionFailed, message: words };
  }
  if (container === 'convert') return converterFailure(failure, converter);
  if (container === 'verify' && reason === OUT_OF_MEMORY) {
    const limit = LOADER.limits.memory;
    const words = `the converted model needs more memory than the verifier may use (${limit}): make the model smaller`;
    return { kind: 'failed', final: true, reason, message: words };
  }
  if (container === 'verify' && isFinal(reason)) {
    return {
      kind: 'failed',
      final: true,
      reason,
      message: `it was converted, but the result does not hold: ${message}`,
    };
  }
  if (reason === 'InvalidModel') return { kind: 'failed', final: true, reason, message };
  return { kind: 'failed', final: false, reason: told.has(reason) ? reason : Reason.ConversionFailed, message };
}

/** What `fetch` and `deposit` say, in their own words: it lies in the store or in what was put there. */
const told: ReadonlySet<string> = new Set([
  ...['DigestMismatch', 'ArtifactMissing', 'InputUriNotAllowed', 'InvalidConfiguration'],
  ...['ObjectStorageUnavailable', 'ObjectStorageDenied', 'BucketMissing', Reason.ConfigurationError],
]);

/** What the converter may say of a model. Foreign code ran beside it: anything else it says counts as a failure of its own. */
const OF_THE_MODEL: ReadonlySet<string> = new Set([
  ...[Reason.FormatNotServable, 'ParityFailed', 'InvalidModel', 'ConversionTimeout'],
]);

function converterFailure({ reason, message }: PodFailure, converter: ConverterSettings): Failed {
  if (reason === OUT_OF_MEMORY) {
    const limit = converter.resources.limits?.['memory'];
    const words =
      `the conversion needs more memory than it may use${limit === undefined ? '' : ` (${limit})`}: ` +
      `raise converter.resources.limits.memory of the chart, then take the label ${CONVERT_LABEL} from the namespace and ` +
      'give it back; or make the model smaller';
    return { kind: 'failed', final: true, reason, message: words };
  }
  if (OF_THE_MODEL.has(reason)) return { kind: 'failed', final: true, reason, message };
  return { kind: 'failed', final: false, reason: Reason.ConversionFailed, message };
}

function underWay(key: ObjectKey, pods: readonly Pod[], health: DependencyHealth): ConvertVerdict {
  const pod = pods.find(({ status }) => status.phase === 'Pending' || status.phase === 'Running');
  if (!pod) return noPod(key);
  const waiting = waitingFor(pod);
  if (waiting) return { kind: 'underWay', reason: waiting.reason, message: `${waiting.message}; it is tried again` };
  const unschedulable = unschedulableMessage(pod);
  if (unschedulable !== undefined) {
    return { kind: 'underWay', reason: Reason.Unschedulable, message: `no node takes the pod: ${unschedulable}` };
  }
  return running(pod, health);
}

const STAGES: Readonly<Record<string, string>> = {
  fetch: 'the files are being fetched',
  convert: 'the model is being converted to ONNX',
  verify: 'the converted model is being loaded and tested',
  deposit: 'the converted model is being stored',
};

function running(pod: Pod, health: DependencyHealth): ConvertVerdict {
  const active = containerStatuses(pod).find(({ state }) => state.running);
  if (!active) return pending('the pod of the conversion is starting');
  const usesStore = active.name === 'fetch' || active.name === 'deposit';
  const outage = usesStore ? knownOutage('objectStorage', health) : undefined;
  if (outage) return { kind: 'underWay', ...outage };
  return { kind: 'underWay', reason: Reason.Converting, message: STAGES[active.name] ?? 'the conversion goes on' };
}
