/** The converter as its image runs it, with this machine's Python 3.11. */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { pathsFor } from '../../test/cluster/paths.ts';
import { converterFolders } from '../../test/cluster/python-image.ts';

const root = join(import.meta.dirname, '..');

/** What runs the converter, or why nothing here can. */
export interface Converter {
  readonly python: string;
  readonly site: string;
  readonly libraries: string;
}

/** Wheels of the image are for this Python and no other. */
function python311(): string | undefined {
  const asks = ['-c', 'import sys; sys.exit(sys.version_info[:2] != (3, 11))'];
  return ['python3.11', 'python3'].find((name) => spawnSync(name, asks).status === 0);
}

/** Compiled once, as in the image: most of what an import costs. */
function compiled(python: string, folder: string): void {
  const mark = `${folder}.compiled`;
  if (existsSync(mark)) return;
  spawnSync(python, ['-m', 'compileall', '-q', '-j', '0', '--invalidation-mode', 'unchecked-hash', folder]);
  writeFileSync(mark, '');
}

/** Takes minutes the first time. The reason when there is no Python 3.11, or no package index answers. */
export async function converter(): Promise<Converter | string> {
  const python = python311();
  if (python === undefined) return 'there is no Python 3.11';
  try {
    const { site, libraries } = await converterFolders(pathsFor(process.env));
    for (const folder of [site, libraries]) compiled(python, folder);
    return { python, site, libraries };
  } catch (error) {
    return `the converter's packages cannot be had: ${String(error).slice(0, 200)}`;
  }
}

/** What the packages of a library's newest version, and the converter's, are imported from. */
export function pythonPath({ site, libraries }: Converter): string {
  const newest = ['scikit-learn', 'xgboost', 'lightgbm'].map((name) => {
    const versions = readdirSync(join(libraries, name)).toSorted((a, b) => a.localeCompare(b, 'en', { numeric: true }));
    return join(libraries, name, versions.at(-1) ?? '');
  });
  return [root, ...newest, site].join(':');
}

/** What a stream has brought so far. */
function textOf(stream: NodeJS.ReadableStream): () => string {
  let text = '';
  stream.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk;
  });
  return () => text;
}

/** Runs a script of test/python; gives what it printed. */
export async function script(converter: Converter, name: string, ...args: readonly string[]): Promise<string> {
  const env = { PATH: process.env['PATH'], HOME: process.env['HOME'], PYTHONPATH: pythonPath(converter) };
  const child = spawn(converter.python, [join(import.meta.dirname, 'python', name), ...args], { env });
  const [out, err] = [textOf(child.stdout), textOf(child.stderr)];
  const [status] = (await once(child, 'close')) as [number | null];
  if (status !== 0) throw new Error(`${name} ended with ${status}: ${err().slice(-2000)}`);
  return out();
}

export interface Converted {
  readonly status: number | null;
  readonly signal: string | null;
  readonly reason: string;
  readonly message: string;
  readonly output: string;
  readonly log: string;
  readonly seconds: number;
}

/** A folder that is gone when the test has ended. */
export function temporaryFolder(t: Pick<TestContext, 'after'>): string {
  const folder = mkdtempSync(join(tmpdir(), 'slipway-converter-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Converts a model folder; `output` is the folder with the result. `meanwhile` is told the process. */
export async function convert(
  t: Pick<TestContext, 'after'>,
  { python, site, libraries }: Converter,
  model: string,
  more: Readonly<Record<string, string>> = {},
  meanwhile: (pid: number) => Promise<void> = async () => {},
): Promise<Converted> {
  const output = temporaryFolder(t);
  const termination = join(temporaryFolder(t), 'termination');
  const env = {
    PATH: process.env['PATH'],
    PYTHONPATH: `${root}:${site}`,
    PYTHONDONTWRITEBYTECODE: '1',
    MODEL_DIR: model,
    OUTPUT_DIR: output,
    CONVERT_TIMEOUT_SECONDS: '240',
    LIBRARIES_DIR: libraries,
    TERMINATION_LOG: termination,
    ...more,
  };
  const started = performance.now();
  const child = spawn(python, ['-m', 'slipway_converter'], { env, stdio: ['ignore', 'pipe', 'pipe'] });
  const [out, err] = [textOf(child.stdout), textOf(child.stderr)];
  const closed = once(child, 'close') as Promise<[number | null, string | null]>;
  if (child.pid !== undefined) await meanwhile(child.pid);
  const [status, signal] = await closed;
  const seconds = (performance.now() - started) / 1000;
  const told = existsSync(termination) ? JSON.parse(readFileSync(termination, 'utf8')) : {};
  return { status, signal, reason: told.reason, message: told.message, output, log: out() + err(), seconds };
}
