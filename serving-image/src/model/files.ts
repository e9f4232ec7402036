/** What lies in a model's folder beside the weights, and which file holds those. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type ArtifactFile, EXAMPLES_FILE, Examples, ModelSignature, SIGNATURE_FILE } from '@slipway/contract';
import type { z } from 'zod';
import { FailureError } from '../failure.ts';

/** The name a single `.onnx` object gets in the model's folder. */
export const DEFAULT_MODEL_FILE = 'model.onnx';

/** The path of the ONNX file: `model.onnx`, else the only `.onnx` file. Throws InvalidModel when that is no one file. */
export function modelFileOf(files: readonly ArtifactFile[]): string {
  const candidates = files.map(({ path }) => path).filter((path) => path.endsWith('.onnx'));
  if (candidates.includes(DEFAULT_MODEL_FILE)) return DEFAULT_MODEL_FILE;
  const [only, another] = candidates;
  if (only !== undefined && another === undefined) return only;
  const found = only === undefined ? 'none' : candidates.slice(0, 5).join(', ');
  throw new FailureError('InvalidModel', `expected ${DEFAULT_MODEL_FILE} or exactly one .onnx file, found ${found}`);
}

/** The model's description of its columns; undefined when it came without. */
export const readSignature = (dir: string): Promise<ModelSignature | undefined> =>
  readJson(dir, SIGNATURE_FILE, ModelSignature, 'SignatureMismatch');

/** Rows with the outputs the trainer got for them; undefined when the model came without. */
export const readExamples = (dir: string): Promise<Examples | undefined> =>
  readJson(dir, EXAMPLES_FILE, Examples, 'ParityFailed');

async function readJson<T>(
  dir: string,
  name: string,
  schema: z.ZodType<T>,
  reason: 'SignatureMismatch' | 'ParityFailed',
): Promise<T | undefined> {
  let text: string;
  try {
    text = await readFile(join(dir, name), 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  const parsed = schema.safeParse(parseJson(text, name, reason));
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  throw new FailureError(reason, `${name}: ${issue?.path.join('.') || 'the document'}: ${issue?.message}`);
}

function parseJson(text: string, name: string, reason: 'SignatureMismatch' | 'ParityFailed'): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new FailureError(reason, `${name} is not JSON`);
  }
}
