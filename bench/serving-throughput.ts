/**
 * Predictions a second for one row of the iris model, beside the plain way to write the same server with express.
 * Usage: node bench/serving-throughput.ts [seconds]   (bundle first: node scripts/bundle.ts serving-image)
 * Only the ratio of the two means something: both, and their client, share whatever processors there are.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { connect } from 'node:net';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { filesOf, modelFolder } from '../serving-image/test/folder.ts';
import { iris, irisRow } from '../serving-image/test/models.ts';
import { serveEnv } from '../serving-image/test/program.ts';

const SECONDS = Number(process.argv[2] ?? 4);
const WARM_UP_MS = 1000;
const body = JSON.stringify({ samples: [irisRow([5.1, 3.5, 1.4, 0.2])] });
const request =
  'POST /predict HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\n' +
  `Content-Length: ${body.length}\r\n\r\n${body}`;

interface Figures {
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly failed: number;
}

/** Keeps `connections` requests under way; answers are small enough to come in one piece. */
async function drive(port: number, connections: number): Promise<Figures> {
  let answered = 0;
  let failed = 0;
  let isDone = false;
  let latencies: number[] = [];
  const sockets = Array.from({ length: connections }, () => {
    const socket = connect(port, '127.0.0.1').setNoDelay(true);
    let sent = 0;
    const send = (): void => {
      sent = performance.now();
      socket.write(request);
    };
    socket.on('connect', send);
    socket.on('data', (answer: Buffer) => {
      answered++;
      if (answer.toString('latin1', 9, 12) !== '200') failed++;
      latencies.push(performance.now() - sent);
      if (isDone) socket.destroy();
      else send();
    });
    return socket;
  });
  const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
  await pause(WARM_UP_MS);
  answered = 0;
  latencies = [];
  await pause(SECONDS * 1000);
  const perSecond = Math.round(answered / SECONDS);
  isDone = true;
  const sorted = latencies.sort((a, b) => a - b);
  const at = (share: number): number => Number((sorted[Math.floor(sorted.length * share)] ?? 0).toFixed(3));
  const figures = { perSecond, p50Ms: at(0.5), p99Ms: at(0.99), failed };
  await pause(100);
  for (const socket of sockets) socket.destroy();
  return figures;
}

async function start(main: string, env: NodeJS.ProcessEnv): Promise<{ child: ChildProcess; port: number }> {
  const cwd = await mkdtemp(join(tmpdir(), 'slipway-bench-'));
  const child = spawn(process.execPath, [main], { cwd, env, stdio: ['ignore', 'pipe', 'inherit'] });
  let port = 0;
  for await (const line of createInterface({ input: child.stdout as NodeJS.ReadableStream })) {
    const entry = JSON.parse(line) as Record<string, unknown>;
    if (typeof entry['port'] === 'number') port = entry['port'];
    if (entry['message'] === 'ready') break;
  }
  return { child, port };
}

const cleanups: (() => unknown)[] = [];
const folder = await modelFolder({ after: (fn: () => unknown) => void cleanups.push(fn) } as never, filesOf(iris));
const bundle = join(import.meta.dirname, '../serving-image/dist/main.mjs');
const programs = {
  slipway: existsSync(bundle) ? bundle : join(import.meta.dirname, '../serving-image/src/main.ts'),
  plainExpress: join(import.meta.dirname, '../serving-image/bench/plain-express.ts'),
};
const results: Record<string, Record<string, Figures>> = {};
for (const [name, main] of Object.entries(programs)) {
  const { child, port } = await start(main, serveEnv(folder));
  const figures: Record<string, Figures> = {};
  for (const connections of [1, 16, 64]) figures[`${connections} connections`] = await drive(port, connections);
  results[name] = figures;
  child.kill('SIGKILL');
}
for (const cleanup of cleanups) await cleanup();
console.log(
  JSON.stringify({ ...results, node: process.version, machine: `${cpus().length} × ${cpus()[0]?.model}` }, null, 2),
);
