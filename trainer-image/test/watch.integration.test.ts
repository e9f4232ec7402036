/** `watch` as a process, beside a server that takes what it posts. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFile, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { json } from 'node:stream/consumers';
import { after, afterEach, before, beforeEach, test } from 'node:test';

interface Posted {
  readonly path: string;
  readonly authorization: string;
  readonly body: { run_id: string; metrics: { key: string; value: number }[]; tags: { key: string; value: string }[] };
}

let folder: string;
let server: Server;
let posted: Posted[];
let status: number;
let onPosted: () => void;
let child: ChildProcess | undefined;

before(async () => {
  server = createServer(async (request, response) => {
    const body = (await json(request)) as Posted['body'];
    posted.push({ path: request.url ?? '', authorization: request.headers.authorization ?? '', body });
    if (status !== 0) response.writeHead(status, { 'content-type': 'application/json' }).end('{}');
    onPosted();
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
});
after(() => {
  server?.close();
  server?.closeAllConnections();
});
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'slipway-watch-'));
  [posted, status] = [[], 200];
});
afterEach(async () => {
  child?.kill('SIGKILL');
  await rm(folder, { recursive: true, force: true });
});

/** Resolves when so many requests have come. */
const requests = (count: number) =>
  new Promise<void>((enough) => {
    onPosted = () => posted.length >= count && enough();
    onPosted();
  });

function start(uri = `http://127.0.0.1:${(server.address() as AddressInfo).port}/n/team-a/`): ChildProcess {
  child = spawn(process.execPath, [join(import.meta.dirname, '../src/main.ts'), 'watch'], {
    env: {
      ...{ PATH: process.env['PATH'], OUTPUT_DIR: folder, TERMINATION_LOG: join(folder, 'termination') },
      ...{
        MLFLOW_TRACKING_URI: uri,
        MLFLOW_RUN_ID: 'r'.repeat(32),
        MLFLOW_TRACKING_TOKEN: 'token',
        RUN_START_TIME: '7',
      },
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  return child;
}

async function ended(process: ChildProcess): Promise<number | null> {
  const exited = once(process, 'exit');
  process.kill('SIGTERM');
  return (await exited)[0] as number | null;
}

test('what the trainer writes arrives while it writes, under the token of the run, and the end is no failure', async () => {
  await writeFile(join(folder, 'metrics.jsonl'), '{"key":"loss","value":1}\n');
  await writeFile(join(folder, 'progress.json'), '{"percent":1}');
  const process = start();
  await requests(1);
  await appendFile(join(folder, 'metrics.jsonl'), '{"key":"loss","value":0.5,"step":1}\n');
  await requests(2);
  const [first, second] = posted;
  assert.equal(first?.path, '/n/team-a/api/2.0/mlflow/runs/log-batch');
  assert.equal(first?.authorization, 'Bearer token');
  assert.deepEqual(first?.body, {
    run_id: 'r'.repeat(32),
    metrics: [{ key: 'loss', value: 1, step: 0, timestamp: 7 }],
    tags: [{ key: 'slipway.progress', value: '{"percent":1}' }],
  });
  assert.deepEqual(second?.body.metrics, [{ key: 'loss', value: 0.5, step: 1, timestamp: 7 }]);
  assert.equal(await ended(process), 0);
});

for (const [what, answer] of [
  ['fails', 500],
  ['refuses the token', 401],
  ['says nothing', 0],
] as const) {
  test(`a registry that ${what} ends nothing, and does not hold up the end`, async () => {
    status = answer;
    await writeFile(join(folder, 'progress.json'), '{"percent":1}');
    const process = start();
    await requests(1);
    assert.equal(process.exitCode, null);
    assert.equal(await ended(process), 0);
  });
}

test('without a registry at all it goes on, and ends when it is told to', async () => {
  await writeFile(join(folder, 'progress.json'), '{"percent":1}');
  const process = start('http://127.0.0.1:1');
  const lines: string[] = [];
  for await (const chunk of process.stdout ?? []) {
    lines.push(String(chunk));
    if (lines.join('').includes('takes no live metrics')) break;
  }
  assert.equal(process.exitCode, null);
  assert.equal(await ended(process), 0);
});
