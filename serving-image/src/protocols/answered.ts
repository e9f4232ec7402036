/** What is told of a request of a protocol once it is over. */
import type { Refusal } from '../request/refusal.ts';
import type { Answer } from './protocol.ts';

/** One request of a protocol, once its answer has been handed to the connection or its client has gone. */
export interface AnsweredEvent {
  readonly endpoint: string;
  /** 499: the client went away before there was an answer. */
  readonly status: number;
  /** By `performance.now()`. */
  readonly startedAt: number;
  readonly latencyMs: number;
  readonly requestId: string;
  /** Of the caller's trace, or of the one begun here; the answer's `traceparent` has it too. */
  readonly traceId: string;
  /** What was answered, when something was predicted. */
  readonly answer?: Answer | undefined;
  /** What was said instead. */
  readonly refusal?: Refusal | undefined;
  /** What was thrown, when the client did not cause it: never to be shown to one. */
  readonly error?: unknown;
}
