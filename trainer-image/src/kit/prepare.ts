/** What a trainer finds when it starts, made without a cluster: the folders of a run and its environment. */
import { createHash } from 'node:crypto';
import { chmod, copyFile, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import {
  INPUT_DIGESTS_FILE,
  type InputDigests,
  OUTPUT_DIR,
  PARAMS_FILE,
  type Parameters,
  runIdFor,
  TRAINING_INPUT,
} from '@slipway/contract';
import { FailureError, quoted } from '../failure.ts';

export interface KitFolders {
  readonly inputDir: string;
  readonly outputDir: string;
  /** Every file in it becomes the input of its name; without one the only input is `train`, the iris flowers. */
  readonly dataDir: string;
  readonly builtinDir: string;
}

export const KIT_RUN_ID = runIdFor('kit/g1');
/** Below /output: a folder stands for the registry, so that an mlflow script finds a server where there is none. */
export const TRACKING_FOLDER = 'mlruns';

/** `NAME=VALUE` words as the parameters of a run. Throws InvalidConfiguration naming the word that is none. */
export function parametersFrom(words: readonly string[]): Parameters {
  const parameters: Record<string, string> = {};
  for (const word of words) {
    const [, name, value] = /^([A-Za-z_][A-Za-z0-9_]*)=([^\n]*)$/.exec(word) ?? [];
    if (name === undefined || value === undefined) {
      throw new FailureError('InvalidConfiguration', `parameter ${quoted(word)}: expected NAME=VALUE on one line`);
    }
    parameters[name] = value;
  }
  return parameters;
}

/** The environment of the trainer, as `docker run --env-file` reads it. */
export function environmentFor(parameters: Parameters): Readonly<Record<string, string>> {
  const given = Object.entries(parameters).map(([name, value]) => [`PARAM_${name.toUpperCase()}`, value]);
  return {
    ...Object.fromEntries(given),
    RUN_ID: KIT_RUN_ID,
    HOME: '/tmp',
    MLFLOW_TRACKING_URI: `file://${OUTPUT_DIR}/${TRACKING_FOLDER}`,
    MLFLOW_ALLOW_FILE_STORE: 'true',
  };
}

async function empty(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  for (const name of await readdir(folder)) await rm(join(folder, name), { recursive: true, force: true });
}

async function bring(from: string, name: string, uri: string, inputDir: string): Promise<InputDigests[number]> {
  await copyFile(from, join(inputDir, name));
  const bytes = await readFile(from);
  return { name, uri, sha256: createHash('sha256').update(bytes).digest('hex'), size: bytes.length };
}

async function inputsFrom({ dataDir, builtinDir, inputDir }: KitFolders): Promise<InputDigests> {
  const names = (await readdir(dataDir).catch(() => [])).sort();
  if (names.length === 0) {
    return [await bring(join(builtinDir, 'iris.csv'), TRAINING_INPUT, 'builtin://iris.csv', inputDir)];
  }
  return Promise.all(names.map((name) => bring(join(dataDir, name), name, `data://${name}`, inputDir)));
}

/** Empties both folders and writes what `fetch` would; returns the environment. */
export async function prepare(parameters: Parameters, folders: KitFolders): Promise<Readonly<Record<string, string>>> {
  await empty(folders.inputDir);
  await empty(folders.outputDir);
  // In a pod the volume's group lets the trainer write; here its user is not known to own anything.
  await chmod(folders.outputDir, 0o777);
  const digests = await inputsFrom(folders);
  const documents = { [PARAMS_FILE]: parameters, [INPUT_DIGESTS_FILE]: digests };
  for (const [file, document] of Object.entries(documents)) {
    const path = join(folders.inputDir, file);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, `${JSON.stringify(document)}\n`);
  }
  return environmentFor(parameters);
}
