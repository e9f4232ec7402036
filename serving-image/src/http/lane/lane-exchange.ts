/** A request that comes by the lane: it is whole before anything is asked of it. Has its room until it is answered. */
import type { IncomingHttpHeaders } from 'node:http';
import type { Held } from '../../request/body.ts';
import { traceOf } from '../../request/trace.ts';
import { type Exchange, JSON_TYPE, type Sent } from '../exchange.ts';
import type { Route } from '../options.ts';
import { requestIdOf } from '../request-id.ts';
import type { KnownHead } from './known-heads.ts';
import type { LaneRules, Way } from './rules.ts';

export class LaneExchange implements Exchange, Held {
  readonly route: Route;
  readonly headers: IncomingHttpHeaders;
  readonly requestId: string;
  readonly traceId: string;
  readonly traceparent: string;
  readonly startedAt: number;
  readonly #connection: Way;
  readonly #rules: LaneRules;
  #isSent = false;
  #held: number;

  constructor({ route, headers, length }: KnownHead, connection: Way, rules: LaneRules, startedAt: number) {
    this.route = route;
    this.headers = headers;
    this.requestId = requestIdOf(headers['x-request-id']);
    const { traceId, traceparent } = traceOf(headers);
    this.traceId = traceId;
    this.traceparent = traceparent;
    this.startedAt = startedAt;
    this.#connection = connection;
    this.#rules = rules;
    this.#held = length;
    rules.room.held += length;
  }

  send(status: number, body: string | Buffer, { type = JSON_TYPE, headers, closes }: Sent): void {
    const { requestId, traceparent, startedAt } = this;
    const isLast = closes || this.#rules.isDraining();
    const length = Buffer.byteLength(body);
    const head = this.#rules.writeHead({ status, type, requestId, traceparent, headers, length, isLast }, startedAt);
    this.#isSent = true;
    this.free();
    // As many bytes as characters: nothing but ASCII, which needs no encoding.
    this.#connection.answer(head, body, length === body.length, isLast);
  }

  free(): void {
    this.#rules.room.held -= this.#held;
    this.#held = 0;
  }

  isGone(): boolean {
    return this.#connection.isGone;
  }

  isBegun(): boolean {
    return this.#isSent;
  }

  isWhole(): boolean {
    return true;
  }

  afterRest(then: () => void): void {
    then();
  }

  cut(): void {
    this.#connection.cut();
  }
}
