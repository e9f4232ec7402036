/** What one batch is: written before anything else, so that every later try does the same with the same model. */
import type { ObjectInfo } from '@slipway/object-store';
import { z } from 'zod';
import { FailureError } from '../failure.ts';
import type { BatchOptions } from './options.ts';
import { INPUT_FORMATS } from './rows.ts';

export const PLAN_FILE = '_plan.json';
/** Written last: its presence says that every chunk is there. */
export const SUCCESS_FILE = '_SUCCESS.json';

export const Plan = z.object({
  input: z.string(),
  /** The store's mark for the input's bytes. */
  etag: z.string(),
  size: z.int(),
  format: z.enum(INPUT_FORMATS),
  outputFormat: z.enum(['jsonl', 'csv']),
  chunkRows: z.int(),
  probabilities: z.boolean(),
  /** Whose predictions these are: every chunk is of this version and these bytes. */
  model: z.string(),
  version: z.string(),
  digest: z.string(),
});
export type Plan = z.infer<typeof Plan>;

export interface ChunkRecord {
  readonly key: string;
  readonly rows: number;
  readonly refused: number;
}

/** What SUCCESS_FILE says. */
export interface Summary extends Plan {
  readonly rows: number;
  readonly refused: number;
  readonly chunks: readonly ChunkRecord[];
}

const FORMAT_BY_ENDING: readonly (readonly [RegExp, Plan['format']])[] = [
  [/\.csv$/i, 'csv'],
  [/\.(jsonl|ndjson)$/i, 'jsonl'],
  [/\.parquet$/i, 'parquet'],
];

/** The plan of a batch nobody has begun. Throws InvalidConfiguration when the input's ending does not tell its format. */
export function planFor(
  options: BatchOptions,
  { key, etag, size }: ObjectInfo,
  served: Pick<Plan, 'model' | 'version' | 'digest'>,
): Plan {
  const format = options.format ?? FORMAT_BY_ENDING.find(([ending]) => ending.test(key))?.[1];
  if (!format) {
    throw new FailureError(
      'InvalidConfiguration',
      `${key}: the ending tells no format; say --format csv, jsonl or parquet`,
    );
  }
  return {
    input: `s3://${options.input.bucket}/${options.input.key}`,
    etag,
    size,
    format,
    outputFormat: options['output-format'],
    chunkRows: options['chunk-rows'],
    probabilities: options.probabilities,
    ...served,
  };
}

/** The plan in one of the output's own files. Throws InvalidConfiguration when it holds none: nobody knows then what the chunks are of. */
export function planIn(value: unknown, file: string): Plan {
  const plan = Plan.safeParse(value).data;
  if (plan) return plan;
  throw new FailureError(
    'InvalidConfiguration',
    `${file} in the output is not of a batch like this; give another --output`,
  );
}

/** Throws InvalidConfiguration when what is asked for is not the batch that was begun there. */
export function checkSamePlan(begun: Plan, asked: Plan): void {
  const changed = (Object.keys(Plan.shape) as (keyof Plan)[]).find((name) => begun[name] !== asked[name]);
  if (!changed) return;
  const [before, now] = [String(begun[changed]).slice(0, 200), String(asked[changed]).slice(0, 200)];
  throw new FailureError(
    'InvalidConfiguration',
    `the batch in this output was begun with ${changed} ${before}, now it is ${now}; ${cureFor(changed, before)}`,
  );
}

const cureFor = (changed: keyof Plan, before: string): string =>
  changed === 'version' || changed === 'digest'
    ? `let the service serve version ${changed === 'version' ? before : 'with those bytes'} again to finish it, or give another --output`
    : 'go on as it was begun, or give another --output';
