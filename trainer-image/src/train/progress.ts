/** How far a run is, for files, terminals and logs: from the fractions of its parts to one percentage and the time that is left. */
import { appendFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { METRICS_LINES_FILE, PROGRESS_FILE, type Progress } from '@slipway/contract';
import type { OnProgress } from '../model.ts';
import { MetricSeries } from './series.ts';

/** Milliseconds since the epoch. */
export type Clock = () => number;

/** Where in the whole each part lies, in percent. */
const PARTS = { reading: [0, 20], fitting: [20, 95], writing: [95, 100] } as const;
type Part = keyof typeof PARTS;

const PAUSE_MS = 500;
/** Below it an estimate of the time that is left says nothing. */
const LEAST_FRACTION = 0.02;

export interface Watcher {
  /** Told at most about twice a second, and once at the end. */
  readonly show: (progress: Progress) => void;
}

/** Follows a run. Never goes back; calls are cheap, so that learners may report as often as they like. */
export class RunProgress {
  private readonly now: Clock;
  private readonly watchers: readonly Watcher[];
  private readonly onPoints: (lines: string) => void;
  private readonly series = new MetricSeries();
  private lines = '';
  private part: Part = 'reading';
  private partSince: number;
  private shownAt = Number.NEGATIVE_INFINITY;
  private percent = 0;

  constructor(now: Clock, watchers: readonly Watcher[], onPoints: (lines: string) => void) {
    this.now = now;
    this.watchers = watchers;
    this.onPoints = onPoints;
    this.partSince = now();
  }

  /** `fraction` (0 … 1) of the part is done. */
  at(part: Part, fraction: number, message: string): void {
    const now = this.now();
    if (part !== this.part) {
      this.part = part;
      this.partSince = now;
      this.shownAt = Number.NEGATIVE_INFINITY;
    }
    if (now - this.shownAt < PAUSE_MS) return;
    this.shownAt = now;
    const [from, to] = PARTS[part];
    this.percent = Math.max(this.percent, from + (to - from) * fraction);
    this.show({
      percent: Math.round(this.percent * 10) / 10,
      ...(part === 'fitting' &&
        fraction >= LEAST_FRACTION && {
          etaSeconds: Math.round((((now - this.partSince) / fraction) * (1 - fraction)) / 100) / 10,
        }),
      message: message.slice(0, 256),
    });
    this.tellPoints();
  }

  private tellPoints(): void {
    if (this.lines !== '') this.onPoints(this.lines);
    this.lines = '';
  }

  /** For a learner. */
  readonly fitting: OnProgress = ({ fraction, message, metrics, step = 0 }) => {
    for (const [key, value] of Object.entries(metrics ?? {})) {
      if (Number.isFinite(value)) this.lines += this.series.add({ key, value, step, ts: this.now() }, fraction);
    }
    this.at('fitting', fraction, message);
  };

  done(): void {
    this.lines += this.series.last();
    this.tellPoints();
    this.show({ percent: 100, etaSeconds: 0, message: 'done' });
  }

  private show(progress: Progress): void {
    for (const watcher of this.watchers) watcher.show(progress);
  }
}

/** Replaces the file at once, so that whoever reads it never sees half of it. */
function replace(path: string, content: string): void {
  writeFileSync(`${path}.part`, content);
  renameSync(`${path}.part`, path);
}

/** Keeps `progress.json` below `dir`. A learner does not give the turn away, so the file is written at once. */
export const progressFile = (dir: string): Watcher => ({
  show: (progress) => replace(join(dir, PROGRESS_FILE), `${JSON.stringify(progress)}\n`),
});

/** Adds lines to `metrics.jsonl` below `dir`; without points there is no file. */
export const metricsLinesFile = (dir: string) => (lines: string) =>
  appendFileSync(join(dir, METRICS_LINES_FILE), lines);
