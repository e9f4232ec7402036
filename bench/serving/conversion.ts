/** Our converter at work on a model that MLflow saved: what it makes, how long it takes and what memory it needs. */
import { createHash } from 'node:crypto';
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { EXAMPLES_FILE, SIGNATURE_FILE, shortHash } from '@slipway/contract';
import { pythonWith } from '../../test/conformance/venv.ts';
import { cacheFolder } from './models.ts';
import { launch } from './processes.ts';

/** What the server needs of what the converter writes. */
export const CONVERTED_FILES = ['model.onnx', SIGNATURE_FILE, EXAMPLES_FILE] as const;

/** How a conversion went. */
export interface Conversion {
  readonly date: string;
  /** Of the converter. */
  readonly build: string;
  readonly seconds: number;
  readonly peakMb: number;
  readonly failure?: string | undefined;
}

const converter = join(import.meta.dirname, '../../converter-image');

/** What the image has, of scikit-learn the newest: that is what made the models of the comparison. */
function requirements(): string {
  const newest = /^scikit-learn==.*$/m.exec(readFileSync(join(converter, 'libraries.txt'), 'utf8'))?.[0];
  return `${readFileSync(join(converter, 'requirements.txt'), 'utf8')}${newest ?? ''}\n`;
}

function requirementsFile(): string {
  const file = join(cacheFolder(), `requirements-converter-${shortHash(requirements(), 12)}.txt`);
  writeFileSync(file, requirements());
  return file;
}
const PROCESSOR = 0;
const LOOK_MS = 20;
const MOST_SECONDS = 300;

function* sources(folder: string): Generator<string> {
  for (const entry of readdirSync(folder, { withFileTypes: true }).toSorted((a, b) => (a.name < b.name ? -1 : 1))) {
    const path = join(folder, entry.name);
    if (entry.isDirectory() && entry.name !== '__pycache__') yield* sources(path);
    if (entry.isFile() && entry.name.endsWith('.py')) yield path;
  }
}

/** Changes with the converter and with the libraries it works with. Throws where there is no converter. */
export function converterBuild(): string {
  const hash = createHash('sha256').update(requirements());
  for (const path of sources(join(converter, 'slipway_converter'))) hash.update(readFileSync(path));
  return hash.digest('hex').slice(0, 12);
}

const resultFolder = (mlflowFolder: string): string => `${mlflowFolder}-converted-${converterBuild()}`;

/** The folder with the ONNX that the converter made of a model that MLflow saved; made once for a build of the converter. */
export async function ensureConverted(mlflowFolder: string): Promise<string> {
  const folder = resultFolder(mlflowFolder);
  if (!existsSync(folder)) {
    const { failure } = await measureConversion(mlflowFolder);
    if (failure !== undefined) throw new Error(failure);
  }
  return folder;
}

/** Converts, whether or not that was done before. What is wrong is said in the figures. */
export async function measureConversion(mlflowFolder: string): Promise<Conversion> {
  const date = new Date().toISOString().slice(0, 16).replace('T', ' ');
  try {
    return { date, build: converterBuild(), ...(await convert(mlflowFolder)) };
  } catch (error) {
    const failure = error instanceof Error ? error.message.trim() : String(error);
    return { date, build: existsSync(converter) ? converterBuild() : '', seconds: 0, peakMb: 0, failure };
  }
}

async function convert(mlflowFolder: string): Promise<{ readonly seconds: number; readonly peakMb: number }> {
  const folder = resultFolder(mlflowFolder);
  const interpreter = await pythonWith(requirementsFile());
  const part = `${folder}.part`;
  rmSync(part, { recursive: true, force: true });
  mkdirSync(part, { recursive: true });
  const scratch = `${part}.scratch`;
  rmSync(scratch, { recursive: true, force: true });
  mkdirSync(scratch);
  try {
    const figures = await runConverter(interpreter, { MODEL_DIR: mlflowFolder, OUTPUT_DIR: part }, scratch);
    const missing = CONVERTED_FILES.filter((name) => !existsSync(join(part, name)));
    if (missing.length > 0) throw new Error(`the converter wrote no ${missing.join(', ')}`);
    rmSync(folder, { recursive: true, force: true });
    renameSync(part, folder);
    return figures;
  } finally {
    rmSync(scratch, { recursive: true, force: true });
    rmSync(part, { recursive: true, force: true });
  }
}

/** The versions of libraries as the image has them, each in a folder of its own: here there is one. */
function librariesOf(interpreter: string, scratch: string): string {
  const lib = join(interpreter, '../../lib');
  const packages = join(lib, readdirSync(lib).find((name) => name.startsWith('python')) ?? '', 'site-packages');
  const version = readdirSync(packages)
    .map((name) => /^scikit_learn-(.*)\.dist-info$/.exec(name)?.[1])
    .find((found) => found !== undefined);
  const folder = join(scratch, 'libraries', 'scikit-learn');
  mkdirSync(folder, { recursive: true });
  symlinkSync(packages, join(folder, version ?? 'none'));
  return join(scratch, 'libraries');
}

async function runConverter(interpreter: string, folders: Readonly<Record<string, string>>, scratch: string) {
  const log = join(scratch, 'said');
  const said = openSync(log, 'w');
  const env = {
    PATH: process.env['PATH'] ?? '',
    HOME: scratch,
    TMPDIR: tmpdir(),
    LANG: 'C.UTF-8',
    PYTHONPATH: converter,
    PYTHONDONTWRITEBYTECODE: '1',
    OMP_NUM_THREADS: '1',
    OPENBLAS_NUM_THREADS: '1',
    LIBRARIES_DIR: librariesOf(interpreter, scratch),
    TERMINATION_LOG: join(scratch, 'termination-log'),
    CONVERT_TIMEOUT_SECONDS: String(MOST_SECONDS),
    ...folders,
  };
  const began = performance.now();
  const seconds = (): number => (performance.now() - began) / 1000;
  const command = { command: interpreter, args: ['-m', 'slipway_converter'], env, cwd: scratch };
  const child = launch(command, PROCESSOR, said, said);
  closeSync(said);
  let peakMb = 0;
  try {
    while (child.ended() === undefined && seconds() < MOST_SECONDS) {
      peakMb = Math.max(peakMb, child.peakMb());
      await delay(LOOK_MS);
    }
    const took = seconds();
    if (child.ended() !== 'ended with 0')
      throw new Error(
        `the converter ${child.ended() ?? 'did not end'}: ${readFileSync(log, 'utf8').trim().slice(-1000)}`,
      );
    return { seconds: took, peakMb };
  } finally {
    await child.stop();
  }
}
