/** The real program as a child process, the way a container runs it. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { parseTerminationMessage, type TerminationMessage } from '@slipway/contract';
import { filesOf, type ModelFolder, modelFolder, temporaryFolder } from './folder.ts';
import type { TestModel } from './models.ts';

/** The program's entry. */
export const MAIN = join(import.meta.dirname, '../src/main.ts');

export interface Program {
  readonly child: ChildProcess;
  /** Everything it logged so far. */
  readonly log: () => string;
  /** The first log line with this message. Rejects when the process ends without it. */
  readonly logged: (message: string) => Promise<Record<string, unknown>>;
  readonly ended: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
  readonly termination: () => Promise<TerminationMessage | undefined>;
}

/** Starts `main.ts <command>` in an empty directory with only the given environment. Killed when the test ends. */
export async function run(
  t: Pick<TestContext, 'after'>,
  command: string,
  env: Readonly<Record<string, string>>,
): Promise<Program> {
  const folder = await temporaryFolder(t);
  const cwd = await temporaryFolder(t);
  const terminationLog = join(folder, 'termination-log');
  const child = spawn(process.execPath, [MAIN, command], { cwd, env: { TERMINATION_LOG: terminationLog, ...env } });
  t.after(() => child.kill('SIGKILL'));
  let log = '';
  let changed = Promise.withResolvers<void>();
  const note = (chunk: Buffer): void => {
    log += chunk.toString();
    changed.resolve();
    changed = Promise.withResolvers();
  };
  child.stdout?.on('data', note);
  child.stderr?.on('data', note);
  const ended = once(child, 'close').then(([code, signal]) => ({ code, signal }));
  const logged = async (message: string): Promise<Record<string, unknown>> => {
    for (;;) {
      const line = log.split('\n').find((text) => text.includes(`"message":"${message}"`) && text.endsWith('}'));
      if (line) return JSON.parse(line);
      const next = await Promise.race([changed.promise, ended]);
      if (next && !log.includes(`"message":"${message}"`)) throw new Error(`ended without "${message}": ${log}`);
    }
  };
  const termination = async (): Promise<TerminationMessage | undefined> =>
    parseTerminationMessage(await readFile(terminationLog, 'utf8').catch(() => undefined));
  return { child, log: () => log, logged, ended, termination };
}

export interface Served extends Program {
  readonly url: string;
  readonly folder: ModelFolder;
}

/** Starts a server for the model and waits until it is ready. */
export async function serve(
  t: Pick<TestContext, 'after'>,
  model: TestModel,
  env: Readonly<Record<string, string>> = {},
): Promise<Served> {
  return serveFolder(t, await modelFolder(t, filesOf(model)), env);
}

/** As `serve`, for files that are there already. */
export async function serveFolder(
  t: Pick<TestContext, 'after'>,
  folder: ModelFolder,
  env: Readonly<Record<string, string>> = {},
): Promise<Served> {
  const program = await run(t, 'serve', { ...serveEnv(folder), ...env });
  const { port } = await program.logged('listening');
  await program.logged('ready');
  return { ...program, url: `http://127.0.0.1:${port}`, folder };
}

export const serveEnv = ({ dir, artifact }: ModelFolder): Record<string, string> => ({
  HOST: '127.0.0.1',
  PORT: '0',
  MODEL_ARTIFACT: JSON.stringify(artifact),
  MODEL_DIR: dir,
  MODEL_NAME: 'iris',
  MODEL_VERSION: '2',
  DRAIN_DELAY_MS: '0',
});
