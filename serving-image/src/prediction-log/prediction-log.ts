/** The log of predictions: a line for each, collected and handed on many at a time, never in the way of an answer. */
import type { PredictionLog as Settings } from '@slipway/contract';
import { Counter } from 'prom-client';
import type { Logger } from '../log.ts';
import type { Scored, ServedModel } from '../model/served-model.ts';
import type { AnsweredEvent } from '../protocols/answered.ts';
import type { ServerState } from '../request/state.ts';
import type { Sink } from './chunks.ts';
import { unknownFeatures } from './features.ts';
import { createLines } from './line.ts';
import { clearPage, createPage } from './page.ts';

type Registry = NonNullable<ConstructorParameters<typeof Counter>[0]['registers']>[number];

export interface PredictionLogOptions {
  readonly settings: Settings;
  /** Under which features are digested. */
  readonly hashKey: string;
  readonly state: ServerState;
  readonly sinks: readonly Sink[];
  /** Called for each refused request that gets no line, because too many were refused in that second. */
  readonly onRefusalDropped?: () => void;
  readonly now?: () => number;
  readonly random?: () => number;
}

export interface PredictionLog {
  /** For every request of a protocol, before its tensors are used again. */
  readonly onAnswered: (event: AnsweredEvent) => void;
  /** Hands on what is collected, without waiting. */
  readonly flush: () => void;
  /** After this what was answered is where it is kept, as far as that takes no longer than `patienceMs`. */
  readonly close: (patienceMs: number) => Promise<void>;
}

/** Lines of refused requests in a second: whoever is refused may ask as often as they like, and must not fill the log. */
const MOST_REFUSALS = 100;
const COLLECT_MS = 25;
/** So much that, with the line that makes it so much, it nearly always fits an empty pipe: 64 KiB. */
const COLLECT_BYTES = 60 * 1024;
/** Room for one more line when nearly enough has been collected. */
const PAGE_BYTES = 2 * COLLECT_BYTES;

/** Collects lines for `sinks`. */
export function createPredictionLog(options: PredictionLogOptions): PredictionLog & { readonly lines: () => number } {
  const { settings, hashKey, state, sinks, now = Date.now, random = Math.random } = options;
  const { sample, redact, hash } = settings;
  const writer = createLines(state.identity, () => state.model as ServedModel, { redact, hash, hashKey });
  const page = createPage(PAGE_BYTES);
  let lines = 0;
  let written = 0;
  let isTimed = false;

  const flush = (): void => {
    if (lines === 0) return;
    const chunk = { bytes: page.bytes.subarray(0, page.at), lines };
    lines = 0;
    for (const sink of sinks) sink.offer(chunk);
    clearPage(page, PAGE_BYTES);
  };
  const inTime = (): void => {
    isTimed = false;
    flush();
  };
  const collected = (): void => {
    written++;
    lines++;
    if (page.at >= COLLECT_BYTES) flush();
    if (isTimed) return;
    // Not begun anew with every page: some lines go sooner, none later.
    isTimed = true;
    setTimeout(inTime, COLLECT_MS).unref();
  };
  let second = 0;
  let refusals = 0;
  const isTooMuch = (time: number): boolean => {
    const thisSecond = Math.floor(time / 1000);
    if (thisSecond !== second) [second, refusals] = [thisSecond, 0];
    return ++refusals > MOST_REFUSALS;
  };
  const putError = (event: AnsweredEvent, time: number): boolean => {
    if (isTooMuch(time)) {
      options.onRefusalDropped?.();
      return false;
    }
    writer.error(page, event, time);
    return true;
  };
  const putSuccess = (event: AnsweredEvent, scored: Scored, isRecord: boolean): boolean => {
    const from = page.at;
    try {
      writer.success(page, event, scored, isRecord, now());
      return true;
    } catch (error) {
      // Half a line must not stay.
      page.at = from;
      throw error;
    }
  };
  /** True when there is a line. */
  const put = (event: AnsweredEvent): boolean => {
    const { answer, status } = event;
    if (status !== 200) return putError(event, now());
    if (!answer?.scored || (sample < 1 && random() >= sample)) return false;
    return putSuccess(event, answer.scored, answer.isRecord ?? false);
  };
  return {
    onAnswered(event) {
      if (put(event)) collected();
    },
    flush,
    async close(patienceMs) {
      flush();
      await Promise.all(sinks.map((sink) => sink.close(patienceMs)));
    },
    lines: () => written,
  };
}

/** What is counted; `dropped` by where the lines were to go. */
export function predictionLogMetrics(registry: Registry, lines: () => number): { dropped: Counter<'sink'> } {
  const registers = [registry];
  new Counter({
    name: 'slipway_prediction_log_lines_total',
    help: 'Lines written for predictions and for requests that were refused one.',
    registers,
    collect() {
      this.reset();
      this.inc(lines());
    },
  });
  const dropped = new Counter({
    name: 'slipway_prediction_log_dropped_total',
    help: 'Lines given up because nobody took them in time, or because there was no room.',
    labelNames: ['sink'],
    registers,
  });
  return { dropped };
}

/** Says which features that are to be hidden the model does not have: a misspelt one would show. */
export function warnOfUnknownFeatures({ redact, hash }: Settings, model: ServedModel, log: Pick<Logger, 'warn'>): void {
  const features = unknownFeatures([...redact, ...hash], model.signature, model.inputs);
  if (features.length > 0)
    log.warn(
      { features },
      'spec.predictionLog names features that the model does not have; nothing is hidden for them',
    );
}
