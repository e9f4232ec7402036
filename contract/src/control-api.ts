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
