/**
 * One connection while nothing about it is unusual: a request that is whole, its answer, and the next. Everything else is
 * handed over to node:http, with all that was read and not answered.
 */
import type { Socket } from 'node:net';
import { AbortedError } from '../../request/body.ts';
import type { KnownHead } from './known-heads.ts';
import { LaneExchange } from './lane-exchange.ts';
import type { Connection, LaneRules } from './rules.ts';

const END_OF_HEAD = '\r\n\r\n';
/** A head that is longer is not usual; node:http allows twice as much. */
const MOST_HEAD = 8 * 1024;

/** A request of which some is still to come. */
interface Coming {
  readonly exchange: LaneExchange;
  readonly chunks: Buffer[];
  /** Of all chunks, the head included. */
  size: number;
  readonly wanted: number;
  /** Of the head. */
  readonly from: number;
}

export class LaneConnection implements Connection {
  readonly #socket: Socket;
  readonly #rules: LaneRules;
  #coming: Coming | undefined;
  /** A request is being answered. */
  #isBusy = false;
  /** What came meanwhile. */
  #later: Buffer | undefined;
  #hasAsked = false;
  /** The client sends no more. */
  #hasEnded = false;
  /** The last answer was given: what still comes is nobody's. */
  #isOver = false;
  /** When something last happened, by `performance.now()`. */
  #lastAt = performance.now();

  constructor(socket: Socket, rules: LaneRules) {
    this.#socket = socket;
    this.#rules = rules;
    socket.on('data', this.#onData).on('end', this.#onEnd).on('error', this.#onError).on('close', this.#onClose);
  }

  readonly #onData = (chunk: Buffer): void => {
    if (this.#isOver) return;
    this.#lastAt = performance.now();
    if (this.#isBusy) this.#keep(chunk);
    else if (this.#coming) this.#goOn(this.#coming, chunk);
    else this.#begin(chunk);
  };

  /** Whoever sends no more may still wait for an answer. */
  readonly #onEnd = (): void => {
    this.#hasEnded = true;
    if (!this.#isBusy && !this.#later) this.#end();
  };

  readonly #onError = (): void => {
    this.#socket.destroy();
  };

  readonly #onClose = (): void => {
    this.#rules.forget(this);
    const coming = this.#coming;
    this.#coming = undefined;
    coming?.exchange.free();
    if (coming) this.#rules.abort(coming.exchange, new AbortedError('the client went away'));
  };

  #begin(chunk: Buffer): void {
    const end = chunk.subarray(0, MOST_HEAD).indexOf(END_OF_HEAD);
    const head = end === -1 ? undefined : this.#rules.find(chunk.toString('latin1', 0, end));
    const from = end + END_OF_HEAD.length;
    if (!head || chunk.length - from > head.length || !this.#hasRoom(head.length)) {
      this.#handOver(chunk);
      return;
    }
    if (chunk.length - from === head.length) this.#ask(this.#exchange(head), chunk.subarray(from));
    else this.#wait(head, chunk, from);
  }

  #hasRoom(length: number): boolean {
    const { maxBodyBytes, room } = this.#rules;
    return length <= maxBodyBytes && room.held + length <= room.most;
  }

  #exchange(head: KnownHead): LaneExchange {
    this.#hasAsked = true;
    return new LaneExchange(head, this, this.#rules, this.#lastAt);
  }

  #wait(head: KnownHead, chunk: Buffer, from: number): void {
    if (!this.#rules.mayWait) {
      this.#handOver(chunk);
      return;
    }
    const exchange = this.#exchange(head);
    this.#coming = { exchange, chunks: [chunk], size: chunk.length, wanted: from + head.length, from };
  }

  #goOn(coming: Coming, chunk: Buffer): void {
    coming.chunks.push(chunk);
    coming.size += chunk.length;
    if (coming.size < coming.wanted) return;
    const whole = Buffer.concat(coming.chunks);
    if (coming.size > coming.wanted) {
      this.#handOver(whole);
      return;
    }
    this.#coming = undefined;
    this.#ask(coming.exchange, whole.subarray(coming.from));
  }

  #ask(exchange: LaneExchange, body: Buffer): void {
    this.#isBusy = true;
    this.#rules.ask(exchange, body);
  }

  /** The one request after the other is answered first; no more than that is read. */
  #keep(chunk: Buffer): void {
    this.#later = this.#later ? Buffer.concat([this.#later, chunk]) : chunk;
    this.#socket.pause();
  }

  get isGone(): boolean {
    return this.#socket.destroyed;
  }

  /** Sends an answer; `isLast`: and ends the connection. */
  answer(head: string, body: string | Buffer, isText: boolean, isLast: boolean): void {
    const socket = this.#socket;
    this.#isBusy = false;
    // What clients are told of how long they may be idle counts from their answer.
    this.#lastAt = performance.now();
    const isTaken =
      typeof body === 'string' && isText ? socket.write(head + body, 'latin1') : this.#writeBoth(head, body);
    if (isLast || (this.#hasEnded && !this.#later)) this.#end();
    else if (!isTaken) this.#untilTaken();
    else if (this.#later) this.#resume();
  }

  #writeBoth(head: string, body: string | Buffer): boolean {
    const socket = this.#socket;
    socket.cork();
    socket.write(head, 'latin1');
    const isTaken = socket.write(body);
    socket.uncork();
    return isTaken;
  }

  /** Whoever does not read their answers is not read either. */
  #untilTaken(): void {
    this.#socket.pause();
    this.#socket.once('drain', () => this.#resume());
  }

  #resume(): void {
    const chunk = this.#later;
    if (!chunk) {
      this.#socket.resume();
      return;
    }
    // Not before the answer has been told of: the model's tensors are used again.
    process.nextTick(() => {
      this.#later = undefined;
      if (this.#socket.destroyed) return;
      // Flows from the next turn on, after what was kept.
      this.#socket.resume();
      this.#onData(chunk);
    });
  }

  #end(): void {
    this.#isOver = true;
    this.#socket.destroySoon();
  }

  cut(): void {
    this.#socket.destroy();
  }

  /** True while no request is begun, and no answer on its way. */
  get isIdle(): boolean {
    const isAsking = this.#isBusy || this.#coming !== undefined || this.#later !== undefined;
    return !isAsking && this.#socket.writableLength === 0;
  }

  /** To be called now and then: what takes long is node:http's, which has limits for all of it. */
  sweep(now: number, keepAliveMs: number): void {
    if (this.#isBusy) return;
    const { patienceMs, firstMs } = this.#rules;
    // From the first byte on: a byte now and then is no reason to wait longer.
    if (this.#coming && now - this.#coming.exchange.startedAt > patienceMs) {
      this.#handOver(Buffer.concat(this.#coming.chunks));
      return;
    }
    if (now - this.#lastAt > (this.#hasAsked ? keepAliveMs : firstMs)) this.#socket.destroy();
  }

  #handOver(read: Buffer): void {
    const socket = this.#socket;
    // Nothing can be put back into what has come to its end.
    if (this.#hasEnded) {
      this.#end();
      return;
    }
    this.#coming?.exchange.free();
    this.#coming = undefined;
    this.#rules.forget(this);
    socket.off('data', this.#onData).off('end', this.#onEnd).off('error', this.#onError).off('close', this.#onClose);
    // What flows is told to listeners and not kept.
    socket.pause();
    socket.unshift(read);
    this.#rules.handOver(socket);
    socket.resume();
  }
}
