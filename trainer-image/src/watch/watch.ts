/**
 * `watch`: carries what the trainer writes of itself to the tracking server while it runs. Nothing depends on it: `publish`
 * brings the same points in the end, under the same keys, so that none is there twice.
 */
import { join } from 'node:path';
import { METRICS_LINES_FILE, PROGRESS_FILE, PROGRESS_TAG } from '@slipway/contract';
import type { Log } from '../log.ts';
import { type LivePoint, pointFrom, progressText } from './points.ts';
import type { Post } from './registry.ts';
import { readSmall, Tail } from './tail.ts';

/** As many points as MLflow takes at once; more than this a second is left for later. */
export const MOST_AT_ONCE = 1000;
/** As many as `publish` takes; what goes beyond ends the run in any case. */
const MOST_IN_ALL = 50_000;
const PROGRESS_EVERY_MS = 2000;
const LARGEST_PROGRESS = 16 * 1024;
const FIRST_PAUSE_MS = 1000;
const LONGEST_PAUSE_MS = 30_000;

export interface WatchContext {
  readonly outputDir: string;
  /** Milliseconds since the epoch: the time of points that have none. */
  readonly startTime: number;
  readonly post: Post;
  readonly now: () => number;
  /** Between 0 and 1; half of every pause is chance. */
  readonly random: () => number;
  readonly log: Log;
}

export class Watch {
  private readonly context: WatchContext;
  private readonly tail: Tail;
  private pending: LivePoint[] = [];
  private seen = 0;
  private progress: { text: string; at: number } | undefined;
  private failures = 0;
  private notBefore = 0;

  constructor(context: WatchContext) {
    this.context = context;
    this.tail = new Tail(join(context.outputDir, METRICS_LINES_FILE));
  }

  /** Looks once, and tells what is new unless the server is being left alone. Never throws. */
  async look(signal: AbortSignal): Promise<void> {
    if (this.context.now() < this.notBefore) return;
    try {
      await this.flush(signal, PROGRESS_EVERY_MS);
    } catch (error) {
      // A disk that fails now will fail the trainer, or `publish`, in words of their own.
      this.context.log('warn', 'the output could not be read', { error: (error as Error).message });
    }
  }

  /** The last word, whatever pauses say; the signal bounds it. */
  async finish(signal: AbortSignal): Promise<void> {
    await this.flush(signal, 0).catch(() => {});
  }

  private async readPoints(): Promise<void> {
    const room = Math.min(MOST_AT_ONCE - this.pending.length, MOST_IN_ALL - this.seen);
    if (room <= 0) return;
    const lines = await this.tail.next(room);
    this.seen += lines.length;
    const points = lines.map((line) => pointFrom(line, this.context.startTime)).filter((point) => point !== undefined);
    this.pending.push(...points);
  }

  /** The text that is to be told now; undefined when nothing has changed, or the last one is too fresh. */
  private async newProgress(everyMs: number): Promise<string | undefined> {
    if (this.progress && this.context.now() - this.progress.at < everyMs) return undefined;
    const text = progressText(await readSmall(join(this.context.outputDir, PROGRESS_FILE), LARGEST_PROGRESS));
    return text === this.progress?.text ? undefined : text;
  }

  private async flush(signal: AbortSignal, progressEveryMs: number): Promise<void> {
    await this.readPoints();
    const text = await this.newProgress(progressEveryMs);
    if (this.pending.length === 0 && text === undefined) return;
    const tags = text === undefined ? [] : [{ key: PROGRESS_TAG, value: text }];
    const answer = await this.context.post({ metrics: this.pending, tags }, signal);
    if (answer === 'away') return this.pause(signal);
    if (answer === 'refused') {
      this.context.log('warn', 'the registry refused live metrics; publish will say why', {
        points: this.pending.length,
      });
    } else if (this.failures > 0) this.context.log('info', 'the registry takes live metrics again');
    this.pending = [];
    this.failures = 0;
    if (text !== undefined) this.progress = { text, at: this.context.now() };
  }

  private pause(signal: AbortSignal): void {
    if (signal.aborted) return;
    if (this.failures === 0)
      this.context.log('warn', 'the registry takes no live metrics; they are kept and tried again');
    const longest = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** Math.min(this.failures, 10));
    this.failures++;
    this.notBefore = this.context.now() + longest * (0.5 + this.context.random() / 2);
  }
}
