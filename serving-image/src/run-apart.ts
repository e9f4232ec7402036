/** Running a foreign model at arm's length: a time limit, no environment, and a sentence for every way it can die. */
import { type ChildProcess, spawn } from 'node:child_process';
import type { z } from 'zod';
import { memoryLimit } from './cgroup.ts';
import { FailureError } from './failure.ts';

/** What a child is started from; it gets `arguments` for the same program as this process runs. */
export interface ChildProgram {
  readonly command: string;
  readonly arguments: readonly string[];
}

/** This very program with another subcommand. */
export const thisProgram = (subcommand: string): ChildProgram => ({
  command: process.execPath,
  arguments: [...process.execArgv, process.argv[1] as string, subcommand],
});

export interface ApartOptions<Answer> {
  /** The child's first and only message. */
  readonly request: object;
  /** Of its only answer, which may be anything: a model ran in that process. */
  readonly answer: z.ZodType<Answer>;
  readonly timeoutSeconds: number;
  readonly program: ChildProgram;
  /** `loaded and tested`, for messages. */
  readonly done: string;
  /** What to do when memory is too small, for messages. */
  readonly cure: string;
}

/** The child's answer. Throws FailureError: LoadTimeout, OutOfMemory, or InvalidModel when the process died of the model. */
export async function runApart<Answer>(options: ApartOptions<Answer>): Promise<Answer> {
  const [command, ...rest] = withLimit(options.program, memoryLimit());
  const child = spawn(command, rest, { stdio: ['ignore', 'ignore', 'pipe', 'ipc'], env: {} });
  try {
    return await outcome(child, options);
  } finally {
    child.kill('SIGKILL');
  }
}

/** Address space Node and the runtime reserve before any model is there; most of it is never used. */
const RESERVED_BYTES = 1024 ** 3;

/** A model that asks for far more memory than there is gets an error it can report, not the whole container killed. */
const withLimit = (program: ChildProgram, bytes: number): [string, ...string[]] => [
  '/bin/sh',
  '-c',
  'ulimit -d "$0" 2>/dev/null; exec "$@"',
  String(Math.floor((bytes + RESERVED_BYTES) / 1024)),
  program.command,
  ...program.arguments,
];

function outcome<Answer>(child: ChildProcess, options: ApartOptions<Answer>): Promise<Answer> {
  const { request, answer, timeoutSeconds, done } = options;
  return new Promise((resolve, reject) => {
    let words = '';
    const timer = setTimeout(
      () => reject(new FailureError('LoadTimeout', `it was not ${done} within ${timeoutSeconds} s`)),
      timeoutSeconds * 1000,
    );
    const settle = (action: () => void): void => {
      clearTimeout(timer);
      action();
    };
    child.stderr?.on('data', (chunk: Buffer) => {
      words = (words + chunk.toString('utf8')).slice(-4096);
    });
    child.once('error', (error) => settle(() => reject(error)));
    child.once('message', (message) =>
      settle(() => {
        const parsed = answer.safeParse(message);
        if (parsed.success) resolve(parsed.data);
        else reject(new FailureError('InvalidModel', 'the process of the model answered nonsense'));
      }),
    );
    // `close` comes after the channel's last message.
    child.once('close', (code, signal) => settle(() => reject(deathOf(code, signal, words, options.cure))));
    child.send(request, (error) => {
      if (error) settle(() => reject(error));
    });
  });
}

function deathOf(code: number | null, signal: NodeJS.Signals | null, words: string, cure: string): FailureError {
  const isMemory = signal === 'SIGKILL' || /heap out of memory|bad_alloc|Cannot allocate/i.test(words);
  if (isMemory) return new FailureError('OutOfMemory', `the process loading it ran out of memory; ${cure}`);
  return new FailureError('InvalidModel', `the process loading it died (${signal ?? `exit code ${code}`})`);
}
