/** One line per prediction: JSON put together from bytes that are made once, because it is written for every request. */

import type { ModelIdentity, Scored, ServedModel } from '../model/served-model.ts';
import type { AnsweredEvent } from '../protocols/answered.ts';
import { createTimestamps, TIMESTAMP_LENGTH } from './clock.ts';
import { featureWriter, type Privacy, SHOWN_ROWS } from './features.ts';
import { putMilliseconds } from './numbers.ts';
import { outcomeWriter } from './outcomes.ts';
import { type Page, putAscii, putBytes, putText } from './page.ts';

/** Lines with their line feed, written where the page goes on. */
export interface Lines {
  /** Of a prediction; must be written before the tensors are used again. */
  success(page: Page, event: AnsweredEvent, scored: Scored, isRecord: boolean, now: number): void;
  /** Of a request that was not answered with a prediction: holds nothing of what was sent. */
  error(page: Page, event: AnsweredEvent, now: number): void;
}

const MODULE = 'slipway.serving';
const MOST_WORDS = 500;
const CLIENT_GONE = 'the client went away before it was answered';

const TIME = Buffer.from('{"timestamp":"');
const REQUEST_ID = Buffer.from(',"request_id":"');
const INPUT = Buffer.from('","input":');
const PREDICTION = Buffer.from(',"prediction":');
const STATS = Buffer.from(',"input_stats":');
const NOTHING = Buffer.from('","input":null,"prediction":null,"input_stats":null');
const END = Buffer.from('"}\n');

/** `model`: asked when the first prediction is there. */
export function createLines(identity: ModelIdentity, model: () => ServedModel, privacy: Privacy): Lines {
  const timestamp = createTimestamps();
  const version = JSON.stringify(identity.version);
  const tail = Buffer.from(
    `,"model_version":${version},"artifact_sha256":${JSON.stringify(identity.digest)},"trace_id":"`,
  );
  const heads = new Map<string, Head>();
  const newHead = (endpoint: string): Head => {
    const head = headOf(endpoint);
    heads.set(endpoint, head);
    return head;
  };
  let writers: ReturnType<typeof writersOf> | undefined;

  return {
    success(page, { endpoint, latencyMs, requestId, traceId }, { inputs, outputs }, isRecord, now) {
      writers ??= writersOf(model(), privacy);
      const rows = inputs[0]?.dims[0] ?? 1;
      const head = heads.get(endpoint) ?? newHead(endpoint);
      if (head.time !== now) setTime(head, now, timestamp);
      putBytes(page, head.bytes);
      putMilliseconds(page, latencyMs);
      putBytes(page, REQUEST_ID);
      putAscii(page, requestId);
      putBytes(page, INPUT);
      writers.features.input(page, inputs, rows, isRecord);
      putBytes(page, PREDICTION);
      writers.outcome(page, outputs, rows, isRecord);
      putBytes(page, STATS);
      writers.features.stats(page, inputs, rows);
      if (rows > SHOWN_ROWS) putAscii(page, `,"rows":${rows}`);
      putBytes(page, tail);
      putAscii(page, traceId);
      putBytes(page, END);
    },

    error(page, { endpoint, status, latencyMs, requestId, traceId, refusal }, now) {
      const isOurs = status >= 500;
      const level = isOurs ? 'error' : 'warning';
      const message = isOurs ? 'prediction failed' : 'prediction refused';
      const words = JSON.stringify((refusal?.message ?? CLIENT_GONE).slice(0, MOST_WORDS));
      putBytes(page, TIME);
      putText(page, timestamp(now) + afterTime(level, message, endpoint, 'error'));
      putMilliseconds(page, latencyMs);
      putBytes(page, REQUEST_ID);
      putAscii(page, requestId);
      putBytes(page, NOTHING);
      putBytes(page, tail);
      putText(page, `${traceId}","error_message":${words}}\n`);
    },
  };
}

/** How the lines of an endpoint's predictions begin, as far as `"latency_ms":`. */
interface Head {
  readonly bytes: Buffer;
  /** The time that stands in it. */
  time: number;
}

const headOf = (endpoint: string): Head => ({
  bytes: Buffer.concat([
    TIME,
    Buffer.alloc(TIMESTAMP_LENGTH),
    Buffer.from(afterTime('info', 'prediction', endpoint, 'success')),
  ]),
  time: Number.NaN,
});

/** Many lines have the same time. */
function setTime(head: Head, now: number, timestamp: (now: number) => string): void {
  head.bytes.write(timestamp(now), TIME.length, 'latin1');
  head.time = now;
}

/** From behind the time to before the latency. */
const afterTime = (level: string, message: string, endpoint: string, status: string): string =>
  `","level":"${level}","message":"${message}","module":"${MODULE}","endpoint":${JSON.stringify(endpoint)},"status":"${status}","latency_ms":`;

const writersOf = ({ signature, inputs, outputs }: ServedModel, privacy: Privacy) => ({
  features: featureWriter(signature, inputs, privacy),
  outcome: outcomeWriter(signature, outputs),
});
