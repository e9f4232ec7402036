/** `make registry` as somebody with a notebook uses it: data stays, Ctrl-C stops everything, --reset forgets. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { pathsFor } from '../test/cluster/paths.ts';
import { commandOf, freePort } from './registry/processes.ts';

const script = fileURLToPath(new URL('./registry.ts', import.meta.url));
const cache = mkdtempSync(join(tmpdir(), 'slipway-laptop-'));
// As a home that others may look into: started by root, Postgres runs as another user, and comes through here.
chmodSync(cache, 0o755);
// Binaries that are built once are shared; data is not.
mkdirSync(pathsFor(process.env).bin, { recursive: true });
symlinkSync(pathsFor(process.env).bin, join(cache, 'bin'));
const folder = join(cache, 'registry');
const running: ChildProcess[] = [];
after(async () => {
  for (const child of running.filter(({ exitCode, signalCode }) => exitCode === null && signalCode === null)) {
    child.kill('SIGINT');
    await once(child, 'exit');
  }
  rmSync(cache, { recursive: true, force: true });
});

interface Laptop {
  readonly child: ChildProcess;
  readonly url: string;
  readonly output: () => string;
}

function spawned(port: number, args: readonly string[] = [], more: NodeJS.ProcessEnv = {}) {
  const env = { ...process.env, SLIPWAY_CACHE: cache, PORT: String(port), ...more };
  const child = spawn(process.execPath, [script, ...args], { env, stdio: ['ignore', 'pipe', 'pipe'] });
  running.push(child);
  let output = '';
  const collect = (chunk: Buffer) => {
    output += chunk;
  };
  child.stdout.on('data', collect);
  child.stderr.on('data', collect);
  return { child, output: () => output };
}

async function start(...args: string[]): Promise<Laptop> {
  const { child, output } = spawned(await freePort(), args);
  for (;;) {
    const url = /^ {2}export MLFLOW_TRACKING_URI=(\S+)$/m.exec(output())?.[1];
    if (url) return { child, url, output };
    const ended = await Promise.race([
      once(child.stdout as NonNullable<typeof child.stdout>, 'data'),
      once(child, 'exit'),
    ]);
    if (typeof ended[0] === 'number') throw new Error(output());
  }
}

async function stop({ child }: Laptop): Promise<number | null> {
  child.kill('SIGINT');
  if (child.exitCode === null) await once(child, 'exit');
  return child.exitCode;
}

const children = (): number[] => JSON.parse(readFileSync(join(folder, 'running.json'), 'utf8')).children;
const store = (url: string) => fetch(`${url}/data/x.csv`, { method: 'PUT', body: 'a,b\n1,2\n' });
const stored = async (url: string) => (await fetch(`${url}/data/x.csv`)).status;

test('it starts, keeps its data to the next start, and stops all it started', async () => {
  const first = await start();
  assert.match(first.url, /^http:\/\/127\.0\.0\.1:\d+$/);
  assert.equal(await (await fetch(`${first.url}/health`)).text(), 'OK');
  assert.equal((await store(first.url)).status, 200);
  assert.equal(statSync(join(folder, 'secrets.json')).mode & 0o077, 0, 'nobody else reads the passwords');

  const { child, output } = spawned(await freePort());
  await once(child, 'exit');
  assert.equal(child.exitCode, 1);
  assert.match(output(), /runs already \(process \d+\)/);

  const pids = children();
  assert.equal(pids.length, 3);
  assert.equal(await stop(first), 0);
  assert.deepEqual(pids.map(commandOf), ['', '', '']);
});

test('a start that was killed leaves processes that the next one takes over from', async () => {
  const first = await start();
  const pids = children();
  first.child.kill('SIGKILL');
  await once(first.child, 'exit');
  const second = await start();
  assert.deepEqual(pids.map(commandOf), ['', '', '']);
  assert.equal(await stored(second.url), 200, 'what was stored before is there');
  assert.equal(await stop(second), 0);
});

test('--reset forgets the data', async () => {
  const laptop = await start('--reset');
  assert.equal(await stored(laptop.url), 404);
  assert.equal(await stop(laptop), 0);
});

test('open to everybody it is on loopback only', async () => {
  const { child, output } = spawned(await freePort(), [], { LISTEN_ADDRESS: '0.0.0.0' });
  await once(child, 'exit');
  assert.equal(child.exitCode, 1);
  assert.match(output(), /AUTH=none is for loopback only/);
});
