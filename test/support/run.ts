import { spawnSync } from 'node:child_process';

export interface RunOptions {
  /** Text for standard input. */
  readonly input?: string;
  readonly timeoutMs?: number;
}

/** A command that failed, with what it said. */
export class CommandError extends Error {
  override readonly name = 'CommandError';
  readonly stderr: string;
  constructor(command: string, stderr: string, stdout: string) {
    super(`${command}\n${stderr}${stdout}`.trim());
    this.stderr = stderr;
  }
}

/** Runs a command to its end and returns its standard output; throws CommandError when it fails. */
export function run(command: string, args: readonly string[], options: RunOptions = {}): string {
  const { status, stdout, stderr, error } = spawnSync(command, args, {
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
    timeout: options.timeoutMs ?? 120_000,
    ...(options.input === undefined ? {} : { input: options.input }),
  });
  if (error || status !== 0)
    throw new CommandError([command, ...args].join(' '), stderr || String(error ?? ''), stdout);
  return stdout;
}
