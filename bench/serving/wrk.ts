/** The load generator: wrk, held on one processor, posting bodies from a file in turn. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { z } from 'zod';
import { run, succeeds } from '../../test/cluster/exec.ts';
import { packageObstacle } from '../../test/cluster/packages.ts';

const Result = z.object({
  requests: z.number(),
  durationUs: z.number(),
  p50Us: z.number(),
  p99Us: z.number(),
  connect: z.number(),
  read: z.number(),
  write: z.number(),
  status: z.number(),
  timeout: z.number(),
});

/** What a client saw. `failed` counts answers outside 2xx and 3xx, and connections that broke: a figure with any is void. */
export interface Load {
  readonly requests: number;
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly failed: number;
}

/** What wrk printed with our script. Throws when the line of figures is missing. */
export function parseWrk(output: string): Load {
  const line = /^RESULT (\{.*\})$/m.exec(output)?.[1];
  if (line === undefined) throw new Error(`wrk printed no figures: ${output.slice(0, 500)}`);
  const { requests, durationUs, p50Us, p99Us, ...errors } = Result.parse(JSON.parse(line));
  return {
    requests,
    perSecond: requests / (durationUs / 1e6),
    p50Ms: p50Us / 1000,
    p99Ms: p99Us / 1000,
    failed: errors.connect + errors.read + errors.write + errors.status + errors.timeout,
  };
}

/** The bodies as post.lua reads them. */
export const requestFile = (bodies: readonly Buffer[]): Buffer =>
  Buffer.concat(bodies.flatMap((body) => [Buffer.from(`${body.length}\n`), body]));

export interface LoadOptions {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  /** As `requestFile` makes it. */
  readonly requests: string;
  readonly connections: number;
  readonly seconds: number;
  readonly processor: number;
}

/** wrk knows whole seconds only: it is told to stop, as by Ctrl-C, and would stop by itself so much later. */
const SPARE_SECONDS = 30;
/** Printed by post.lua when it has read its requests. */
const READY = 'READY';

/** One thread, so many connections kept busy for so long, to a tenth of a second; what counts is how long it really was. */
export async function drive(options: LoadOptions): Promise<Load> {
  const { url, requests, connections, seconds, processor } = options;
  const headers = Object.entries(options.headers).map(([name, value]) => `${name}=${value}`);
  const duration = `-d${Math.ceil(seconds) + SPARE_SECONDS}s`;
  const wrk = ['wrk', '-t1', `-c${connections}`, duration, '--timeout', '60s', '--latency'];
  const script = ['-s', join(import.meta.dirname, 'post.lua'), url, '--', requests, ...headers];
  const child = spawn('taskset', ['-c', String(processor), ...wrk, ...script], { stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  let end: NodeJS.Timeout | undefined;
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (chunk: string) => {
      output += chunk;
      if (output.includes(READY)) end ??= setTimeout(() => child.kill('SIGINT'), seconds * 1000);
    });
  await once(child, 'close');
  clearTimeout(end);
  return parseWrk(output);
}

/** Installs wrk where it is missing and can be. Throws with what to do where it cannot. */
export async function ensureWrk(): Promise<void> {
  if (await succeeds('which', ['wrk'])) return;
  const obstacle = await packageObstacle();
  if (obstacle) throw new Error(`wrk is missing, and cannot be installed here: ${obstacle}`);
  const env = { DEBIAN_FRONTEND: 'noninteractive' };
  const install = ['install', '-y', '-qq', '--no-install-recommends', 'wrk'];
  // A list that is too old names files which the mirror no longer has; so is one that was never fetched.
  if (await succeeds('apt-get', install, { env })) return;
  await run('apt-get', ['update', '-qq'], { env });
  await run('apt-get', install, { env });
}
