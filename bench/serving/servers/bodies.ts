/** The least a node:http server can do: read a body, answer with JSON. */
import { createServer } from 'node:http';
import { type MaybePromise, whenThere } from '../../../serving-image/src/model/engine.ts';

/** `answer` must not fail: only requests that are right are sent here. */
export function answerBodies(port: number, answer: (body: Buffer) => MaybePromise<string | Buffer>): void {
  createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const body = chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks);
      void whenThere(answer(body), (text) => {
        response.writeHead(200, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) });
        response.end(text);
      });
    });
  }).listen(port, '127.0.0.1');
}
