/** One line per prediction: JSON put together from parts that are made once, because it is written for every request. */

import type { ModelIdentity, Scored, ServedModel } from '../model/served-model.ts';
import type { AnsweredEvent } from '../protocols/answered.ts';
import { createTimestamps } from './clock.ts';
import { featureReader, type Privacy, SHOWN_ROWS } from './features.ts';
import { milliseconds } from './numbers.ts';
import { outcomeReader } from './outcomes.ts';

/** A line with its line feed. */
export interface Lines {
  /** Of a prediction; must be made before the tensors are used again. */
  success(event: AnsweredEvent, scored: Scored, isRecord: boolean, now: number): string;
  /** Of a request that was not answered with a prediction: holds nothing of what was sent. */
  error(event: AnsweredEvent, now: number): string;
}

const MODULE = 'slipway.serving';
const MOST_WORDS = 500;
const CLIENT_GONE = 'the client went away before it was answered';

/** `model`: asked when the first prediction is there. */
export function createLines(identity: ModelIdentity, model: () => ServedModel, privacy: Privacy): Lines {
  const timestamp = createTimestamps();
  const version = JSON.stringify(identity.version);
  const tail = `,"model_version":${version},"artifact_sha256":${JSON.stringify(identity.digest)},"trace_id":"`;
  const heads = new Map<string, string>();
  const headOf = (endpoint: string): string => {
    const known = heads.get(endpoint);
    if (known !== undefined) return known;
    const made = headFor('info', 'prediction', endpoint, 'success');
    heads.set(endpoint, made);
    return made;
  };
  let readers: ReturnType<typeof readersOf> | undefined;

  return {
    success({ endpoint, latencyMs, requestId, traceId }, { inputs, outputs }, isRecord, now) {
      readers ??= readersOf(model(), privacy);
      const rows = inputs[0]?.dims[0] ?? 1;
      const { input, stats } = readers.features(inputs, rows, isRecord);
      const prediction = readers.outcome(outputs, rows, isRecord);
      const counted = rows > SHOWN_ROWS ? `,"rows":${rows}` : '';
      return `{"timestamp":"${timestamp(now)}${headOf(endpoint)}${milliseconds(latencyMs)},"request_id":"${requestId}","input":${input},"prediction":${prediction},"input_stats":${stats}${counted}${tail}${traceId}"}\n`;
    },

    error({ endpoint, status, latencyMs, requestId, traceId, refusal }, now) {
      const isOurs = status >= 500;
      const head = headFor(
        isOurs ? 'error' : 'warning',
        isOurs ? 'prediction failed' : 'prediction refused',
        endpoint,
        'error',
      );
      const words = JSON.stringify((refusal?.message ?? CLIENT_GONE).slice(0, MOST_WORDS));
      return `{"timestamp":"${timestamp(now)}${head}${milliseconds(latencyMs)},"request_id":"${requestId}","input":null,"prediction":null,"input_stats":null${tail}${traceId}","error_message":${words}}\n`;
    },
  };
}

/** From behind the time to before the latency. */
const headFor = (level: string, message: string, endpoint: string, status: string): string =>
  `","level":"${level}","message":"${message}","module":"${MODULE}","endpoint":${JSON.stringify(endpoint)},"status":"${status}","latency_ms":`;

const readersOf = ({ signature, inputs, outputs }: ServedModel, privacy: Privacy) => ({
  features: featureReader(signature, inputs, privacy),
  outcome: outcomeReader(signature, outputs),
});
