import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import {
  Algorithm,
  EXAMPLES_FILE,
  INPUT_DIR,
  METRICS_FILE,
  MODEL_FILE,
  OUTPUT_DIR,
  PARAMS_FILE,
  Parameters,
  SIGNATURE_FILE,
  TRAINING_INPUT,
} from '@slipway/contract';
import { z } from 'zod';
import { type Env, Json, parseEnv } from '../environment.ts';
import { FailureError, quoted } from '../failure.ts';
import type { Log } from '../log.ts';
import { readTableFile } from './table.ts';
import { type Trained, trainLogisticRegression } from './train.ts';

const TrainEnv = z.object({
  ALGORITHM: Json.pipe(Algorithm),
  INPUT_DIR: z.string().default(INPUT_DIR),
  OUTPUT_DIR: z.string().default(OUTPUT_DIR),
});

const ALGORITHMS = { 'logistic-regression': trainLogisticRegression } as const;

async function readInput(path: string): Promise<string> {
  return readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    throw new FailureError('InputNotFound', `${path} cannot be read (${error.code}); was fetch run before?`);
  });
}

async function readParams(inputDir: string): Promise<Parameters> {
  const parsed = Json.pipe(Parameters).safeParse(await readInput(join(inputDir, PARAMS_FILE)));
  if (parsed.success) return parsed.data;
  throw new FailureError('InvalidConfiguration', `${PARAMS_FILE}: expected an object of strings`);
}

async function writeOutputs(dir: string, trained: Trained): Promise<void> {
  await mkdir(dirname(join(dir, MODEL_FILE)), { recursive: true });
  await writeFile(join(dir, MODEL_FILE), trained.onnx);
  const documents = {
    [SIGNATURE_FILE]: trained.signature,
    [EXAMPLES_FILE]: trained.examples,
    [METRICS_FILE]: trained.metrics,
    [PARAMS_FILE]: trained.parameters,
  };
  for (const [file, document] of Object.entries(documents)) {
    await writeFile(join(dir, file), `${JSON.stringify(document, undefined, 2)}\n`);
  }
}

/** `train`: reads the input named `train`, writes the model and what describes it. */
export async function runTrain(log: Log, env: Env): Promise<void> {
  const { ALGORITHM: algorithm, INPUT_DIR: inputDir, OUTPUT_DIR: outputDir } = parseEnv(TrainEnv, env);
  if (!Object.hasOwn(ALGORITHMS, algorithm.name)) {
    const known = Object.keys(ALGORITHMS).join(', ');
    throw new FailureError('UnknownAlgorithm', `algorithm ${quoted(algorithm.name)}: expected one of ${known}`);
  }
  const train = ALGORITHMS[algorithm.name as keyof typeof ALGORITHMS];
  const parameters = await readParams(inputDir);
  const path = join(inputDir, TRAINING_INPUT);
  const table = await readTableFile(path, algorithm).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error;
    throw new FailureError(
      'InputNotFound',
      `a built-in algorithm reads the input named ${TRAINING_INPUT}; add it to inputs`,
    );
  });
  log('info', 'input read', { rows: table.rows, features: table.featureNames });
  const trained = train(table, parameters, log);
  await writeOutputs(outputDir, trained);
  log('info', 'model written', {
    bytes: trained.onnx.length,
    metrics: trained.metrics,
    parameters: trained.parameters,
  });
}
