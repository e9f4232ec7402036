/** `slipway-trainer train …`: the same training on any machine, for a person. No cluster, store or database is needed. */
import { writeSync } from 'node:fs';
import { join } from 'node:path';
import { asFailure, exitCodeFor, FailureError } from '../failure.ts';
import type { Log } from '../log.ts';
import { type Command, commandFrom, help, UsageError } from './command-line.ts';
import { runTraining } from './run-training.ts';
import { filesTable, metricsTable, progressBar, progressLines } from './terminal.ts';

const EXIT_USAGE = 64;

const out = (text: string): void => void writeSync(1, text);
const err = (text: string): void => void writeSync(2, text);

/** Of the log only what a person must know. */
const warnings =
  (wipe: string): Log =>
  (level, message, fields = {}) => {
    if (level === 'info') return;
    const next = fields['next'] === undefined ? '' : `; ${fields['next']}`;
    err(`${wipe}warning: ${message}${next}\n`);
  };

function readable(error: unknown, { input, output }: Command): unknown {
  const { code, path, syscall } = error as NodeJS.ErrnoException;
  if (error instanceof FailureError || typeof code !== 'string' || typeof syscall !== 'string') return error;
  // Only the input is read; of a folder or a full disk no path is told.
  const isInput = syscall === 'read' || (path === input && syscall !== 'mkdir');
  const what = isInput ? `--input ${input} cannot be read` : `--output ${output} cannot be written`;
  const why = WHY[code] === undefined ? code : `${WHY[code]} (${code})`;
  return new FailureError(isInput ? 'InputNotFound' : 'InvalidConfiguration', `${what}: ${why}`, { cause: error });
}

const WHY: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file or folder',
  EISDIR: 'it is a folder, expected a file',
  EEXIST: 'it is a file, expected a folder',
  ENOTDIR: 'a file is in the place of a folder',
  EACCES: 'the permission is missing',
  EROFS: 'the file system is read-only',
  ENOSPC: 'the disk is full',
};

async function run(command: Command): Promise<void> {
  const isTerminal = process.stderr.isTTY === true;
  const watcher = isTerminal ? progressBar(err, () => process.stderr.columns || 80) : progressLines(err);
  const { trained, files } = await runTraining({
    algorithm: command.algorithm,
    parameters: command.parameters,
    input: command.input,
    outputDir: command.output,
    log: warnings(isTerminal ? '\r\u001b[K' : ''),
    now: Date.now,
    watchers: [watcher],
  }).catch((error) => {
    throw readable(error, command);
  });
  const shown = files.map(({ path, bytes }) => ({ path: join(command.output, path), bytes }));
  out(`${metricsTable(trained.metrics)}\n${filesTable(shown)}`);
}

/** Resolves with the code to exit with. What is wrong is told in one line on standard error. */
export async function runStandalone(words: readonly string[]): Promise<number> {
  try {
    const command = commandFrom(words);
    if (command) await run(command);
    else out(help());
    return 0;
  } catch (error) {
    if (error instanceof UsageError) {
      err(`slipway-trainer: ${error.message}; slipway-trainer train --help tells more\n`);
      return EXIT_USAGE;
    }
    const { reason, message } = asFailure(error);
    // What nobody foresaw is for whoever mends it.
    const unforeseen = reason === 'InternalError' ? `${(error as Error)?.stack ?? error}\n` : '';
    err(
      `${process.stderr.isTTY ? '\r\u001b[K' : ''}slipway-trainer: ${unforeseen === '' ? message : 'this should not happen'}\n${unforeseen}`,
    );
    return exitCodeFor(reason);
  }
}
