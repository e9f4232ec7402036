/** The environment of each subcommand, parsed once. */
import { dirname, join, resolve } from 'node:path';
import {
  ANSWERS_DIR,
  API_KEYS_DIR,
  CREDENTIALS_DIR,
  FRONT_PORT,
  HELD_OUT_FILE,
  MODEL_DIR,
  MODEL_FILE,
  ModelArtifact,
  OPERATOR_TOKEN_DIR,
  OUTPUT_DIR,
  PREDICTION_KEYS_DIR,
  PREDICTION_LOG_DIR,
  REFERENCES_DIR,
  Runtime,
  ServerIdentity,
  ServeSettings,
  TLS_DIR,
  TOKEN_KEYS_DIR,
} from '@slipway/contract';
import { z } from 'zod';
import { FailureError } from './failure.ts';

type Env = Readonly<Record<string, string | undefined>>;

const Json = z.string().transform((text, context): unknown => {
  try {
    return JSON.parse(text);
  } catch {
    context.addIssue({ code: 'custom', message: 'expected JSON' });
    return z.NEVER;
  }
});
/** Absolute, because the process changes its working directory. */
const Folder = z
  .string()
  .min(1)
  .transform((path) => resolve(path));
const Count = (fallback: number, most: number) => z.coerce.number().int().min(1).max(most).default(fallback);

const ModelEnv = z.object({
  MODEL_ARTIFACT: Json.pipe(ModelArtifact),
  MODEL_DIR: Folder.default(MODEL_DIR),
});
const FetchEnv = ModelEnv.extend({ CREDENTIALS_DIR: Folder.default(CREDENTIALS_DIR) });
const VerifyEnv = ModelEnv.extend({
  VERIFY_TIMEOUT_SECONDS: z.coerce.number().positive().max(3600).default(10),
  /** The folder is what a converter left: its files are not listed anywhere, and none of it is believed. */
  VERIFY_DERIVED: z.enum(['true', 'false']).default('false'),
});
const PredictEnv = z.object({
  HELD_OUT_FILE: Folder.default(join(OUTPUT_DIR, HELD_OUT_FILE)),
  CANDIDATE_DIR: Folder.default(join(OUTPUT_DIR, dirname(MODEL_FILE))),
  REFERENCES_DIR: Folder.default(REFERENCES_DIR),
  ANSWERS_DIR: Folder.default(ANSWERS_DIR),
  /** For every model. */
  PREDICT_TIMEOUT_SECONDS: z.coerce.number().positive().max(3600).default(120),
});
const ServeEnv = ModelEnv.extend({
  MODEL_ARTIFACT: Json.pipe(ModelArtifact.required({ digest: true })),
  ...ServerIdentity.shape,
  HOST: z.string().optional(),
  PORT: z.coerce.number().int().min(0).max(65_535).default(8080),
  SERVE_SETTINGS: Json.default({}).pipe(ServeSettings),
  /** Where lines of predictions are left for shipping. */
  PREDICTION_LOG_DIR: Folder.default(PREDICTION_LOG_DIR),
  /** Where the key lies that digests in them are made with. */
  PREDICTION_KEYS_DIR: Folder.default(PREDICTION_KEYS_DIR),
  /** Larger bodies are refused with 413. */
  MAX_BODY_BYTES: Count(8 * 1024 * 1024, 1024 ** 3),
  /** Requests with more rows are refused: one run of the model stops everything else for as long as it takes. */
  MAX_ROWS: Count(4096, 1_000_000),
  /** Requests waiting for the model beyond this are refused with 429. */
  MAX_QUEUED_REQUESTS: Count(1024, 1_000_000),
  /** A client that has not sent its whole request by then is let go. */
  REQUEST_TIMEOUT_MS: Count(10_000, 3_600_000),
  /** How long requests are still taken after SIGTERM, until every proxy knows that this pod is leaving. */
  DRAIN_DELAY_MS: z.coerce.number().int().min(0).max(600_000).default(5000),
  /** Where runs are asked for; absent: POST /train is refused. */
  OPERATOR_URL: z.url({ protocol: /^https?$/ }).optional(),
  /** Whose health GET /health tells of; absent: of no registry's. */
  REGISTRY_URL: z.url({ protocol: /^https?$/ }).optional(),
  /** Holds the token that is shown there. */
  OPERATOR_TOKEN_DIR: Folder.default(OPERATOR_TOKEN_DIR),
  /** Where keys and certificate lie that SERVE_SETTINGS asks for. */
  API_KEYS_DIR: Folder.default(API_KEYS_DIR),
  TOKEN_KEYS_DIR: Folder.default(TOKEN_KEYS_DIR),
  TLS_DIR: Folder.default(TLS_DIR),
  /** How long a client of POST /train is kept waiting for the result. */
  TRAIN_WAIT_MS: Count(60_000, 600_000),
  /** How long a client of POST /model/version is kept waiting for the rollout. */
  VERSION_WAIT_MS: Count(30_000, 600_000),
});

const FrontEnv = ServeEnv.extend({
  PORT: z.coerce.number().int().min(0).max(65_535).default(FRONT_PORT),
  RUNTIME: Json.pipe(Runtime),
  /** What is sent to the server behind may be large, and is not held: only a client that stalls is let go. */
  REQUEST_TIMEOUT_MS: Count(60_000, 3_600_000),
  /** How long the server behind may be silent while it answers. */
  ANSWER_TIMEOUT_MS: Count(300_000, 3_600_000),
});

export type FetchConfig = z.infer<typeof FetchEnv>;
export type VerifyConfig = z.infer<typeof VerifyEnv>;
export type PredictConfig = z.infer<typeof PredictEnv>;
export type ServeConfig = z.infer<typeof ServeEnv>;
export type FrontConfig = z.infer<typeof FrontEnv>;

function parse<T>(schema: z.ZodType<T>, env: Env): T {
  const parsed = schema.safeParse(env);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  throw new FailureError('InvalidConfiguration', `environment variable ${issue?.path.join('.')}: ${issue?.message}`);
}

/** Each throws FailureError(InvalidConfiguration) naming the variable that is wrong. */
export const fetchConfig = (env: Env): FetchConfig => parse(FetchEnv, env);
export const verifyConfig = (env: Env): VerifyConfig => parse(VerifyEnv, env);
export const predictConfig = (env: Env): PredictConfig => parse(PredictEnv, env);
export const serveConfig = (env: Env): ServeConfig => parse(ServeEnv, env);
export const frontConfig = (env: Env): FrontConfig => parse(FrontEnv, env);
