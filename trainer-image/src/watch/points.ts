/** What of a trainer's live files can be told to a tracking server. Pure. */
import { MetricPoint, Progress } from '@slipway/contract';

/** A point as MLflow's REST takes it. */
export interface LivePoint {
  readonly key: string;
  readonly value: number;
  readonly step: number;
  readonly timestamp: number;
}

/** The names MLflow takes; `publish` says what is wrong with another. */
const NAME = /^[\w .:-]+(\/[\w .:-]+)*$/;

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** The point of a line of metrics.jsonl, with the time `publish` will give it; undefined for a line that is none. */
export function pointFrom(line: string, startTime: number): LivePoint | undefined {
  const { success, data } = MetricPoint.safeParse(parsed(line));
  if (!success || !NAME.test(data.key)) return undefined;
  const { key, value, step, ts = startTime } = data;
  return { key, value, step, timestamp: ts };
}

/** The text of the progress tag; undefined for what is no progress (half of it is written yet, say). */
export function progressText(text: string | undefined): string | undefined {
  if (text === undefined) return undefined;
  const { success, data } = Progress.safeParse(parsed(text));
  if (!success) return undefined;
  const { percent, etaSeconds, message } = data;
  return JSON.stringify({
    percent,
    ...(etaSeconds !== undefined && { etaSeconds }),
    ...(message !== undefined && { message: message.toWellFormed().replaceAll('\0', '') }),
  });
}
