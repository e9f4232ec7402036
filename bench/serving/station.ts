/** Where servers run while they are measured: one processor for them, another for whoever asks. */
import { spawn, spawnSync } from 'node:child_process';
import { closeSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { type KindName, REQUEST_KINDS, requestsOf } from './kinds.ts';
import type { Model } from './models.ts';
import { freePort, launch, type Process } from './processes.ts';
import type { Server } from './servers.ts';
import { requestFile } from './wrk.ts';

export const SERVER_PROCESSOR = 0;
export const CLIENT_PROCESSOR = 1;
/** MLServer and KServe import half of Python's world; a machine with company takes its time for that. */
const START_TIMEOUT_MS = 120_000;
/** Rows of the question that an answer is checked by. */
const CHECKED_ROWS = 32;

/** A server that has answered rightly. */
export interface Started {
  readonly server: Server;
  readonly model: Model;
  readonly process: Process;
  readonly port: number;
  /** From the start of the process to its first right answer. */
  readonly startMs: number;
  /** Asks about some rows. Throws unless every class is the estimator's. */
  readonly check: (kind: KindName) => Promise<void>;
  readonly stop: () => Promise<void>;
}

export interface Station {
  readonly start: (server: Server, model: Model, kind: KindName) => Promise<Started>;
  /** A file of requests as wrk sends them, and their headers. */
  readonly requests: (started: Started, kind: KindName, rows: number) => RequestSet;
  readonly close: () => Promise<void>;
}

export interface RequestSet {
  readonly file: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** Opens a place for servers. This process and the reader of their output move to the clients' processor. */
export function openStation(): Station {
  const folder = mkdtempSync(join(tmpdir(), 'slipway-bench-serving-'));
  const fifo = join(folder, 'output');
  spawnSync('taskset', ['-a', '-p', '-c', String(CLIENT_PROCESSOR), String(process.pid)]);
  spawnSync('mkfifo', [fifo]);
  // A pipe that somebody reads, as a container's output is.
  const reader = spawn('sh', ['-c', 'exec cat "$0" > /dev/null', fifo], { stdio: 'ignore' });
  const output = openSync(fifo, 'w');
  process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
  const running = new Set<Started>();
  let count = 0;
  return {
    start: async (server, model, kind) => {
      const scratch = join(folder, `${server.name}-${count++}`);
      mkdirSync(scratch);
      const started = await start({ server, model, kind, scratch, output });
      running.add(started);
      const stop = async (): Promise<void> => {
        running.delete(started);
        await started.stop();
        rmSync(scratch, { recursive: true, force: true });
      };
      return { ...started, stop };
    },
    requests: ({ server, model, port }, kind, rows) => {
      const options = { model: server.model, output: server.output };
      const made = requestsOf(REQUEST_KINDS[kind], rows, model.facts, options);
      const file = join(folder, `requests-${server.output}-${model.name}-${kind}-${rows}`);
      writeFileSync(file, requestFile(made.map(({ body }) => body)));
      const url = `http://127.0.0.1:${port}${REQUEST_KINDS[kind].path(options)}`;
      return { file, url, headers: made[0]?.headers ?? {} };
    },
    close: async () => {
      for (const started of running) await started.stop();
      closeSync(output);
      reader.kill();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

interface Start {
  readonly server: Server;
  readonly model: Model;
  readonly kind: KindName;
  readonly scratch: string;
  readonly output: number;
}

async function start({ server, model, kind, scratch, output }: Start): Promise<Started> {
  const port = await freePort();
  const command = await server.command(model, port, scratch);
  const log = join(scratch, 'errors.log');
  const errors = openSync(log, 'a');
  const began = performance.now();
  const child = launch(command, SERVER_PROCESSOR, output, errors);
  closeSync(errors);
  const said = (): string => readFileSync(log, 'utf8').trim().split('\n').slice(-8).join('\n').slice(-1500);
  const check = (which: KindName) =>
    checkAnswer(server, model, which, port).catch((error: Error) => {
      const end = child.ended();
      if (error instanceof WrongAnswer || end === undefined) throw error;
      throw new WrongAnswer(`${server.name} ${end}\n${said()}`);
    });
  try {
    await firstAnswer(() => check(kind), began);
  } catch (error) {
    await child.stop();
    throw error;
  }
  return { server, model, process: child, port, startMs: performance.now() - began, check, stop: child.stop };
}

/** Asks until there is an answer; one that is wrong, or none for too long, is the end. */
async function firstAnswer(ask: () => Promise<void>, began: number): Promise<void> {
  for (;;) {
    try {
      return await ask();
    } catch (error) {
      if (error instanceof WrongAnswer) throw error;
      if (performance.now() - began > START_TIMEOUT_MS)
        throw new Error(`no answer within ${START_TIMEOUT_MS / 1000} s`, { cause: error });
      await delay(2);
    }
  }
}

/** Nothing that waiting would cure. */
class WrongAnswer extends Error {
  override readonly name = 'WrongAnswer';
}

/** What a server may say while it loads. */
const NOT_YET = new Set([404, 502, 503]);

async function checkAnswer(server: Server, model: Model, kind: KindName, port: number): Promise<void> {
  const options = { model: server.model, output: server.output };
  const { encode, path, classes } = REQUEST_KINDS[kind];
  const { body, headers } = encode(model.facts.rows.slice(0, CHECKED_ROWS), model.facts, options);
  const answer = await post(port, path(options), headers, body);
  if (answer.status !== 200) {
    const message = `${server.name}: ${kind} is answered with ${answer.status}: ${answer.body.toString('utf8', 0, 300)}`;
    throw NOT_YET.has(answer.status) ? new Error(message) : new WrongAnswer(message);
  }
  if (server.isConstant) return;
  const expected = model.facts.classes.slice(0, CHECKED_ROWS).join();
  const got = readClasses(() => classes(answer.body, answer.headerLength, model.facts)).join();
  if (got !== expected)
    throw new WrongAnswer(`${server.name}: ${kind} is answered with classes ${got}, not ${expected}`);
}

function readClasses(read: () => number[]): number[] {
  try {
    return read();
  } catch (error) {
    throw new WrongAnswer(`the answer cannot be read: ${error instanceof Error ? error.message : String(error)}`);
  }
}

interface Reply {
  readonly status: number;
  readonly headerLength: number | undefined;
  readonly body: Buffer;
}

function post(port: number, path: string, headers: Readonly<Record<string, string>>, body: Buffer): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const sent = { ...headers, 'content-length': body.length };
    const request = http.request({ port, host: '127.0.0.1', path, method: 'POST', headers: sent, agent: false });
    request.setTimeout(30_000, () => request.destroy(new Error('no answer within 30 s')));
    request.on('error', reject).on('response', (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', reject).on('end', () => {
        const length = response.headers['inference-header-content-length'];
        const headerLength = length === undefined ? undefined : Number(length);
        resolve({ status: response.statusCode ?? 0, headerLength, body: Buffer.concat(chunks) });
      });
    });
    request.end(body);
  });
}
