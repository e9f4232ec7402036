/** The metric points of a run, from either form the trainer contract allows. */
import { METRICS_FILE, METRICS_LINES_FILE, MetricPoint, Metrics, type PublishRequest } from '@slipway/contract';
import type { z } from 'zod';
import { FailureError } from '../failure.ts';

export type Points = PublishRequest['metrics'];

const MOST_POINTS = 50_000;

function parse<T>(text: string, where: string, schema: z.ZodType<T>): T {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new FailureError(
      'InvalidMetrics',
      `${where}: expected JSON; it has no NaN or Infinity, leave such values out`,
    );
  }
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  const path = issue?.path.join('.') || 'the document';
  throw new FailureError('InvalidMetrics', `${where}: ${path}: ${issue?.message}`);
}

/** `now` (milliseconds) stands in where a point has no time. Throws InvalidMetrics naming file and line. */
export function metricPoints(json: string | undefined, lines: string | undefined, now: number): Points {
  const points: Points = [];
  if (json !== undefined) {
    for (const [key, value] of Object.entries(parse(json, METRICS_FILE, Metrics))) {
      points.push({ key, value, step: 0, timestamp: now });
    }
  }
  for (const [i, line] of (lines ?? '').split('\n').entries()) {
    if (line.trim() === '') continue;
    const { key, value, step, ts } = parse(line, `${METRICS_LINES_FILE}, line ${i + 1}`, MetricPoint);
    points.push({ key, value, step, timestamp: ts ?? now });
  }
  if (points.length <= MOST_POINTS) return points;
  throw new FailureError(
    'InvalidMetrics',
    `${points.length} metric points: expected at most ${MOST_POINTS}; log fewer steps`,
  );
}

/** The last value of every metric: of the highest step, of those the latest, and of those the greatest, as the registry has it. */
export function lastValues(points: Points): ReadonlyMap<string, number> {
  const last = new Map<string, Points[number]>();
  for (const point of points) {
    const known = last.get(point.key);
    const order = known && (point.step - known.step || point.timestamp - known.timestamp || point.value - known.value);
    if (order === undefined || order > 0) last.set(point.key, point);
  }
  return new Map([...last].map(([key, { value }]) => [key, value]));
}
