/** A server without a cluster: what the operator would tell it is made from a path. Every protocol answers as in a pod. */
import { readdir, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import {
  type ArtifactFile,
  artifactDigest,
  EXAMPLES_FILE,
  PROFILE_FILE,
  SIGNATURE_FILE,
  MODEL_FILE as TRAINED_FILE,
} from '@slipway/contract';
import { type ServeConfig, serveConfig } from './config.ts';
import { asFailure, exitCodeFor, FailureError } from './failure.ts';
import { createLogger } from './log.ts';
import { measureFile } from './model/artifact-check.ts';
import { modelFileOf } from './model/files.ts';
import { MLMODEL_FILE, readMLmodel } from './model/mlmodel.ts';
import { inspectPath, LARGE_FILE_BYTES } from './model/worker/inspection.ts';
import { isObject } from './protocols/json.ts';
import { HELP, type StandaloneOptions, standaloneOptions } from './standalone-options.ts';

/** What a model may have beside it. */
const DOCUMENTS = [SIGNATURE_FILE, EXAMPLES_FILE, PROFILE_FILE, 'input_example.json'];

/** Where to listen when the command line does not say: an image listens to its published port, a laptop to itself. */
const HOST_VARIABLE = 'STANDALONE_HOST';

/** Serves until the first signal to stop; gives the exit code. What is wrong is said in one line on standard error. */
export async function runStandalone(
  args: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): Promise<number> {
  const log = createLogger('serve');
  try {
    const options = standaloneOptions(args, env[HOST_VARIABLE]);
    if (!options) {
      process.stdout.write(HELP);
      return 0;
    }
    const config = await standaloneConfig(options, env);
    await checkModel(config);
    const { serve } = await import('./serve.ts');
    await serve(config, log, (port) => process.stderr.write(greeting(config, port)));
    return 0;
  } catch (error) {
    const { reason, message } = asFailure(error);
    if (reason === 'InternalError') log.error({ reason, err: error }, message);
    process.stderr.write(`slipway-serving: ${message}\n`);
    return exitCodeFor(reason);
  }
}

/**
 * What can be told quickly is told before a port is opened: nobody should find a server that goes away again. Throws
 * FailureError. A large file is looked through once only, while the server answers that it is loading.
 */
export async function checkModel({ MODEL_DIR: dir, MODEL_ARTIFACT: { files = [] } }: ServeConfig): Promise<void> {
  const path = modelFileOf(files, await readMLmodel(dir));
  const size = files.find((file) => file.path === path)?.size ?? 0;
  if (size <= LARGE_FILE_BYTES) await inspectPath(join(dir, path));
}

function greeting({ MODEL_NAME, MODEL_VERSION, HOST }: ServeConfig, port: number): string {
  const isEvery = HOST === undefined || HOST === '0.0.0.0' || HOST === '::';
  const host = isEvery ? 'localhost' : HOST.includes(':') ? `[${HOST}]` : HOST;
  return `${MODEL_NAME} ${MODEL_VERSION} is served at http://${host}:${port}; see http://${host}:${port}/docs\n`;
}

/** The configuration of a server for these options, digests computed. Throws FailureError for what cannot be served. */
export async function standaloneConfig(
  { model, host, port, name, version, engine, isLogging, cors }: StandaloneOptions,
  env: Readonly<Record<string, string | undefined>>,
): Promise<ServeConfig> {
  const path = resolve(model);
  const { dir, paths } = await modelAt(path, model);
  const files = await Promise.all(paths.map((file) => measured(dir, file)));
  const artifact = { namespace: '', uri: `file://${path}`, files, digest: artifactDigest(files) };
  const settings = {
    ...(engine && { engine }),
    ...(!isLogging && { predictionLog: { enabled: false } }),
    ...(cors.length > 0 && { cors: { origins: cors } }),
  };
  return serveConfig({
    // No proxy has to learn that this server leaves.
    DRAIN_DELAY_MS: '0',
    ...env,
    MODEL_DIR: dir,
    MODEL_ARTIFACT: JSON.stringify(artifact),
    MODEL_NAME: name ?? (basename(path).replace(/\.onnx$/i, '') || 'model'),
    MODEL_VERSION: version,
    HOST: host,
    PORT: String(port),
    SERVE_SETTINGS: merged(env['SERVE_SETTINGS'] ?? '{}', settings),
  });
}

/** What the environment says of how to answer, and over it what the command line says. What is no object is left for others to refuse. */
function merged(given: string, settings: object): string {
  try {
    const parsed: unknown = JSON.parse(given);
    return isObject(parsed) ? JSON.stringify({ ...parsed, ...settings }) : given;
  } catch {
    return given;
  }
}

const missing = (message: string): FailureError => new FailureError('ArtifactMissing', message);

interface ModelAt {
  readonly dir: string;
  /** Relative to `dir`. */
  readonly paths: readonly string[];
}

async function modelAt(path: string, given: string): Promise<ModelAt> {
  const found = await stat(path).catch((error: NodeJS.ErrnoException) => {
    throw missing(`--model: ${given} ${error.code === 'EACCES' ? 'may not be read' : 'is not there'}`);
  });
  if (found.isDirectory()) return filesOfFolder(path, given);
  const dir = dirname(path);
  const file = basename(path);
  const beside = new Set(await readdir(dir).catch(() => []));
  return {
    dir,
    paths: [file, ...DOCUMENTS.filter((name) => beside.has(name)), ...(await mlmodelOf(dir, file, beside))],
  };
}

/** The description of a folder counts for a file in it only where it is that file's. */
async function mlmodelOf(dir: string, file: string, beside: ReadonlySet<string>): Promise<readonly string[]> {
  if (!beside.has(MLMODEL_FILE)) return [];
  const { onnxFile } = (await readMLmodel(dir)) ?? {};
  if (onnxFile === file) return [MLMODEL_FILE];
  throw new FailureError('InvalidModel', `the MLmodel beside ${file} describes another file; name its folder instead`);
}

/** Only what is served counts towards the digest: a folder may hold other things. */
async function filesOfFolder(dir: string, given: string): Promise<ModelAt> {
  const names = await readdir(dir).catch(() => {
    throw missing(`--model: ${given} may not be read`);
  });
  const mlmodel = await readMLmodel(dir);
  const nested = mlmodel?.onnxFile ?? (await trainedFileIn(dir, names));
  const present = [...names, ...(nested ? [nested] : [])].map((path) => ({ path }));
  const file = modelFileOf(present, mlmodel);
  const beside = [...DOCUMENTS, MLMODEL_FILE].filter((name) => names.includes(name));
  return { dir, paths: [file, ...beside] };
}

/** A trainer's output folder has the model one folder down, and its documents at the top. */
async function trainedFileIn(dir: string, names: readonly string[]): Promise<string | undefined> {
  if (names.some((name) => name.endsWith('.onnx'))) return undefined;
  const found = await stat(join(dir, TRAINED_FILE)).catch(() => undefined);
  return found?.isFile() ? TRAINED_FILE : undefined;
}

async function measured(dir: string, path: string): Promise<ArtifactFile> {
  const measure = await measureFile(join(dir, path)).catch((error: NodeJS.ErrnoException) => {
    throw missing(`${path} cannot be read${error.code ? ` (${error.code})` : ''}`);
  });
  if (!measure) throw missing(`${path} is not there`);
  return { path, ...measure };
}
