/** Running the probe at arm's length: a time limit, no environment, and a sentence for every way it can die. */
import { type ChildProcess, spawn } from 'node:child_process';
import { memoryLimit } from '../cgroup.ts';
import { FailureError } from '../failure.ts';
import { PROBE_COMMAND, type ProbeRequest, ProbeResult } from './probe-protocol.ts';

export type ProbeReport = Extract<ProbeResult, { ok: true }>;

/** How a probe is started; it gets `arguments` for the same program as this process runs. */
export interface ProbeProgram {
  readonly command: string;
  readonly arguments: readonly string[];
}

export const thisProgram = (): ProbeProgram => ({
  command: process.execPath,
  arguments: [...process.execArgv, process.argv[1] as string, PROBE_COMMAND],
});

/** Throws FailureError: what the probe found, LoadTimeout, OutOfMemory, or InvalidModel when the process died of the model. */
export async function runProbe(
  request: ProbeRequest,
  timeoutSeconds: number,
  program: ProbeProgram = thisProgram(),
): Promise<ProbeReport> {
  const [command, ...rest] = withLimit(program, memoryLimit());
  const child = spawn(command, rest, { stdio: ['ignore', 'ignore', 'pipe', 'ipc'], env: {} });
  try {
    const result = await outcome(child, request, timeoutSeconds);
    if (result.ok) return result;
    throw new FailureError(result.reason, result.message);
  } finally {
    child.kill('SIGKILL');
  }
}

/** Address space Node and the runtime reserve before any model is there; most of it is never used. */
const RESERVED_BYTES = 1024 ** 3;

/** A model that asks for far more memory than there is gets an error it can report, not the whole container killed. */
const withLimit = (program: ProbeProgram, bytes: number): [string, ...string[]] => [
  '/bin/sh',
  '-c',
  'ulimit -d "$0" 2>/dev/null; exec "$@"',
  String(Math.floor((bytes + RESERVED_BYTES) / 1024)),
  program.command,
  ...program.arguments,
];

function outcome(child: ChildProcess, request: ProbeRequest, timeoutSeconds: number): Promise<ProbeResult> {
  return new Promise((resolve, reject) => {
    let words = '';
    const timer = setTimeout(
      () => reject(new FailureError('LoadTimeout', `it was not loaded and tested within ${timeoutSeconds} s`)),
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
    child.once('message', (message) => settle(() => resolve(ProbeResult.parse(message))));
    // `close` comes after the channel's last message.
    child.once('close', (code, signal) => settle(() => reject(deathOf(code, signal, words))));
    child.send(request, (error) => {
      if (error) settle(() => reject(error));
    });
  });
}

function deathOf(code: number | null, signal: NodeJS.Signals | null, words: string): FailureError {
  const isMemory = signal === 'SIGKILL' || /heap out of memory|bad_alloc|Cannot allocate/i.test(words);
  if (isMemory) {
    return new FailureError(
      'OutOfMemory',
      'the process loading it ran out of memory; give the verification more memory or make the model smaller',
    );
  }
  return new FailureError('InvalidModel', `the process loading it died (${signal ?? `exit code ${code}`})`);
}
