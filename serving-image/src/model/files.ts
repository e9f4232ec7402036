/** What lies in a model's folder beside the weights, and which file holds those. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type ArtifactFile, EXAMPLES_FILE, Examples, ModelSignature, SIGNATURE_FILE } from '@slipway/contract';
import type { z } from 'zod';
import { FailureError } from '../failure.ts';
import { MLMODEL_FILE, type MLmodel } from './mlmodel.ts';

/** The name a single `.onnx` object gets in the model's folder. */
export const DEFAULT_MODEL_FILE = 'model.onnx';

/**
 * The path of the ONNX file: the one its MLmodel names, else `model.onnx`, else the only `.onnx` file. Throws
 * FormatNotServable when there is none, InvalidModel when it is not clear which.
 */
export function modelFileOf(files: readonly Pick<ArtifactFile, 'path'>[], mlmodel: MLmodel | undefined): string {
  const paths = files.map(({ path }) => path);
  const named = mlmodel?.onnxFile;
  if (named !== undefined) {
    if (paths.includes(named)) return named;
    throw new FailureError('InvalidModel', `${MLMODEL_FILE} names ${named}, which is not in the folder; log it again`);
  }
  const candidates = paths.filter((path) => path.endsWith('.onnx'));
  if (candidates.includes(DEFAULT_MODEL_FILE)) return DEFAULT_MODEL_FILE;
  const [only, another] = candidates;
  if (only === undefined) throw notServable(paths, mlmodel);
  if (another === undefined) return only;
  const found = candidates.slice(0, 5).join(', ');
  throw new FailureError('InvalidModel', `expected ${DEFAULT_MODEL_FILE} or exactly one .onnx file, found ${found}`);
}

function notServable(paths: readonly string[], mlmodel: MLmodel | undefined): FailureError {
  const listed = (names: readonly string[]): string => names.slice(0, 8).join(', ').slice(0, 400);
  const what = mlmodel ? `an MLflow model (${listed(mlmodel.flavors)})` : listed(paths);
  return new FailureError(
    'FormatNotServable',
    `no ONNX model in the folder, which holds ${what}; log the model as ONNX as well and register that: ` +
      'mlflow.onnx.log_model(skl2onnx.to_onnx(model, X[:1].astype("float32")), name="model", registered_model_name=…)',
  );
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
