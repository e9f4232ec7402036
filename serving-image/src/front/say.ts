/** One question to the server behind, on a connection of its own. */
import { request } from 'node:http';

/** In the same pod, or in a test's process. */
export interface Server {
  readonly port: number;
}

export const HOST = '127.0.0.1';
/** No answer that is read here needs more; what comes beyond it is not kept. */
const MAX_BYTES = 64 * 1024;

export interface Said {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  /** JSON. */
  readonly body?: string;
  /** From the first byte sent to the last one heard. */
  readonly patienceMs: number;
}

export interface Heard {
  readonly status: number;
  readonly body: string;
}

/** Rejects with what node:http says when there is no whole answer in time. */
export function say({ port }: Server, { method, path, body, patienceMs }: Said): Promise<Heard> {
  return new Promise((resolve, reject) => {
    const headers = body === undefined ? {} : { 'content-type': 'application/json' };
    const signal = AbortSignal.timeout(patienceMs);
    const asked = request({ host: HOST, port, method, path, headers, agent: false, signal }, (answer) => {
      const chunks: Buffer[] = [];
      let size = 0;
      answer.on('data', (chunk: Buffer) => {
        if (size < MAX_BYTES) chunks.push(chunk);
        size += chunk.length;
      });
      answer.on('error', reject);
      answer.on('end', () => {
        resolve({ status: answer.statusCode ?? 0, body: Buffer.concat(chunks).toString('utf8').slice(0, MAX_BYTES) });
      });
    });
    asked.on('error', (error) => reject(signal.aborted ? tooLate(patienceMs) : error));
    asked.end(body);
  });
}

const tooLate = (ms: number): Error => Object.assign(new Error('too late'), { code: `${ms / 1000} s` });
