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

/** An oversized body is read to its end, so that the client hears the answer, unless it is larger than this many times. */
const PATIENCE = 4;

/** `advice`: what whoever sent a larger body is told to do. */
export function createBodyReader(
  maxBytes: number,
  maxHeldBytes: number,
  advice = 'send fewer rows per request',
): (request: IncomingMessage) => Promise<Body> {
  let held = 0;
  return (request) =>
    new Promise((resolve, reject) => {
      if (Number(request.headers['content-length'] ?? 0) > maxBytes * PATIENCE) {
        reject(tooLarge(maxBytes, advice));
        return;
      }
      let chunks: Buffer[] = [];
      let size = 0;
      let kept = 0;
      const release = (): void => {
        held -= kept;
        kept = 0;
        chunks = [];
      };
      const refuse = (error: Error): void => {
        release();
        reject(error);
      };
      request.on('data', (chunk: Buffer) => {
        size += chunk.length;
        if (size > maxBytes * PATIENCE) return refuse(tooLarge(maxBytes, advice));
        if (size > maxBytes) return release();
        if (held + chunk.length > maxHeldBytes) return refuse(overloaded());
        held += chunk.length;
        kept += chunk.length;
        chunks.push(chunk);
      });
      request.on('end', () => {
        if (size > maxBytes) return refuse(tooLarge(maxBytes, advice));
        resolve({ bytes: chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks), release });
      });
      request.on('close', () => {
        if (!request.complete) refuse(new AbortedError('the client went away'));
      });
      request.on('error', () => refuse(new AbortedError('the client went away')));
    });
}
