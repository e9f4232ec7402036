import { type SpawnOptions, spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { access, constants } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';

export interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly input?: string;
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Appends both output streams to this file instead of collecting them. */
  readonly logFile?: string;
  readonly timeoutMs?: number;
  /** Return a non-zero exit instead of throwing. */
  readonly mayFail?: boolean;
}

/** A command that ended badly; `message` holds the command and the end of what it said. */
export class CommandFailed extends Error {
  override readonly name = 'CommandFailed';
}

function tail(text: string, lines = 20): string {
  return text.trimEnd().split('\n').slice(-lines).join('\n');
}

/** Runs a command to its end and returns what it said. Throws `CommandFailed` on a non-zero exit unless `mayFail`. */
export async function run(command: string, args: readonly string[], options: RunOptions = {}): Promise<Outcome> {
  const log = options.logFile === undefined ? undefined : openSync(options.logFile, 'a');
  const output = log ?? 'pipe';
  const settings: SpawnOptions = {
    stdio: [options.input === undefined ? 'ignore' : 'pipe', output, output],
    env: { ...process.env, ...options.env },
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    ...(options.timeoutMs === undefined ? {} : { timeout: options.timeoutMs, killSignal: 'SIGKILL' as const }),
  };
  const child = spawn(command, args, settings);
  if (log !== undefined) closeSync(log);
  let stdout = '';
  let stderr = '';
  child.stdout?.setEncoding('utf8').on('data', (chunk: string) => {
    stdout += chunk;
  });
  child.stderr?.setEncoding('utf8').on('data', (chunk: string) => {
    stderr += chunk;
  });
  // A child that ends before it has read its input closes the pipe; its exit code tells the story.
  child.stdin?.on('error', () => {}).end(options.input);
  const code = await new Promise<number>((resolve) => {
    child.on('error', (error) => {
      stderr += error.message;
      resolve(127);
    });
    child.on('close', (exit) => resolve(exit ?? 128));
  });
  if (code !== 0 && !options.mayFail) {
    const said = options.logFile ? `see ${options.logFile}` : tail(stderr || stdout);
    throw new CommandFailed(`${command} ${args.join(' ')} exited with ${code}\n${said}`);
  }
  return { code, stdout, stderr };
}

/** Whether the command exits with 0. */
export async function succeeds(command: string, args: readonly string[], options: RunOptions = {}): Promise<boolean> {
  return (await run(command, args, { ...options, mayFail: true })).code === 0;
}

/** Pipes one command's output into another; both must end well. */
export async function pipe(
  from: readonly string[],
  into: readonly string[],
  env: RunOptions['env'] = {},
): Promise<void> {
  const environment = { ...process.env, ...env };
  const source = spawn(from[0] ?? '', from.slice(1), { stdio: ['ignore', 'pipe', 'pipe'], env: environment });
  const sink = spawn(into[0] ?? '', into.slice(1), { stdio: ['pipe', 'ignore', 'pipe'], env: environment });
  let said = '';
  for (const child of [source, sink]) {
    child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
      said += chunk;
    });
  }
  sink.stdin.on('error', () => {});
  source.stdout.pipe(sink.stdin);
  const codes = await Promise.all(
    [source, sink].map(
      (child) =>
        new Promise<number>((resolve) => {
          child.on('error', () => resolve(127));
          child.on('close', (code) => resolve(code ?? 128));
        }),
    ),
  );
  if (codes.some((code) => code !== 0)) {
    throw new CommandFailed(`${from.join(' ')} | ${into.join(' ')} exited with ${codes.join(', ')}\n${tail(said)}`);
  }
}

/** The full path of a command that the shell would find, or undefined. */
export async function which(command: string, path = process.env.PATH ?? ''): Promise<string | undefined> {
  for (const directory of path.split(':')) {
    const candidate = `${directory}/${command}`;
    const found = await access(candidate, constants.X_OK).then(
      () => true,
      () => false,
    );
    if (directory !== '' && found) return candidate;
  }
  return undefined;
}

/** Asks until the answer is true; false when the time is over. */
export async function eventually(question: () => Promise<boolean>, timeoutMs: number, everyMs = 250): Promise<boolean> {
  const end = Date.now() + timeoutMs;
  while (Date.now() < end) {
    if (await question()) return true;
    await sleep(everyMs);
  }
  return false;
}
