/**
 * The points of live metrics, thinned while they come: whoever follows the file is told each line once, so that nothing that
 * was written is taken back.
 */
import type { MetricPoint } from '@slipway/contract';

/** Of each metric at most so many points are kept. */
export const MOST_POINTS = 200;
/** The first ones all: a short run is told as a whole, and a long one changes most at its beginning. */
const FIRST_POINTS = 100;
/** Later ones when so much more of the fit is done. */
const FRACTION = 1 / (MOST_POINTS - FIRST_POINTS - 2);

interface Series {
  kept: number;
  keptAt: number;
  /** The newest point, if it was left out. */
  left: MetricPoint | undefined;
}

const line = (point: MetricPoint): string => `${JSON.stringify(point)}\n`;

export class MetricSeries {
  private readonly byKey = new Map<string, Series>();

  /** The line to be written for a point that came when `fraction` of the fit was done; empty: it is left out. */
  add(point: MetricPoint, fraction: number): string {
    const series = this.byKey.get(point.key) ?? { kept: 0, keptAt: 0, left: undefined };
    this.byKey.set(point.key, series);
    series.left = point;
    if (series.kept >= FIRST_POINTS && fraction - series.keptAt < FRACTION) return '';
    series.left = undefined;
    series.kept++;
    series.keptAt = fraction;
    return line(point);
  }

  /** The last point of every metric, where it was left out. */
  last(): string {
    return [...this.byKey.values()].map(({ left }) => (left ? line(left) : '')).join('');
  }
}
