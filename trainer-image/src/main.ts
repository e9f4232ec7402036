#!/usr/bin/env node
/** The trainer image's only entry: `fetch`, `watch`, `train`, `publish`, and for those who write a trainer `kit`. */

import { asFailure, exitCodeFor, FailureError, quoted } from './failure.ts';
import { createLog, type Log } from './log.ts';
import { writeTermination } from './termination.ts';

type Command = (log: Log, env: NodeJS.ProcessEnv) => Promise<void>;

// Each command imports its own part: `train` never even loads a client of a store.
const COMMANDS = {
  fetch: async (log, env) => (await import('./fetch/run.ts')).runFetch(log, env),
  train: async (log, env) => (await import('./train/run.ts')).runTrain(log, env),
  watch: async (log, env) => (await import('./watch/run.ts')).runWatch(log, env),
  publish: async (log, env) => (await import('./publish/run.ts')).runPublish(log, env),
} as const satisfies Record<string, Command>;

const isCommand = (name: string): name is keyof typeof COMMANDS => Object.hasOwn(COMMANDS, name);

async function main(name: string, env: NodeJS.ProcessEnv): Promise<number> {
  const stage = isCommand(name) ? name : 'train';
  const log = createLog(stage);
  try {
    if (!isCommand(name)) {
      throw new FailureError(
        'InvalidConfiguration',
        `command ${quoted(name)}: expected fetch, train, watch, publish or kit; for training at a terminal see train --help`,
      );
    }
    await COMMANDS[name](log, env);
    return 0;
  } catch (error) {
    const { reason, message } = asFailure(error);
    const stack = reason === 'InternalError' && error instanceof Error ? { stack: error.stack } : {};
    log('error', message, { reason, ...stack });
    writeTermination({ stage, reason, message }, env);
    return exitCodeFor(reason);
  }
}

/** Words behind `train`, or none of what a pod would say: then it is a person who speaks. */
const isStandalone = (name: string, words: readonly string[], env: NodeJS.ProcessEnv): boolean =>
  name === 'train' && (words.length > 0 || env['ALGORITHM'] === undefined);
const isHelp = (name: string): boolean => ['--help', '-h', 'help'].includes(name);

// As process 1 of a container this process would otherwise ignore the signal.
process.once('SIGTERM', () => process.exit(143));
if (process.argv[2] === 'kit')
  process.exit(await (await import('./kit/run.ts')).runKit(process.argv.slice(3), process.env));
const [name = '', ...words] = process.argv.slice(2);
if (isHelp(name) || isStandalone(name, words, process.env)) {
  const { runStandalone } = await import('./train/standalone.ts');
  process.exit(await runStandalone(isHelp(name) ? ['--help'] : words));
}
process.exit(await main(name, process.env));
