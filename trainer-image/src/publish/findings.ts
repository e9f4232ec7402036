/** Reads and checks what a trainer left, before a byte of it is uploaded. */
import { join } from 'node:path';
import {
  EXAMPLES_FILE,
  Examples,
  INPUT_DIGESTS_FILE,
  InputDigests,
  METRICS_FILE,
  METRICS_LINES_FILE,
  MODEL_FILE,
  MODEL_FOLDER,
  ModelSignature,
  PARAMS_FILE,
  Parameters,
  type PublishRun,
  SIGNATURE_FILE,
} from '@slipway/contract';
import type { z } from 'zod';
import { Json } from '../environment.ts';
import { FailureError } from '../failure.ts';
import { collectFiles, openRegular, type Publishable, readRegular } from './collect.ts';
import { metricPoints } from './metrics.ts';
import { MLMODEL_FILE, mlmodelFor } from './mlmodel.ts';
import { checkOnnx } from './onnx-envelope.ts';
import type { Findings } from './request.ts';

export interface Output extends Findings {
  readonly files: readonly Publishable[];
}

type DocumentFailure = 'SignatureMismatch' | 'ParityFailed' | 'InvalidConfiguration';

async function readDocument<T>(
  path: string,
  name: string,
  schema: z.ZodType<T>,
  reason: DocumentFailure,
): Promise<T | undefined> {
  const text = await readRegular(path, name);
  if (text === undefined) return undefined;
  const parsed = Json.pipe(schema).safeParse(text);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  throw new FailureError(reason, `${name}: ${issue?.path.join('.') || 'the document'}: ${issue?.message}`);
}

const sourceOf = (files: readonly Publishable[], name: string): string | undefined =>
  files.find(({ path }) => path === `${MODEL_FOLDER}/${name}`)?.from as string | undefined;

async function readModelDocument<T>(
  files: readonly Publishable[],
  name: string,
  schema: z.ZodType<T>,
  reason: DocumentFailure,
): Promise<T | undefined> {
  const source = sourceOf(files, name);
  return source === undefined ? undefined : readDocument(source, name, schema, reason);
}

/** True when there is a model; throws InvalidModel when it is none. */
async function checkModel(outputDir: string): Promise<boolean> {
  const model = await openRegular(join(outputDir, MODEL_FILE), MODEL_FILE);
  if (!model) return false;
  try {
    checkOnnx(model.fd, (await model.stat()).size);
    return true;
  } finally {
    await model.close();
  }
}

/** Throws FailureError naming the file that is missing or wrong. `now` is the time of metrics that have none. */
export async function readOutput(run: PublishRun, inputDir: string, outputDir: string, now: number): Promise<Output> {
  const files = [...(await collectFiles(outputDir))];
  const hasModel = run.model !== undefined && (await checkModel(outputDir));
  const signature = await readModelDocument(files, SIGNATURE_FILE, ModelSignature, 'SignatureMismatch');
  await readModelDocument(files, EXAMPLES_FILE, Examples, 'ParityFailed');
  if (hasModel && sourceOf(files, MLMODEL_FILE) === undefined) {
    files.push({ path: `${MODEL_FOLDER}/${MLMODEL_FILE}`, from: Buffer.from(mlmodelFor(run, signature)) });
  }
  const metrics = metricPoints(
    await readRegular(join(outputDir, METRICS_FILE), METRICS_FILE),
    await readRegular(join(outputDir, METRICS_LINES_FILE), METRICS_LINES_FILE),
    now,
  );
  const used = await readDocument(join(outputDir, PARAMS_FILE), PARAMS_FILE, Parameters, 'InvalidConfiguration');
  const digests = join(inputDir, INPUT_DIGESTS_FILE);
  const inputs = await readDocument(digests, INPUT_DIGESTS_FILE, InputDigests, 'InvalidConfiguration');
  return { files, hasModel, metrics, usedParameters: used ?? {}, signature, inputs };
}
