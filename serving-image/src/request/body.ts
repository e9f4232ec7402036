/** Reading request bodies within limits: each body, and all that are held at once. */
import type { IncomingMessage } from 'node:http';
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

/** Calls exactly one of the two, once: with the bytes, or with a Refusal or AbortedError. `free` as `Body.release`. */
export type ReceiveBody = (
  request: IncomingMessage,
  received: (bytes: Buffer, free: () => void) => void,
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
  const all = { held: 0 };
  return (request, received, failed) => {
    const pieces = new Pieces(all);
    let isSettled = false;
    const free = (): void => pieces.free();
    const refuse = (error: Error): void => {
      if (isSettled) return;
      isSettled = true;
      free();
      failed(error);
    };
    request.on('data', (chunk: Buffer) => {
      pieces.size += chunk.length;
      if (isSettled) return;
      if (pieces.size > maxBytes) {
        free();
        if (pieces.size > maxBytes * PATIENCE) refuse(tooLarge(maxBytes, advice));
      } else if (all.held + chunk.length > maxHeldBytes) refuse(overloaded());
      else pieces.add(chunk);
    });
    request.on('end', () => {
      if (isSettled) return;
      if (pieces.size > maxBytes) return refuse(tooLarge(maxBytes, advice));
      isSettled = true;
      received(pieces.joined(), free);
    });
    // Also told when the connection closes before the end.
    request.on('error', () => refuse(new AbortedError('the client went away')));
  };
}

/** What has come of one body. */
class Pieces {
  size = 0;
  readonly #all: { held: number };
  #kept = 0;
  /** The one piece most bodies come in; a list only where there are more. */
  #first: Buffer | undefined;
  #list: Buffer[] | undefined;
  constructor(all: { held: number }) {
    this.#all = all;
  }
  add(chunk: Buffer): void {
    this.#all.held += chunk.length;
    this.#kept += chunk.length;
    if (this.#first === undefined) this.#first = chunk;
    else if (this.#list === undefined) this.#list = [this.#first, chunk];
    else this.#list.push(chunk);
  }
  joined(): Buffer {
    return this.#list ? Buffer.concat(this.#list) : (this.#first ?? EMPTY);
  }
  free(): void {
    this.#all.held -= this.#kept;
    this.#kept = 0;
    this.#first = undefined;
    this.#list = undefined;
  }
}

/** Larger than this by its own words a body is not even begun with. Throws Refusal 413. */
export function checkLength(
  length: string | undefined,
  maxBytes: number,
  advice = 'send fewer rows per request',
): void {
  if (length !== undefined && Number(length) > maxBytes * PATIENCE) throw tooLarge(maxBytes, advice);
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
      checkLength(request.headers['content-length'], maxBytes, advice);
      receive(request, (bytes, release) => resolve({ bytes, release }), reject);
    });
}
