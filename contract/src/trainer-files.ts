/** The trainer contract: files in, files out, any language. */
import { z } from 'zod';
import { Sha256 } from './artifact.ts';

export const INPUT_DIR = '/input';
export const OUTPUT_DIR = '/output';
/** Below /input; written by `fetch`, not writable by the trainer. Below /output: what was really used, defaults included. */
export const PARAMS_FILE = 'params.json';
export const INPUT_DIGESTS_FILE = '.slipway/inputs.json';
/** Below /output. */
export const MODEL_FILE = 'model/model.onnx';
export const METRICS_FILE = 'metrics.json';
export const METRICS_LINES_FILE = 'metrics.jsonl';
export const SIGNATURE_FILE = 'signature.json';
export const EXAMPLES_FILE = 'examples.json';
/** How far the trainer is, rewritten as often as it likes; read while it runs. */
export const PROGRESS_FILE = 'progress.json';
/** The distribution of the training data, for later comparison. */
export const PROFILE_FILE = 'profile.json';
/**
 * The rows no model may be fitted to, as CSV with a header: every input column of the signature, and TARGET_COLUMN. Gates
 * that compare with another version ask both models about these very rows.
 */
export const HELD_OUT_FILE = 'held-out.csv';
export const TARGET_COLUMN = '__target__';

/** `params.json`: hyperparameters by name, as strings. */
export const Parameters = z.record(z.string(), z.string());
export type Parameters = z.infer<typeof Parameters>;

/** `.slipway/inputs.json`: what was really read. */
export const InputDigests = z.array(z.object({ name: z.string(), uri: z.string(), sha256: Sha256, size: z.int() }));
export type InputDigests = z.infer<typeof InputDigests>;

/** `metrics.json`: last value by name. */
export const Metrics = z.record(z.string().min(1).max(250), z.number());
export type Metrics = z.infer<typeof Metrics>;

/** One line of `metrics.jsonl`; `ts` is in milliseconds since the epoch. */
export const MetricPoint = z.object({
  key: z.string().min(1).max(250),
  value: z.number(),
  step: z.int().default(0),
  ts: z.int().exactOptional(),
});
export type MetricPoint = z.infer<typeof MetricPoint>;

/**
 * `examples.json`: rows by column name and the outputs the trainer itself got for them, by output name. A missing value is
 * null or left out.
 */
export const Examples = z.object({
  inputs: z.array(z.record(z.string(), z.union([z.number(), z.string(), z.boolean(), z.null()]))).max(256),
  outputs: z.record(z.string(), z.array(z.unknown())),
});
export type Examples = z.infer<typeof Examples>;

/** `progress.json`. */
export const Progress = z.object({
  percent: z.number().min(0).max(100),
  etaSeconds: z.number().min(0).exactOptional(),
  /** What is going on: `tree 40 of 100`, `epoch 3 of 10`. */
  message: z.string().max(256).exactOptional(),
});
export type Progress = z.infer<typeof Progress>;

/** The tag of a run under which its progress is kept (a Progress as JSON); any tracking client may set it. */
export const PROGRESS_TAG = 'slipway.progress';

export const Task = z.enum(['classification', 'regression']);
export type Task = z.infer<typeof Task>;

export const FeatureType = z.enum(['number', 'category']);
export type FeatureType = z.infer<typeof FeatureType>;

/** What a built-in trainer is asked to do (`ALGORITHM`). */
export const Algorithm = z.object({
  name: z.string().min(1),
  target: z.string().min(1),
  features: z.array(z.string().min(1)).exactOptional(),
  /** By column name; a column that is not named is a number when every cell of it is one. */
  featureTypes: z.record(z.string(), FeatureType).exactOptional(),
  /** Absent: what the algorithm can do; for one that can do both, what the target looks like. */
  task: Task.exactOptional(),
});
export type Algorithm = z.infer<typeof Algorithm>;

/** The name of the input a built-in trainer reads. */
export const TRAINING_INPUT = 'train';
