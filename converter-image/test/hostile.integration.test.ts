/** Pickles that do anything but hold a model: nothing gets out, nothing is left, and the message says what happened. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { before, type TestContext, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { type Converted, type Converter, convert, converter, script, temporaryFolder } from './environment.ts';

let found: Converter | string;
before(
  async () => {
    found = await converter();
  },
  { timeout: 600_000 },
);

/** Converts a hostile model; undefined where nothing here can convert. */
async function attacked(
  t: TestContext,
  kind: string,
  argument = '',
  more: Readonly<Record<string, string>> = {},
): Promise<Converted | undefined> {
  if (typeof found === 'string') {
    t.skip(found);
    return undefined;
  }
  const model = join(temporaryFolder(t), 'model');
  await script(found, 'hostile.py', kind, model, argument);
  const result = await convert(t, found, model, more);
  assert.deepEqual(readdirSync(result.output), [], 'nothing is left in the output');
  assert.equal(result.signal, null, 'the converter itself lives');
  return result;
}

/** Whether the kernel can limit which files a process opens. */
function hasLandlock(python: string): boolean {
  const asks = 'import ctypes; print(ctypes.CDLL(None).syscall(444, None, 0, 1))';
  return Number(execFileSync(python, ['-c', asks], { encoding: 'utf8' })) >= 1;
}

/** Something on this machine that a model could reach, and how often it was. */
async function listener(t: TestContext): Promise<{ readonly port: number; readonly heard: () => number }> {
  let heard = 0;
  const server = createServer((socket) => {
    heard++;
    socket.destroy();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const port = typeof address === 'object' && address ? address.port : 0;
  const datagrams = createSocket('udp4').on('message', () => void heard++);
  datagrams.bind(port, '127.0.0.1');
  await once(datagrams, 'listening');
  t.after(() => {
    server.close();
    datagrams.close();
  });
  return { port, heard: () => heard };
}

for (const kind of ['socket', 'urllib', 'udp', 'quiet']) {
  test(`a model that speaks to the network (${kind}) reaches nobody`, { timeout: 120_000 }, async (t) => {
    const { port, heard } = await listener(t);
    const result = await attacked(t, kind, String(port));
    if (!result) return;
    assert.equal(heard(), 0);
    assert.equal(result.reason, 'InvalidModel');
    assert.equal(result.status, 65);
    if (kind !== 'quiet') assert.match(result.message, /Operation not permitted.*no network/);
  });
}

test('a model that asks for names gets none', { timeout: 120_000 }, async (t) => {
  const result = await attacked(t, 'dns');
  if (!result) return;
  assert.equal(result.reason, 'InvalidModel');
  assert.doesNotMatch(result.message, /resolved/);
});

test('a model cannot read other mounts or write there', { timeout: 120_000 }, async (t) => {
  const elsewhere = temporaryFolder(t);
  const secrets = join(elsewhere, 'var/run/secrets');
  mkdirSync(secrets, { recursive: true });
  writeFileSync(join(secrets, 'token'), 'the-token');
  if (typeof found !== 'string' && !hasLandlock(found.python)) {
    return t.skip('this kernel has no Landlock: what is not mounted is all that is kept from a model');
  }
  const read = await attacked(t, 'secret', join(secrets, 'token'));
  if (!read) return;
  assert.equal(read.reason, 'InvalidModel');
  assert.doesNotMatch(read.message + read.log, /the-token/);
  assert.match(read.message, /Permission denied/);
  await attacked(t, 'elsewhere', elsewhere);
  assert.equal(existsSync(join(elsewhere, 'planted')), false);
});

test('a model sees nothing of the environment it is started from', { timeout: 120_000 }, async (t) => {
  const result = await attacked(t, 'environment', '', { SECRET: 'the-password' });
  if (!result) return;
  assert.equal(result.reason, 'InvalidModel');
  assert.doesNotMatch(result.message + result.log, /the-password/);
});

for (const [kind, message] of [
  ['fork', /Operation not permitted.*may start no process/],
  ['parent', /Operation not permitted/],
  ['exit', /ended with status 0 and without a report while it was loading the model/],
  ['crash', /died of SIGSEGV while it was loading the model/],
  ['sparse', /File too large/],
  ['many', /wrote more than 2 GB while it was loading the model/],
  ['forged', /left model\.onnx unreadable/],
  ['nonsense', /left signature\.json that is no JSON object/],
] as const) {
  test(`a model whose code does this is refused: ${kind}`, { timeout: 120_000 }, async (t) => {
    const result = await attacked(t, kind, join(temporaryFolder(t), 'target'));
    if (!result) return;
    assert.equal(result.reason, 'InvalidModel');
    assert.match(result.message, message);
    assert.equal(result.status, 65);
    assert.ok(result.message.length <= 1024);
  });
}

for (const kind of ['sleep', 'spin', 'noise']) {
  test(`a model that never ends is stopped: ${kind}`, { timeout: 120_000 }, async (t) => {
    const result = await attacked(t, kind, '', { CONVERT_TIMEOUT_SECONDS: '6' });
    if (!result) return;
    assert.equal(result.reason, 'ConversionTimeout');
    assert.match(result.message, /within 6 s; it was stopped while it was loading the model/);
    assert.equal(result.status, 65);
    assert.ok(result.seconds < 30);
    assert.ok(result.log.length < 100_000, 'its noise is cut');
  });
}

test('a model that takes more memory than there is says so', { timeout: 120_000 }, async (t) => {
  const result = await attacked(t, 'memory', '', { CONVERT_MEMORY_BYTES: '1500000000' });
  if (!result) return;
  assert.equal(result.reason, 'OutOfMemory');
  assert.equal(result.status, 1);
});

test('a converter that is killed leaves nothing: no result, and nobody of its own', { timeout: 120_000 }, async (t) => {
  if (typeof found === 'string') return t.skip(found);
  const model = join(temporaryFolder(t), 'model');
  await script(found, 'hostile.py', 'sleep', model);
  const result = await convert(t, found, model, {}, async (child) => {
    const children = `/proc/${child}/task/${child}/children`;
    while (readFileSync(children, 'utf8').trim() === '') await delay(20);
    const inner = Number(readFileSync(children, 'utf8'));
    process.kill(child, 'SIGKILL');
    while (existsSync(`/proc/${inner}`)) await delay(20);
  });
  assert.equal(result.signal, 'SIGKILL');
  assert.deepEqual(readdirSync(result.output), []);
});
