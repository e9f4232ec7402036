/**
 * Every rule of the trainer contract, one by one, on what a trainer left in /output. Read with the code of `publish`, so that
 * what is fine here is fine there.
 */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import {
  EXAMPLES_FILE,
  Examples,
  HELD_OUT_FILE,
  METRICS_FILE,
  METRICS_LINES_FILE,
  MODEL_FILE,
  MODEL_FOLDER,
  ModelSignature,
  normalizedName,
  PARAMS_FILE,
  Parameters,
  PROFILE_FILE,
  PROGRESS_FILE,
  Progress,
  type PublishRun,
  SIGNATURE_FILE,
  TARGET_COLUMN,
} from '@slipway/contract';
import { parse } from 'csv-parse/sync';
import type { z } from 'zod';
import { Json } from '../environment.ts';
import { FailureError, listed } from '../failure.ts';
import { ARTIFACTS_FOLDER, collectFiles, openRegular, readRegular } from '../publish/collect.ts';
import { MOST_HELD_OUT_BYTES, targetsIn } from '../publish/evidence.ts';
import { readOutput } from '../publish/findings.ts';
import { metricPoints } from '../publish/metrics.ts';
import { checkOnnx } from '../publish/onnx-envelope.ts';
import { KIT_RUN_ID, TRACKING_FOLDER } from './prepare.ts';

export interface Finding {
  /** The file, or `exit code`. */
  readonly rule: string;
  /** `absent`: nothing is asked, nothing is there. */
  readonly verdict: 'ok' | 'absent' | 'wrong';
  readonly message: string;
}

export interface Left {
  readonly inputDir: string;
  readonly outputDir: string;
  /** Of the trainer. */
  readonly exitCode: number;
}

type Outcome = Omit<Finding, 'rule'>;
const ok = (message: string): Outcome => ({ verdict: 'ok', message });
const absent = (message: string): Outcome => ({ verdict: 'absent', message });
const wrong = (message: string): Outcome => ({ verdict: 'wrong', message });
const plural = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? '' : 's'}`;

/** What was thrown is the outcome; what nobody foresaw is thrown on. */
async function finding(rule: string, work: () => Promise<Outcome>): Promise<Finding> {
  try {
    return { rule, ...(await work()) };
  } catch (error) {
    if (error instanceof FailureError) return { rule, ...wrong(`${error.reason}: ${error.message}`) };
    throw error;
  }
}

function exitCode(code: number): Outcome {
  if (code === 0) return ok('0');
  return wrong(`TrainerFailed: got ${code}, expected 0; nothing is published of a trainer that fails`);
}

/** How many versions an mlflow script registered in the folder that stands for the registry. */
async function registeredByMlflow(outputDir: string): Promise<number> {
  const models = join(outputDir, TRACKING_FOLDER, 'models');
  const names = await readdir(models).catch(() => []);
  const versions = await Promise.all(names.map((name) => readdir(join(models, name)).catch(() => [])));
  return versions.flat().filter((name) => name.startsWith('version-')).length;
}

async function model(outputDir: string): Promise<Outcome> {
  const file = await openRegular(join(outputDir, MODEL_FILE), MODEL_FILE);
  if (!file) {
    const registered = await registeredByMlflow(outputDir);
    if (registered === 1) return ok("none, but the script registered one version by mlflow, which becomes the run's");
    return wrong(
      `NoModelProduced: got no file and ${plural(registered, 'version')} registered by mlflow; write the model there, or register ` +
        'exactly one (without spec.model none is needed)',
    );
  }
  try {
    const { size } = await file.stat();
    checkOnnx(file.fd, size);
    return ok(`an ONNX model of ${plural(size, 'byte')}`);
  } finally {
    await file.close();
  }
}

async function folders(outputDir: string): Promise<Outcome> {
  const files = await collectFiles(outputDir);
  return files.length > 0 ? ok(plural(files.length, 'file')) : absent('nothing to keep');
}

/** The text of a document: beside the model folder, or (signature and examples) inside it, which comes first. */
async function textOf(outputDir: string, name: string, inModel: boolean): Promise<string | undefined> {
  const inside = inModel
    ? await readRegular(join(outputDir, MODEL_FOLDER, name), `${MODEL_FOLDER}/${name}`)
    : undefined;
  return inside ?? readRegular(join(outputDir, name), name);
}

async function document<T>(
  outputDir: string,
  name: string,
  schema: z.ZodType<T>,
  { without, told, inModel = false }: { without: string; told: (value: T) => string; inModel?: boolean },
): Promise<Outcome> {
  const text = await textOf(outputDir, name, inModel);
  if (text === undefined) return absent(without);
  const parsed = Json.pipe(schema).safeParse(text);
  if (parsed.success) return ok(told(parsed.data));
  const issue = parsed.error.issues[0];
  return wrong(
    `${issue?.path.join('.') || 'the document'}: ${issue?.message}; write what the contract's table of files shows`,
  );
}

async function metrics(outputDir: string, name: typeof METRICS_FILE | typeof METRICS_LINES_FILE): Promise<Outcome> {
  const text = await readRegular(join(outputDir, name), name);
  if (text === undefined) return absent(name === METRICS_FILE ? 'the run shows no last values' : 'no curves are drawn');
  const points = name === METRICS_FILE ? metricPoints(text, undefined, 0) : metricPoints(undefined, text, 0);
  return ok(plural(points.length, 'value'));
}

/** The names in the first line of the held-out rows. */
async function headerOf(outputDir: string): Promise<readonly string[]> {
  const text = (await readRegular(join(outputDir, HELD_OUT_FILE), HELD_OUT_FILE, MOST_HELD_OUT_BYTES)) ?? '';
  return (parse(text, { bom: true, to: 1 }) as string[][])[0] ?? [];
}

async function heldOut(outputDir: string): Promise<Outcome> {
  const targets = await targetsIn(outputDir);
  if (targets === undefined) return absent('a gate with notWorseThan has nothing to compare by');
  if ('problem' in targets)
    return wrong(`${targets.problem}; write a header with ${TARGET_COLUMN} and rows of as many cells`);
  if (targets.length === 0) return wrong('it has a header and no row; write the rows the model was not fitted to');
  const signature = await textOf(outputDir, SIGNATURE_FILE, true);
  const inputs = signature === undefined ? [] : (Json.pipe(ModelSignature).safeParse(signature).data?.inputs ?? []);
  const header = (await headerOf(outputDir)).map(normalizedName);
  const missing = inputs.map(({ name }) => name).filter((name) => !header.includes(normalizedName(name)));
  if (missing.length === 0) return ok(plural(targets.length, 'row'));
  return wrong(
    `no column ${listed(missing)} in its header; expected every input of the signature and ${TARGET_COLUMN}`,
  );
}

const KNOWN: ReadonlySet<string> = new Set([
  ...[MODEL_FOLDER, ARTIFACTS_FOLDER, TRACKING_FOLDER, METRICS_FILE, METRICS_LINES_FILE, SIGNATURE_FILE],
  ...[EXAMPLES_FILE, PARAMS_FILE, PROGRESS_FILE, PROFILE_FILE, HELD_OUT_FILE],
]);

/** A file nobody reads is most often a name written wrong. */
async function others(outputDir: string): Promise<Outcome> {
  const unknown = (await readdir(outputDir)).filter((name) => !KNOWN.has(name)).sort();
  if (unknown.length === 0) return ok('none');
  return wrong(`${listed(unknown)}: read by nobody; correct the name, or move it to ${ARTIFACTS_FOLDER}/ to keep it`);
}

const run: PublishRun = {
  ...{ namespace: 'kit', trainingJob: 'kit', runKey: 'kit/g1', runId: KIT_RUN_ID, experimentId: '0' },
  ...{ model: 'kit', image: 'kit', parameters: {} },
};

async function together({ inputDir, outputDir }: Left): Promise<Outcome> {
  await readOutput(run, inputDir, outputDir, 0);
  return ok('publish refuses nothing');
}

/** In the order of the contract's table. The last one is `publish` reading all of it. */
export async function check(left: Left): Promise<readonly Finding[]> {
  const { outputDir } = left;
  await readdir(outputDir).catch((error: NodeJS.ErrnoException) => {
    const next = 'mount there what the trainer wrote';
    throw new FailureError('InvalidConfiguration', `${outputDir} cannot be read (${error.code}): ${next}`);
  });
  const rules: readonly (readonly [string, () => Promise<Outcome>])[] = [
    ['exit code', async () => exitCode(left.exitCode)],
    [MODEL_FILE, () => model(outputDir)],
    [`${MODEL_FOLDER}/, ${ARTIFACTS_FOLDER}/`, () => folders(outputDir)],
    [
      SIGNATURE_FILE,
      () =>
        document(outputDir, SIGNATURE_FILE, ModelSignature, {
          without: 'inputs are named as in the ONNX graph',
          told: ({ inputs, outputs }) => `${plural(inputs.length, 'input')}, ${plural(outputs.length, 'output')}`,
          inModel: true,
        }),
    ],
    [
      EXAMPLES_FILE,
      () =>
        document(outputDir, EXAMPLES_FILE, Examples, {
          without: "the server's answers are not compared with yours",
          told: ({ inputs }) => plural(inputs.length, 'row'),
          inModel: true,
        }),
    ],
    [METRICS_FILE, () => metrics(outputDir, METRICS_FILE)],
    [METRICS_LINES_FILE, () => metrics(outputDir, METRICS_LINES_FILE)],
    [
      PARAMS_FILE,
      () =>
        document(outputDir, PARAMS_FILE, Parameters, {
          without: 'the run shows the parameters of the spec',
          told: (used) => plural(Object.keys(used).length, 'parameter'),
        }),
    ],
    [
      PROGRESS_FILE,
      () =>
        document(outputDir, PROGRESS_FILE, Progress, {
          without: 'kubectl get shows no progress',
          told: ({ percent }) => `${percent}% at the end`,
        }),
    ],
    [HELD_OUT_FILE, () => heldOut(outputDir)],
    ['other files', () => others(outputDir)],
    ['all together', () => together(left)],
  ];
  const findings: Finding[] = [];
  for (const [rule, work] of rules) findings.push(await finding(rule, work));
  return findings;
}

/** For a terminal, one line a rule. */
export function tableOf(findings: readonly Finding[]): string {
  const width = Math.max(...findings.map(({ rule }) => rule.length));
  return findings
    .map(({ rule, verdict, message }) => `${verdict.padEnd(6)}  ${rule.padEnd(width)}  ${message}\n`)
    .join('');
}
