/**
 * A load by three kinds of client at once, as a pod's process, that looks at every answer: its status, the version its
 * header names and the body that this version, and no other, gives. Kept-alive connections meet a draining server, fresh
 * ones a changing set of endpoints, slow ones are half-way through a request when their server is told to leave.
 * Node built-ins only. Reads a plan of JSON from its first argument and prints the result as its last line.
 */
import { existsSync, readFileSync } from 'node:fs';
import { Agent, type ClientRequest, type IncomingMessage, request } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';

export interface SwitchPlan {
  /** Where to post: a Service of ours. */
  readonly url: string;
  readonly body: string;
  /** By version: the exact body of the answer. An answer of any other version is a failure. */
  readonly answers: Readonly<Record<string, string>>;
  /** Connections of each kind. */
  readonly clients: Readonly<Record<'kept' | 'fresh' | 'slow', number>>;
  /** Rest between an answer and the next request, of the kept-alive clients; the fresh ones rest five times as long. */
  readonly pauseMs: number;
  /** When this file appears the load ends; it holds the windows in which was switched, `[[from, to], …]` in Unix ms. */
  readonly stopFile: string;
  readonly maxRequests: number;
  readonly maxSeconds: number;
}

export interface Latency {
  readonly requests: number;
  readonly p50: number;
  readonly p95: number;
  readonly p99: number;
  readonly max: number;
}

export interface SwitchResult {
  readonly requests: number;
  readonly failures: number;
  /** How often each kind of failure was seen. */
  readonly reasons: Readonly<Record<string, number>>;
  /** The first failures, each with its time and client. */
  readonly examples: readonly string[];
  readonly versions: Readonly<Record<string, number>>;
  readonly clients: Readonly<Record<string, number>>;
  /** Milliseconds, of the kept-alive clients: outside and inside of the windows in which was switched. */
  readonly quiet: Latency;
  readonly switching: Latency;
}

type Client = 'kept' | 'fresh' | 'slow';
const TIMEOUT_MS = 15_000;
const plan = JSON.parse(process.argv[2] ?? '{}') as SwitchPlan;
const begunAt = Date.now();
const reasons: Record<string, number> = {};
const versions: Record<string, number> = {};
const clients: Record<string, number> = {};
const examples: string[] = [];
const times: number[] = [];
const latencies: number[] = [];
let requests = 0;
let failures = 0;
let stopped = false;

const bump = (counts: Record<string, number>, key: string) => {
  counts[key] = (counts[key] ?? 0) + 1;
};

function fail(client: Client, reason: string): void {
  failures += 1;
  bump(reasons, reason);
  if (examples.length < 20) examples.push(`${new Date().toISOString()} ${client} ${reason}`);
}

/** What is wrong with an answer; undefined when nothing is. */
function wrong({ statusCode }: IncomingMessage, version: string, body: string): string | undefined {
  if (statusCode !== 200) return `status ${statusCode}`;
  const expected = plan.answers[version];
  if (expected === undefined) return `version ${version}`;
  return body === expected ? undefined : `version ${version} answered ${body.slice(0, 80)}`;
}

function judge(client: Client, response: IncomingMessage, body: string): void {
  const version = String(response.headers['x-model-version']);
  const found = wrong(response, version, body);
  if (found === undefined) bump(versions, version);
  else fail(client, found);
}

/** Sends the body: at once, or in two halves with a second between them. */
async function send(sent: ClientRequest, client: Client): Promise<void> {
  if (client !== 'slow') return void sent.end(plan.body);
  const half = Math.ceil(plan.body.length / 2);
  sent.write(plan.body.slice(0, half));
  await delay(1_000);
  sent.end(plan.body.slice(half));
}

/** Reads the body; a slow client lets it lie for a while first. */
async function read(response: IncomingMessage, client: Client): Promise<string> {
  if (client === 'slow') await delay(300);
  let body = '';
  for await (const chunk of response.setEncoding('utf8')) body += chunk;
  return body;
}

function ask(client: Client, agent: Agent): Promise<void> {
  return new Promise((resolve) => {
    const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(plan.body) };
    const sent = request(plan.url, { method: 'POST', agent, headers, timeout: TIMEOUT_MS }, (response) => {
      read(response, client)
        .then((body) => judge(client, response, body))
        .catch((error: NodeJS.ErrnoException) => fail(client, `cut: ${error.code ?? error.message}`))
        .finally(resolve);
    });
    sent.on('timeout', () => sent.destroy(Object.assign(new Error('no answer'), { code: 'ETIMEDOUT' })));
    sent.on('error', (error: NodeJS.ErrnoException) => {
      fail(client, `${error.code ?? error.message}${sent.reusedSocket ? ' on a kept connection' : ''}`);
      resolve();
    });
    void send(sent, client);
  });
}

const isOver = () => stopped || requests >= plan.maxRequests || Date.now() - begunAt > plan.maxSeconds * 1000;

async function connection(client: Client): Promise<void> {
  const agent = new Agent({ keepAlive: client !== 'fresh', maxSockets: 1 });
  while (!isOver()) {
    requests += 1;
    bump(clients, client);
    const started = Date.now();
    const from = performance.now();
    await ask(client, agent);
    if (client === 'kept') {
      times.push(started);
      latencies.push(performance.now() - from);
    }
    await delay(client === 'fresh' ? plan.pauseMs * 5 : plan.pauseMs);
  }
  agent.destroy();
}

function latencyOf(picked: readonly number[]): Latency {
  const sorted = [...picked].sort((a, b) => a - b);
  const at = (p: number) =>
    Math.round((sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * p))] ?? 0) * 100) / 100;
  return { requests: sorted.length, p50: at(0.5), p95: at(0.95), p99: at(0.99), max: at(1) };
}

const timer = setInterval(() => {
  stopped ||= existsSync(plan.stopFile);
  console.log(JSON.stringify({ requests, failures, versions }));
}, 500);
await Promise.all(
  Object.entries(plan.clients).flatMap(([client, count]) =>
    Array.from({ length: count }, () => connection(client as Client)),
  ),
);
clearInterval(timer);

const windows = existsSync(plan.stopFile)
  ? (JSON.parse(readFileSync(plan.stopFile, 'utf8') || '[]') as [number, number][])
  : [];
const isInside = (time: number) => windows.some(([from, to]) => time >= from && time <= to);
const result: SwitchResult = {
  ...{ requests, failures, reasons, examples, versions, clients },
  quiet: latencyOf(latencies.filter((_, i) => !isInside(times[i] as number))),
  switching: latencyOf(latencies.filter((_, i) => isInside(times[i] as number))),
};
console.log(JSON.stringify({ result }));
