/** The points of live metrics, thinned while they come so that a long run keeps no more than a short one. */
import type { MetricPoint } from '@slipway/contract';

/** Of each metric at most so many points are kept, and always the last one. */
export const MOST_POINTS = 200;

class Series {
  private points: MetricPoint[] = [];
  private stride = 1;
  private seen = 0;
  private last: MetricPoint | undefined;

  add(point: MetricPoint): void {
    this.last = point;
    if (this.seen++ % this.stride !== 0) return;
    this.points.push(point);
    // One place is kept for the last point.
    if (this.points.length < MOST_POINTS) return;
    this.points = this.points.filter((_, i) => i % 2 === 0);
    this.stride *= 2;
  }

  kept(): readonly MetricPoint[] {
    return this.last && this.points.at(-1) !== this.last ? [...this.points, this.last] : this.points;
  }
}

export class MetricSeries {
  private readonly byKey = new Map<string, Series>();

  add(point: MetricPoint): void {
    const series = this.byKey.get(point.key) ?? new Series();
    this.byKey.set(point.key, series);
    series.add(point);
  }

  /** One JSON document a line; empty without points. */
  lines(): string {
    const points = [...this.byKey.values()].flatMap((series) => series.kept());
    return points.map((point) => `${JSON.stringify(point)}\n`).join('');
  }
}
