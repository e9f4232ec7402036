/**
 * A load of POST requests, bounded in connections, count and time, that keeps account of every answer: what failed and
 * why, which model versions answered and how long it took. Node built-ins only: it also runs inside a pod as it stands.
 */
import { Agent, request } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';

export interface LoadOptions {
  /** Where to post; an address of this machine or of a pod or Service of ours. */
  readonly url: string;
  readonly body: string;
  readonly connections: number;
  /** False: a new connection for every request. */
  readonly keepAlive: boolean;
  /** Ends the load: no new request is begun, those under way are waited for. */
  readonly signal: AbortSignal;
  /** Requests at the most. */
  readonly maxRequests?: number;
  /** Rest of each connection between an answer and its next request, so that a load does not starve what it tests. */
  readonly pauseMs?: number;
  /** Called after every answer with the number so far. */
  readonly onAnswer?: (answers: number) => void;
}

export interface LoadResult {
  readonly requests: number;
  readonly failures: number;
  /** How often each kind of failure was seen: `status 503`, `ECONNRESET`, … */
  readonly reasons: Readonly<Record<string, number>>;
  /** How many answers each version gave, by the `x-model-version` header. */
  readonly versions: Readonly<Record<string, number>>;
  /** The versions in the order in which each was first seen after another. */
  readonly sequence: readonly string[];
  /** Milliseconds. */
  readonly latency: { readonly p50: number; readonly p99: number; readonly max: number };
}

interface Answer {
  readonly status: number;
  readonly version: string | undefined;
}

function post(options: LoadOptions, agent: Agent): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(options.body) };
    const sent = request(options.url, { method: 'POST', agent, headers, timeout: 10_000 }, (response) => {
      response.on('error', reject);
      response.resume().on('end', () => {
        const version = response.headers['x-model-version'];
        resolve({ status: response.statusCode ?? 0, version: typeof version === 'string' ? version : undefined });
      });
    });
    sent.on('timeout', () => sent.destroy(Object.assign(new Error('no answer in 10 s'), { code: 'ETIMEDOUT' })));
    sent.on('error', reject);
    sent.end(options.body);
  });
}

const bump = (counts: Record<string, number>, key: string) => {
  counts[key] = (counts[key] ?? 0) + 1;
};

/** Runs the load until it is told to stop or has sent `maxRequests`; never rejects: failures are what it counts. */
export async function runLoad(options: LoadOptions): Promise<LoadResult> {
  const agent = new Agent({ keepAlive: options.keepAlive, maxSockets: options.connections });
  const limit = options.maxRequests ?? 1_000_000;
  const reasons: Record<string, number> = {};
  const versions: Record<string, number> = {};
  const sequence: string[] = [];
  const latencies: number[] = [];
  let begun = 0;
  let failures = 0;

  const fail = (reason: string) => {
    failures += 1;
    bump(reasons, reason);
  };
  const account = ({ status, version }: Answer) => {
    if (status !== 200) return fail(`status ${status}`);
    if (version === undefined) return fail('no x-model-version');
    bump(versions, version);
    if (sequence.at(-1) !== version && sequence.length < 1000) sequence.push(version);
  };
  const connection = async () => {
    while (!options.signal.aborted && begun < limit) {
      begun += 1;
      const started = performance.now();
      await post(options, agent).then(account, (error: NodeJS.ErrnoException) => fail(error.code ?? error.message));
      latencies.push(performance.now() - started);
      options.onAnswer?.(latencies.length);
      if (options.pauseMs) await delay(options.pauseMs);
    }
  };
  await Promise.all(Array.from({ length: options.connections }, connection));
  agent.destroy();

  latencies.sort((a, b) => a - b);
  const percentile = (p: number) => latencies[Math.min(latencies.length - 1, Math.floor(latencies.length * p))] ?? 0;
  return {
    requests: latencies.length,
    failures,
    reasons,
    versions,
    sequence,
    latency: { p50: percentile(0.5), p99: percentile(0.99), max: latencies.at(-1) ?? 0 },
  };
}
