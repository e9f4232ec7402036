/** The operator's control API, as serving pods call it: the token they show, what they send, what they hear. */
import { z } from 'zod';

/** The audience of the service-account token a serving pod shows; the API server's own audience is refused. */
export const CONTROL_AUDIENCE = 'slipway';
/** Where that token is mounted; the kubelet renews the file, so it is read at each use. */
export const OPERATOR_TOKEN_DIR = '/operator-token';
export const OPERATOR_TOKEN_FILE = 'token';

/** `POST`: asks for a run. The header `Idempotency-Key` (a UUID) names the request: the same key again is the same run. */
export const TRAIN_PATH = '/control/v1/train';
/** `GET <RUNS_PATH>/<request id or run id>?wait=<seconds>`: how it goes, as soon as it has ended or that time is over. */
export const RUNS_PATH = '/control/v1/runs';
/** The operator answers a waiting `GET` after this many seconds at most, whatever was asked for. */
export const MAX_WAIT_SECONDS = 30;
/** Larger parameters, as JSON, are refused. */
export const MAX_TRAIN_BYTES = 64 * 1024;

export const TrainRequest = z.strictObject({
  /** As the client wrote them; the operator says which are wrong. */
  parameters: z.record(z.string(), z.unknown()),
});
export type TrainRequest = z.infer<typeof TrainRequest>;

/** How a run goes, as clients of `POST /train` see it. */
export const RunAnswer = z.object({
  status: z.enum(['RUNNING', 'FINISHED', 'FAILED']),
  run_id: z.string(),
  /** The version it published. */
  version: z.int().exactOptional(),
  /** Last value by metric name. A value that is no number (NaN) is null in JSON. */
  metrics: z.record(z.string(), z.number().nullable()).exactOptional(),
  /** What its gates came to; absent: nothing was asked of the version. */
  gate: z.object({ passed: z.boolean(), results: z.array(z.string()) }).exactOptional(),
  /** Why it failed. */
  error: z.object({ reason: z.string(), message: z.string() }).exactOptional(),
});
export type RunAnswer = z.infer<typeof RunAnswer>;

/** The answer to `POST <TRAIN_PATH>`. */
export const TrainAnswer = RunAnswer.extend({ request_id: z.string() });
export type TrainAnswer = z.infer<typeof TrainAnswer>;

/**
 * `GET`: which version a service asks for and how that goes, as soon as it is settled or `?wait=<seconds>` is over;
 * `?generation=<n>` of an earlier answer asks about no state older than that one. `POST`: asks for another version.
 */
export const VERSION_PATH = '/control/v1/version';

/** The body of `POST <VERSION_PATH>`: a number, a stage, `latest`, or `@` and an alias. */
export const VersionRequest = z.strictObject({ version: z.unknown() });

export const VersionAnswer = z.object({
  /** SERVING: what is asked for answers on all replicas. FAILED: it will not, `error` says why. */
  status: z.enum(['SERVING', 'ROLLING_OUT', 'FAILED']),
  /** What spec.version says. */
  requested: z.string(),
  /** Of the object that says so. */
  generation: z.int(),
  /** The version that answers on all replicas. */
  version: z.int().exactOptional(),
  error: z.object({ reason: z.string(), message: z.string() }).exactOptional(),
});
export type VersionAnswer = z.infer<typeof VersionAnswer>;
