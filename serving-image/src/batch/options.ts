/** The command line of `batch`. */
import { parseArgs } from 'node:util';
import { CREDENTIALS_DIR, parseS3Uri } from '@slipway/contract';
import { z } from 'zod';
import { FailureError } from '../failure.ts';
import { INPUT_FORMATS } from './rows.ts';

const S3Uri = z.string().transform((uri, context) => {
  const location = parseS3Uri(uri);
  if (location) return location;
  context.addIssue({
    code: 'custom',
    message: `expected s3://<bucket>/<key>, got ${JSON.stringify(uri.slice(0, 200))}`,
  });
  return z.NEVER;
});
const Count = (fallback: number, most: number) => z.coerce.number().int().min(1).max(most).default(fallback);

const Options = z.strictObject({
  /** The service that predicts: `http://iris`. */
  service: z.url({ protocol: /^https?$/ }),
  input: S3Uri,
  /** A folder; what lies there already is from an earlier try of the same batch. */
  output: S3Uri,
  /** Of the input; told by its ending when absent. */
  format: z.enum(INPUT_FORMATS).optional(),
  'output-format': z.enum(['jsonl', 'csv']).default('jsonl'),
  /** Rows of one request and of one file of the output. */
  'chunk-rows': Count(1024, 4096),
  /** Requests at once. */
  concurrency: Count(2, 16),
  /** Rows the model refuses are written with the reason; beyond so many the batch ends. */
  'max-refused': z.coerce.number().int().min(0).default(100),
  probabilities: z.boolean().default(false),
  /** A file that holds the key, or the service account's token, that the service asks for; read for every request. */
  'api-key-file': z.string().min(1).optional(),
  credentials: z.string().min(1).default(CREDENTIALS_DIR),
});
export type BatchOptions = z.infer<typeof Options>;

const FLAGS = Object.keys(Options.shape);

/** Throws InvalidConfiguration naming the flag, or listing those there are. */
export function batchOptions(args: readonly string[]): BatchOptions {
  const parsed = Options.safeParse(flagsIn(args));
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new FailureError('InvalidConfiguration', `batch --${issue?.path.join('.')}: ${issue?.message}`);
}

function flagsIn(args: readonly string[]): Record<string, unknown> {
  const options = Object.fromEntries(
    FLAGS.map((name) => [name, { type: name === 'probabilities' ? 'boolean' : 'string' } as const]),
  );
  try {
    return { ...parseArgs({ args: [...args], options, strict: true }).values };
  } catch (error) {
    const known = FLAGS.map((name) => `--${name}`).join(', ');
    throw new FailureError('InvalidConfiguration', `${(error as Error).message}; batch takes ${known}`);
  }
}
