/** What the operator tells a model server of how to answer, and where it puts what the server reads. */
import { z } from 'zod';

/** `auto`: plain JavaScript made from the graph where it proves equal to the runtime, else the runtime. */
export const EngineChoice = z.enum(['auto', 'compiled', 'onnxruntime']);
export type EngineChoice = z.infer<typeof EngineChoice>;

/** The line written for each prediction. */
export const PredictionLog = z.object({
  enabled: z.boolean().default(true),
  /** The share of successful predictions that get a line, 0 to 1. Errors always do. */
  sample: z.number().min(0).max(1).default(1),
  /** Features whose values are left out. */
  redact: z.array(z.string()).default([]),
  /** Features whose values are replaced by a keyed digest: equal values stay equal, and cannot be read. */
  hash: z.array(z.string()).default([]),
  /** Lines go to PREDICTION_LOG_DIR as well, from where the pod's other container ships them. */
  ship: z.boolean().default(false),
});
export type PredictionLog = z.infer<typeof PredictionLog>;

/** `SERVE_SETTINGS`; everything has a default, so that a server runs without. */
export const ServeSettings = z.object({
  engine: EngineChoice.default('auto'),
  predictionLog: PredictionLog.prefault({}),
  /** Origins (`https://app.example`) whose pages may call; `*`: all. Absent: none. */
  cors: z.object({ origins: z.array(z.string()) }).exactOptional(),
  /** Absent: whoever reaches the server is answered. One of the ways that are given must be met. */
  auth: z
    .object({
      /** Keys lie in API_KEYS_DIR, one a file; the file's name says whose. */
      apiKeys: z.boolean().default(false),
      /** Service-account tokens of the cluster, checked against the key set in TOKEN_KEYS_DIR. */
      tokens: z
        .object({
          audience: z.string(),
          /** `namespace/name`, or `namespace/*`. */
          serviceAccounts: z.array(z.string()).min(1),
        })
        .exactOptional(),
    })
    .exactOptional(),
  /** Certificate and key lie in TLS_DIR; only https is spoken. */
  tls: z.boolean().default(false),
});
export type ServeSettings = z.infer<typeof ServeSettings>;

export const API_KEYS_DIR = '/api-keys';
export const TOKEN_KEYS_DIR = '/token-keys';
export const TOKEN_KEYS_FILE = 'jwks.json';
/** What TOKEN_KEYS_FILE holds: the cluster's JSON Web Key Set, and whose it is. */
export const TokenKeys = z.object({
  issuer: z.string().min(1),
  keys: z.array(z.looseObject({ kty: z.string() })).min(1),
});
export type TokenKeys = z.infer<typeof TokenKeys>;
/** The ConfigMap the operator keeps it in, in each namespace with a service that takes tokens. */
export const TOKEN_KEYS_CONFIG_MAP = 'slipway-token-keys';
export const TLS_DIR = '/tls';
/** The names a Secret of type kubernetes.io/tls has. */
export const TLS_CERTIFICATE_FILE = 'tls.crt';
export const TLS_KEY_FILE = 'tls.key';
/** Holds PREDICTION_HASH_KEY of the predictions' Secret and nothing else of it. */
export const PREDICTION_KEYS_DIR = '/prediction-keys';
/** Shared by the server, which writes files of lines there, and the container that ships them. */
export const PREDICTION_LOG_DIR = '/predictions';

/** What a server that is not ours is spoken to in: by it its readiness is asked for, and a prediction where there is an example. */
export const RuntimeProtocol = z.enum(['mlflow', 'v1', 'v2']);
export type RuntimeProtocol = z.infer<typeof RuntimeProtocol>;

/** `RUNTIME` of `front`: the server behind it, in the same pod. */
export const Runtime = z.object({
  protocol: RuntimeProtocol,
  port: z.int().min(1).max(65_535),
  /** How long it may take to be ready for the first time. */
  readyWithinSeconds: z.int().min(1),
});
export type Runtime = z.infer<typeof Runtime>;

/** Where `front` listens: every other port is the server's to choose. */
export const FRONT_PORT = 9080;
