/** One training from files to files: what pods and people at a terminal have in common. */
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import {
  ALGORITHM_NAMES,
  type Algorithm,
  isAlgorithm,
  METRICS_LINES_FILE,
  parameterProblem,
  readParameters,
} from '@slipway/contract';
import { readTable } from '../data/table.ts';
import { FailureError, quoted } from '../failure.ts';
import type { Log } from '../log.ts';
import { DOCUMENT_PATHS, type Document, documentsFor } from './documents.ts';
import { type Clock, metricsLinesFile, progressFile, RunProgress, type Watcher } from './progress.ts';
import { type Trained, train } from './train.ts';

export interface Training {
  readonly algorithm: Algorithm;
  /** As the user gave them. */
  readonly parameters: Readonly<Record<string, string>>;
  /** A CSV or Parquet file. */
  readonly input: string;
  /** A folder; made when it is not there. */
  readonly outputDir: string;
  readonly log: Log;
  readonly now: Clock;
  /** Told how far it is, beside `progress.json`. */
  readonly watchers: readonly Watcher[];
}

export interface Outcome {
  readonly trained: Trained;
  /** Below the output folder. */
  readonly files: readonly { readonly path: string; readonly bytes: number }[];
}

function checked({ algorithm, parameters }: Training) {
  const { name } = algorithm;
  if (!isAlgorithm(name)) {
    const known = ALGORITHM_NAMES.join(', ');
    throw new FailureError('UnknownAlgorithm', `algorithm ${quoted(name)}: expected one of ${known}`);
  }
  const wrong = parameterProblem(name, parameters);
  if (wrong) throw new FailureError('InvalidParameter', wrong.problem);
  return { name, maxCategories: readParameters(name, parameters)['max_categories'] as number };
}

/** What an earlier attempt or another model left there would be taken for this one's. */
async function clear(dir: string): Promise<void> {
  await mkdir(dir, { recursive: true });
  for (const path of [...DOCUMENT_PATHS, METRICS_LINES_FILE]) await rm(join(dir, path), { force: true });
}

async function write(dir: string, documents: readonly Document[]): Promise<Outcome['files']> {
  for (const { path, content } of documents) {
    await mkdir(dirname(join(dir, path)), { recursive: true });
    await writeFile(join(dir, path), content);
  }
  return documents.map(({ path, content }) => ({ path, bytes: Buffer.byteLength(content) }));
}

/** Reads, trains, judges and writes. Throws FailureError; whatever was written before then is no complete output. */
export async function runTraining(training: Training): Promise<Outcome> {
  const { algorithm, parameters, input, outputDir, log, now } = training;
  const { name, maxCategories } = checked(training);
  await clear(outputDir);
  const progress = new RunProgress(now, [progressFile(outputDir), ...training.watchers], metricsLinesFile(outputDir));
  const table = await readTable(input, algorithm, {
    maxCategories,
    onFraction: (fraction) => progress.at('reading', fraction, 'reading the data'),
    onWarning: (message) => log('warn', message),
  });
  log('info', 'input read', {
    rows: table.rows,
    features: table.features.map((feature) => feature.name),
    target: table.targetName,
  });
  const trained = train(table, name, parameters, { log, onProgress: progress.fitting });
  progress.at('writing', 0, 'writing the model');
  const files = await write(outputDir, documentsFor(table, trained));
  progress.done();
  log('info', 'model written', {
    bytes: trained.onnx.length,
    metrics: trained.metrics,
    parameters: trained.parameters,
  });
  return { trained, files };
}
