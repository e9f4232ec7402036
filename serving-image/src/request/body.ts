/** Reading request bodies within limits: each body, and all that are held at once. */
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { isHeldBack } from './expect.ts';
import { overloaded, tooLarge } from './refusal.ts';

/** The client went away before it had sent everything: there is nobody to answer. */
export class AbortedError extends Error {
  override readonly name = 'AbortedError';
}

/** `release` must be called once the body is no longer needed. */
export interface Body {
  readonly bytes: Buffer;
  readonly release: () => void;
}

/** What is kept of a body until it is no longer needed: `free` must be called then. */
export interface Held {
  free(): void;
}

/** Calls exactly one of the two, once: with the bytes, or with a Refusal or AbortedError. */
export type ReceiveBody = (
  request: IncomingMessage,
  received: (bytes: Buffer, held: Held) => void,
  failed: (error: Error) => void,
) => void;

/** An oversized body is read to its end, so that the client hears the answer, unless it is larger than this many times. */
const PATIENCE = 4;
const EMPTY = Buffer.alloc(0);

/** A body that came in one piece is handed on as it is. `advice`: what whoever sent a larger body is told to do. */
export function createBodyReceiver(
  maxBytes: number,
  maxHeldBytes: number,
  advice = 'send fewer rows per request',
): ReceiveBody {
  const limits = { held: 0, maxBytes, maxHeldBytes, advice };
  return (request, received, failed) => {
    const coming = new Coming(limits, failed);
    request.on('data', (chunk: Buffer) => coming.add(chunk));
    request.on('end', () => {
      if (coming.isWhole()) received(coming.joined(), coming);
    });
    // Also told when the connection closes before the end.
    request.on('error', () => coming.refuse(new AbortedError('the client went away')));
  };
}

interface Limits {
  /** Of all bodies together, now. */
  held: number;
  readonly maxBytes: number;
  readonly maxHeldBytes: number;
  readonly advice: string;
}

/** One body on its way. A class, because functions made anew for every request cost more than all that they do. */
class Coming implements Held {
  readonly #limits: Limits;
  readonly #failed: (error: Error) => void;
  #size = 0;
  #kept = 0;
  #isSettled = false;
  /** The one piece most bodies come in; a list only where there are more. */
  #first: Buffer | undefined;
  #list: Buffer[] | undefined;

  constructor(limits: Limits, failed: (error: Error) => void) {
    this.#limits = limits;
    this.#failed = failed;
  }

  add(chunk: Buffer): void {
    const { held, maxBytes, maxHeldBytes, advice } = this.#limits;
    this.#size += chunk.length;
    if (this.#isSettled) return;
    if (this.#size > maxBytes) {
      this.free();
      if (this.#size > maxBytes * PATIENCE) this.refuse(tooLarge(maxBytes, advice));
    } else if (held + chunk.length > maxHeldBytes) this.refuse(overloaded());
    else this.#keep(chunk);
  }

  #keep(chunk: Buffer): void {
    this.#limits.held += chunk.length;
    this.#kept += chunk.length;
    if (this.#first === undefined) this.#first = chunk;
    else if (this.#list === undefined) this.#list = [this.#first, chunk];
    else this.#list.push(chunk);
  }

  /** Asked at the end; false: it has been refused, now or before. */
  isWhole(): boolean {
    if (this.#isSettled) return false;
    const { maxBytes, advice } = this.#limits;
    if (this.#size > maxBytes) this.refuse(tooLarge(maxBytes, advice));
    else this.#isSettled = true;
    return this.#size <= maxBytes;
  }

  joined(): Buffer {
    return this.#list ? Buffer.concat(this.#list) : (this.#first ?? EMPTY);
  }

  refuse(error: Error): void {
    if (this.#isSettled) return;
    this.#isSettled = true;
    this.free();
    this.#failed(error);
  }

  free(): void {
    this.#limits.held -= this.#kept;
    this.#kept = 0;
    this.#first = undefined;
    this.#list = undefined;
  }
}

/**
 * Larger than this by its own words a body is not even begun with; of a client that asked before it sends, nothing is
 * taken that would be refused. Throws Refusal 413.
 */
export function checkLength(
  { 'content-length': length, expect }: IncomingHttpHeaders,
  maxBytes: number,
  advice = 'send fewer rows per request',
): void {
  const most = expect === undefined ? maxBytes * PATIENCE : maxBytes;
  if (length !== undefined && Number(length) > most) throw tooLarge(maxBytes, advice);
}

/** As `createBodyReceiver`, for those who can wait. Rejects with a Refusal or AbortedError. */
export function createBodyReader(
  maxBytes: number,
  maxHeldBytes: number,
  advice = 'send fewer rows per request',
): (request: IncomingMessage) => Promise<Body> {
  const receive = createBodyReceiver(maxBytes, maxHeldBytes, advice);
  return (request) =>
    new Promise((resolve, reject) => {
      checkLength(request.headers, maxBytes, advice);
      receive(request, (bytes, held) => resolve({ bytes, release: () => held.free() }), reject);
    });
}

/** So much of a body that nobody will use is read, for so long: a client that is still sending does not hear its answer. */
const LEFT_OVER_BYTES = 32 * 1024 * 1024;
const LEFT_OVER_MS = 2_000;

/** Calls `then` once, when the rest of the body has come or is not worth waiting for. */
export function afterBody(request: IncomingMessage, then: () => void): void {
  if (request.complete || isHeldBack(request) || Number(request.headers['content-length'] ?? 0) > LEFT_OVER_BYTES) {
    then();
    return;
  }
  let left = LEFT_OVER_BYTES;
  const done = (): void => {
    clearTimeout(timer);
    request.off('data', count).off('end', done).off('close', done);
    then();
  };
  const count = (chunk: Buffer): void => {
    left -= chunk.length;
    if (left < 0) done();
  };
  const timer = setTimeout(done, LEFT_OVER_MS);
  request.on('data', count).once('end', done).once('close', done).resume();
}
