/** `train` in a pod: what to do is in the environment, the files are where the trainer contract says. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Algorithm, INPUT_DIR, OUTPUT_DIR, PARAMS_FILE, Parameters, TRAINING_INPUT } from '@slipway/contract';
import { z } from 'zod';
import { type Env, Json, parseEnv } from '../environment.ts';
import { FailureError } from '../failure.ts';
import type { Log } from '../log.ts';
import { runTraining } from './run-training.ts';

const TrainEnv = z.object({
  ALGORITHM: Json.pipe(Algorithm),
  INPUT_DIR: z.string().default(INPUT_DIR),
  OUTPUT_DIR: z.string().default(OUTPUT_DIR),
});

async function readParams(inputDir: string): Promise<Parameters> {
  const path = join(inputDir, PARAMS_FILE);
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    throw new FailureError('InputNotFound', `${path} cannot be read (${error.code}); was fetch run before?`);
  });
  const parsed = Json.pipe(Parameters).safeParse(text);
  if (parsed.success) return parsed.data;
  throw new FailureError('InvalidConfiguration', `${PARAMS_FILE}: expected an object of strings`);
}

/** Trains on the input named `train`, writes the model and what describes it. Throws FailureError. */
export async function runTrain(log: Log, env: Env): Promise<void> {
  const { ALGORITHM: algorithm, INPUT_DIR: inputDir, OUTPUT_DIR: outputDir } = parseEnv(TrainEnv, env);
  const parameters = await readParams(inputDir);
  const input = join(inputDir, TRAINING_INPUT);
  const training = { algorithm, parameters, input, outputDir, log, now: Date.now, watchers: [progressLines(log)] };
  await runTraining(training).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT' || error.path !== input) throw error;
    throw new FailureError(
      'InputNotFound',
      `a built-in algorithm reads the input named ${TRAINING_INPUT}; add it to inputs`,
    );
  });
}

/** A log line whenever another tenth is done. */
function progressLines(log: Log) {
  let told = 0;
  return {
    show: ({ percent, etaSeconds, message }: { percent: number; etaSeconds?: number; message?: string }) => {
      if (percent < told + 10 || percent === 100) return;
      told = Math.floor(percent / 10) * 10;
      log('info', 'training', { percent, ...(etaSeconds !== undefined && { etaSeconds }), at: message });
    },
  };
}
