/** The log of predictions of a serving process, as its settings ask for it. */
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { PREDICTION_HASH_KEY, type PredictionLog as Settings } from '@slipway/contract';
import type { Registry } from 'prom-client';
import { type Logger, redirectLogs } from '../log.ts';
import type { ServedModel } from '../model/served-model.ts';
import type { AnsweredEvent } from '../protocols/answered.ts';
import type { ServerState } from '../request/state.ts';
import { createFileSink } from './file-sink.ts';
import { createPredictionLog, predictionLogMetrics, warnOfUnknownFeatures } from './prediction-log.ts';
import { createStdoutSink } from './stdout-sink.ts';

export interface OpenOptions {
  readonly settings: Settings;
  /** Where lines are left for shipping. */
  readonly dir: string;
  /** Where the key lies that digests are made with. */
  readonly keysDir: string;
  readonly state: ServerState;
  readonly metrics: { readonly registry: Registry };
  readonly log: Logger;
}

export interface OpenedPredictionLog {
  /** For the server. */
  readonly options: { readonly onAnswered?: (event: AnsweredEvent) => void };
  /** Once, when there is a model: says what of the settings does not fit it. */
  readonly fits: (model: ServedModel) => void;
  /** When the last request has been answered. */
  readonly close: () => Promise<void>;
}

/** For a reader that stands still. */
const STDOUT_BYTES = 4 * 1024 ** 2;
/** A reader that takes nothing for so long is not waited for any longer. */
const PATIENCE_MS = 3_000;

/**
 * From here on standard output is written to without waiting for its reader, by the process's own log too. Nothing is opened
 * when no line is wanted.
 */
export function openPredictionLog({ settings, dir, keysDir, state, metrics, log }: OpenOptions): OpenedPredictionLog {
  if (!settings.enabled) return { options: {}, fits: () => {}, close: async () => {} };
  const counted = predictionLogMetrics(metrics.registry, () => predictions.lines());
  for (const sink of settings.ship ? ['stdout', 'refusals', 'store'] : ['stdout', 'refusals'])
    counted.dropped.inc({ sink }, 0);
  const stdout = createStdoutSink({
    maxBytes: STDOUT_BYTES,
    onDropped: (lines) => counted.dropped.inc({ sink: 'stdout' }, lines),
  });
  const store = settings.ship
    ? [createFileSink({ dir, log, onDropped: (lines) => counted.dropped.inc({ sink: 'store' }, lines) })]
    : [];
  const predictions = createPredictionLog({
    settings,
    hashKey: settings.hash.length > 0 ? hashKeyIn(keysDir, log) : '',
    state,
    sinks: [stdout, ...store],
    onRefusalDropped: () => counted.dropped.inc({ sink: 'refusals' }),
  });
  redirectLogs((line) => stdout.offer({ bytes: Buffer.from(line), lines: 0 }));
  process.once('exit', () => {
    predictions.flush();
    stdout.flushNow();
  });
  return {
    options: { onAnswered: predictions.onAnswered },
    fits: (model) => warnOfUnknownFeatures(settings, model, log),
    close: () => predictions.close(PATIENCE_MS),
  };
}

/** A server that was given no key has one of its own: its digests are equal among themselves only. */
function hashKeyIn(dir: string, log: Logger): string {
  try {
    return readFileSync(join(dir, PREDICTION_HASH_KEY), 'utf8').trim();
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    log.warn({ dir, code }, 'no key for hashed features; digests are not those of other servers, nor of later ones');
    return randomBytes(32).toString('hex');
  }
}
