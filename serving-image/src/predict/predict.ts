/**
 * `predict`: what the new model and those it is compared with say of rows that none of them was fitted to. Every model is
 * foreign: each is asked in a process of its own, and one that cannot be asked is told as a problem, not as a failure.
 */
import { lstat, mkdir, readdir, rename, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { HeldOutAnswers, SIGNATURE_FILE } from '@slipway/contract';
import { asFailure, FailureError } from '../failure.ts';
import type { Logger } from '../log.ts';
import { readSignature } from '../model/files.ts';
import { inspectFile } from '../model/load.ts';
import { type ChildProgram, runApart, thisProgram } from '../run-apart.ts';
import { ANSWER_COMMAND, type AnswerRequest } from './answer-protocol.ts';
import { filesIn } from './model-folder.ts';

export interface PredictOptions {
  /** The CSV file. */
  readonly heldOut: string;
  /** The folder of the new model; a signature beside it is used when it has none inside. */
  readonly candidate: string;
  /** Holds one model folder for every model to compare with, named by a number. */
  readonly references: string;
  /** Gets `candidate.json` and one file for every reference (HeldOutAnswers). */
  readonly answers: string;
  /** For every model. */
  readonly timeoutSeconds: number;
  readonly log: Pick<Logger, 'info'>;
  /** What asks a model; this very program when absent. */
  readonly program?: ChildProgram;
}

interface Question {
  readonly name: string;
  readonly dir: string;
  readonly signatureBeside?: string;
}

/** Asks one model after the other, so that memory is needed once. Throws only when the answers cannot be written. */
export async function predict(options: PredictOptions): Promise<void> {
  const { candidate, references, answers, log } = options;
  const questions: Question[] = [{ name: 'candidate', dir: candidate, signatureBeside: dirname(candidate) }];
  for (const name of await numbersIn(references)) questions.push({ name, dir: join(references, name) });
  await mkdir(answers, { recursive: true });
  for (const question of questions) {
    const answer = await answersOf(question, options);
    await writeWhole(join(answers, `${question.name}.json`), JSON.stringify(answer));
    log.info({ model: question.name, ...summaryOf(answer) }, 'asked');
  }
}

async function numbersIn(dir: string): Promise<string[]> {
  const names = await readdir(dir).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw error;
  });
  return names.filter((name) => /^\d{1,4}$/.test(name)).sort((a, b) => Number(a) - Number(b));
}

async function answersOf(question: Question, options: PredictOptions): Promise<HeldOutAnswers> {
  try {
    const { timeoutSeconds, program = thisProgram(ANSWER_COMMAND) } = options;
    await checkHeldOut(options.heldOut);
    const request = await requestFor(question, options.heldOut);
    const cure = 'give the trainer more memory or make the model smaller';
    return await runApart({ request, answer: HeldOutAnswers, timeoutSeconds, program, done: 'asked', cure });
  } catch (error) {
    return { problem: asFailure(error).message };
  }
}

async function requestFor({ dir, signatureBeside }: Question, heldOut: string): Promise<AnswerRequest> {
  const files = await filesIn(dir);
  await inspectFile(dir, files);
  const isInside = files.some(({ path }) => path === SIGNATURE_FILE);
  const beside = isInside || signatureBeside === undefined ? undefined : await signatureIn(signatureBeside);
  return { dir, files, heldOut, ...(beside && { signature: beside }) };
}

async function signatureIn(dir: string): ReturnType<typeof readSignature> {
  const found = await lstat(join(dir, SIGNATURE_FILE)).catch(() => undefined);
  if (found === undefined) return undefined;
  if (found.isFile() && found.size <= MOST_SIGNATURE_BYTES) return readSignature(dir);
  throw new FailureError(
    'SignatureMismatch',
    `${SIGNATURE_FILE} is no plain file of at most ${MOST_SIGNATURE_BYTES} bytes`,
  );
}

const MOST_SIGNATURE_BYTES = 2 ** 22;
/** Every model's process reads the whole file. */
const MOST_HELD_OUT_BYTES = 2 ** 26;

async function checkHeldOut(path: string): Promise<void> {
  const found = await lstat(path).catch(() => undefined);
  if (found === undefined) {
    throw new FailureError('InputNotFound', 'the trainer wrote no held-out.csv, so that nothing can be compared');
  }
  if (!found.isFile()) throw new FailureError('InvalidConfiguration', 'held-out.csv is no plain file');
  if (found.size <= MOST_HELD_OUT_BYTES) return;
  throw new FailureError(
    'InvalidConfiguration',
    `held-out.csv has ${found.size} bytes, at most ${MOST_HELD_OUT_BYTES} are read; hold out fewer rows`,
  );
}

function summaryOf(answer: HeldOutAnswers): Record<string, unknown> {
  if ('problem' in answer) return { problem: answer.problem };
  return { rows: 'values' in answer ? answer.values.length : answer.labels.length };
}

/** Nobody sees half a file. */
async function writeWhole(path: string, text: string): Promise<void> {
  await writeFile(`${path}.part`, text);
  await rename(`${path}.part`, path);
}
