/**
 * Clients that keep one request each under way on a connection of their own, and count. An answer that comes in pieces
 * is acknowledged at once: otherwise the kernel waits 40 ms for something to send along, a server with Nagle's algorithm
 * waits for that with its next piece, and what is measured is that wait. Node cannot set TCP_QUICKACK; the first byte of
 * the client's next request, sent as soon as the first piece is there, does the same.
 */
import { connect, type Socket } from 'node:net';

export interface Call {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly body?: unknown;
}

export interface Answer {
  readonly status: number;
  readonly text: string;
}

export interface Figures {
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p95Ms: number;
  readonly calls: number;
  readonly failed: number;
  /** The first answer that was not 200. */
  readonly failure: string | undefined;
}

/** One client of the server on this port. */
export interface Client {
  /** Rejects when the connection breaks. */
  ask(call: Call): Promise<Answer>;
  close(): void;
}

function written({ method, path, body }: Call): Buffer {
  const text = body === undefined ? '' : JSON.stringify(body);
  const type =
    body === undefined ? '' : `Content-Type: application/json\r\nContent-Length: ${Buffer.byteLength(text)}\r\n`;
  return Buffer.from(`${method} ${path} HTTP/1.1\r\nHost: localhost\r\n${type}\r\n${text}`);
}

/** The answer, once all of it is there. */
function answerIn(received: Buffer): Answer | undefined {
  const end = received.indexOf('\r\n\r\n');
  if (end === -1) return undefined;
  const head = received.toString('latin1', 0, end).toLowerCase();
  const length = /\r\ncontent-length: *(\d+)/.exec(head)?.[1];
  const body = received.subarray(end + 4);
  if (length !== undefined ? body.length < Number(length) : !body.toString('latin1', -7).endsWith('0\r\n\r\n'))
    return undefined;
  return { status: Number(head.slice(9, 12)), text: body.toString('utf8') };
}

class KeptAlive implements Client {
  private readonly port: number;
  private readonly quickAcknowledgement: boolean;
  private socket: Socket | undefined;
  private pieces: Buffer[] = [];
  /** The part of the next request that is on its way already. */
  private ahead = '';
  private method = '';
  private waiting: PromiseWithResolvers<Answer> | undefined;

  constructor(port: number, quickAcknowledgement: boolean) {
    this.port = port;
    this.quickAcknowledgement = quickAcknowledgement;
  }

  ask(call: Call): Promise<Answer> {
    const socket = this.socket ?? this.open();
    this.waiting = Promise.withResolvers();
    this.method = call.method;
    const request = written(call);
    socket.write(this.ahead === '' ? request : request.subarray(this.ahead.length));
    this.ahead = '';
    return this.waiting.promise;
  }

  close(): void {
    this.socket?.destroy();
  }

  private open(): Socket {
    const socket = connect(this.port, '127.0.0.1').setNoDelay(true);
    const broken = (error?: Error): void => {
      this.socket = undefined;
      this.ahead = '';
      this.pieces = [];
      this.waiting?.reject(error ?? new Error('the server closed the connection'));
      this.waiting = undefined;
    };
    socket.on('data', (piece: Buffer) => this.received(socket, piece));
    socket.on('error', broken);
    socket.on('close', () => broken());
    this.socket = socket;
    return socket;
  }

  private received(socket: Socket, piece: Buffer): void {
    this.pieces.push(piece);
    const received = this.pieces.length === 1 ? piece : Buffer.concat(this.pieces);
    const answer = answerIn(received);
    if (answer) {
      this.pieces = [];
      this.waiting?.resolve(answer);
      this.waiting = undefined;
      return;
    }
    this.pieces = [received];
    if (!this.quickAcknowledgement || this.ahead !== '') return;
    // All calls of a client have one method, so its first letter is known.
    this.ahead = this.method.slice(0, 1);
    socket.write(this.ahead);
  }
}

/** A client for calls of one method. */
export const openClient = (port: number, quickAcknowledgement = true): Client =>
  new KeptAlive(port, quickAcknowledgement);

export interface Load {
  readonly port: number;
  readonly clients: number;
  readonly seconds: number;
  /** The call number `n` of a client, both counted from 0. */
  readonly call: (client: number, n: number) => Call;
  readonly quickAcknowledgement?: boolean;
}

const WARM_UP_SECONDS = 0.5;
/** Slow calls are waited for: a rate of two answers says nothing. */
const LEAST_CALLS = 64;
const LONGEST_SECONDS = 60;

/** Keeps `clients` calls under way for so long, longer if they are slow, after a short warm-up that is not counted. */
export async function drive({ port, clients, seconds, call, quickAcknowledgement = true }: Load): Promise<Figures> {
  const started = performance.now() + WARM_UP_SECONDS * 1000;
  const [until, latest] = [started + seconds * 1000, started + LONGEST_SECONDS * 1000];
  const isEnough = (now: number): boolean => now >= latest || (now >= until && latencies.length >= LEAST_CALLS);
  const latencies: number[] = [];
  let ended = until;
  let failed = 0;
  let failure: string | undefined;
  const fail = (why: string): void => {
    failed++;
    failure ??= why.slice(0, 300);
  };
  const work = async (index: number): Promise<void> => {
    const client = openClient(port, quickAcknowledgement);
    for (let n = 0; !isEnough(performance.now()); n++) {
      const sent = performance.now();
      try {
        const { status, text } = await client.ask(call(index, n));
        if (status !== 200) fail(`${status} ${text}`);
      } catch (error) {
        fail(String(error));
      }
      const now = performance.now();
      // What is still under way when enough is counted no longer has all its neighbours.
      if (sent < started || isEnough(now)) continue;
      latencies.push(now - sent);
      ended = Math.max(ended, now);
    }
    client.close();
  };
  await Promise.all(Array.from({ length: clients }, (_, index) => work(index)));
  latencies.sort((a, b) => a - b);
  const at = (share: number): number => latencies[Math.floor(latencies.length * share)] ?? Number.NaN;
  return {
    perSecond: (latencies.length * 1000) / (ended - started),
    p50Ms: at(0.5),
    p95Ms: at(0.95),
    calls: latencies.length,
    failed,
    failure,
  };
}
