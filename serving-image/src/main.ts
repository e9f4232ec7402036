#!/usr/bin/env -S node --max-semi-space-size=2
/**
 * The serving image's only entry: `fetch`, `verify`, `predict`, `batch`, `deposit`, `ship`, `front`, `serve` (default);
 * `probe` is a child of `verify`, `answer` of `predict`. With options instead of a command it serves a local file:
 * `--help` says how. The first line is the image's NODE_OPTIONS for those who start it without an image: requests need
 * no large nursery, and one of 16 MB costs 37 MB.
 */
import type { Stage } from '@slipway/contract';
import { fetchConfig, frontConfig, predictConfig, serveConfig, verifyConfig } from './config.ts';
import { asFailure, exitCodeFor, FailureError } from './failure.ts';
import { createLogger, type Logger } from './log.ts';
import { isModelHost } from './model/worker/messages.ts';
import { writeTermination } from './termination.ts';

// Each command imports its own part: the server neither loads nor holds the object store's client.
const COMMANDS: Readonly<Record<string, { stage: Stage; run: (log: Logger) => Promise<void> }>> = {
  fetch: {
    stage: 'fetch',
    run: async (log) => {
      const { runFetch } = await import('./fetch/run-fetch.ts');
      writeTermination(await runFetch(fetchConfig(process.env), log));
    },
  },
  verify: {
    stage: 'verify',
    run: async (log) => {
      const { verify } = await import('./verify/verify.ts');
      const { enterEmptyDirectory } = await import('./empty-directory.ts');
      const config = verifyConfig(process.env);
      await enterEmptyDirectory();
      const { MODEL_ARTIFACT: artifact, MODEL_DIR: dir, VERIFY_TIMEOUT_SECONDS: timeoutSeconds } = config;
      const isDerived = config.VERIFY_DERIVED === 'true';
      writeTermination(await verify({ artifact, dir, timeoutSeconds, isDerived, log }));
    },
  },
  predict: {
    // It judges what is to be published.
    stage: 'publish',
    run: async (log) => {
      const { predict } = await import('./predict/predict.ts');
      const { enterEmptyDirectory } = await import('./empty-directory.ts');
      const config = predictConfig(process.env);
      await enterEmptyDirectory();
      await predict({
        heldOut: config.HELD_OUT_FILE,
        candidate: config.CANDIDATE_DIR,
        references: config.REFERENCES_DIR,
        answers: config.ANSWERS_DIR,
        timeoutSeconds: config.PREDICT_TIMEOUT_SECONDS,
        log,
      });
    },
  },
  batch: {
    stage: 'batch',
    run: async (log) => {
      const { runBatch } = await import('./batch/run-batch.ts');
      await runBatch(process.argv.slice(3), log);
    },
  },
  deposit: {
    stage: 'deposit',
    run: async (log) => {
      const { depositConfig, runDeposit } = await import('./deposit/run-deposit.ts');
      writeTermination(await runDeposit(depositConfig(process.env), log));
    },
  },
  ship: {
    stage: 'ship',
    run: async (log) => {
      const { runShip, shipConfig } = await import('./ship/run-ship.ts');
      await runShip(shipConfig(process.env), log);
    },
  },
  front: {
    stage: 'serve',
    run: async (log) => {
      const config = frontConfig(process.env);
      const { front } = await import('./front/front.ts');
      await front(config, log);
    },
  },
  serve: {
    stage: 'serve',
    run: async (log) => {
      const config = serveConfig(process.env);
      const { serve } = await import('./serve.ts');
      await serve(config, log);
    },
  },
};

/** Obey the signal to stop by finishing what they have begun. */
const FINISHING = new Set(['serve', 'front', 'ship']);

async function main(): Promise<number> {
  if (isStandalone()) {
    const { runStandalone } = await import('./standalone.ts');
    return runStandalone(process.argv.slice(2), process.env);
  }
  const name = process.argv[2] ?? 'serve';
  if (name === 'probe') {
    const { probe } = await import('./verify/probe.ts');
    await probe();
    return 0;
  }
  if (name === 'answer') {
    const { answer } = await import('./predict/answer.ts');
    await answer();
    return 0;
  }
  const command = COMMANDS[name];
  const stage = command?.stage ?? 'serve';
  const log = createLogger(stage);
  // As process 1 of a container this process would otherwise ignore the signal; these finish what they do instead.
  if (!FINISHING.has(name)) process.once('SIGTERM', () => process.exit(143));
  try {
    if (!command) throw unknownCommand(name);
    await command.run(log);
    return 0;
  } catch (error) {
    const { reason, message } = asFailure(error);
    log.error({ reason, ...(reason === 'InternalError' && { err: error }) }, message);
    writeTermination({ stage, reason, message });
    return exitCodeFor(reason);
  }
}

/** Options instead of a command, or nothing at all: somebody's shell, and no pod. */
function isStandalone(): boolean {
  const [, , first] = process.argv;
  return first === undefined ? process.env['MODEL_ARTIFACT'] === undefined : first.startsWith('-');
}

const unknownCommand = (name: string): FailureError =>
  new FailureError(
    'InvalidConfiguration',
    `unknown command ${name.slice(0, 64)}; expected fetch, verify, predict, batch, deposit, ship, front or serve, or options: see --help`,
  );

if (isModelHost()) {
  const { hostModel } = await import('./model/worker/host.ts');
  await hostModel();
} else {
  process.exit(await main());
}
