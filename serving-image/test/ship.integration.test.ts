/** Shipping predictions to a real object store, through an outage, with the credentials a pod has for it. */
import assert from 'node:assert/strict';
import { readdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { after, before, test } from 'node:test';
import { type ObjectStorageAccess, predictionFileName, servicePredictions } from '@slipway/contract';
import {
  assumeTenantRole,
  type ObjectStoreError,
  openObjectStore,
  predictionsPolicy,
  type StreamingObjectStore,
} from '@slipway/object-store';
import { startMinio, type TestMinio } from '../../object-store/testing/minio.ts';
import { startTcpProxy, type TcpProxy } from '../../object-store/testing/tcp-proxy.ts';
import { type ShipOptions, ship } from '../src/ship/ship.ts';
import { temporaryFolder } from './folder.ts';

const DAY_MS = 86_400_000;
const NAMESPACE = 'team-a';
const prefix = servicePredictions(NAMESPACE, 'iris');

let minio: TestMinio;
let admin: ObjectStorageAccess;
let proxy: TcpProxy;
let everything: StreamingObjectStore;
let limited: StreamingObjectStore;

before(async () => {
  minio = await startMinio();
  admin = await minio.freshBucket();
  const { hostname, port } = new URL(admin.endpoint);
  proxy = await startTcpProxy(hostname, Number(port));
  everything = openObjectStore(admin);
  const policy = predictionsPolicy(admin.bucket, NAMESPACE);
  const { expiration: _, ...access } = await assumeTenantRole(admin, { policy, durationSeconds: 900 });
  limited = openObjectStore({ ...access, endpoint: `http://${proxy.host}:${proxy.port}` }, { timeoutMs: 1000 });
});
after(async () => {
  await proxy?.stop();
  await minio?.stop();
});

const settings = (dir: string, stopping: AbortSignal, more: Partial<ShipOptions> = {}): ShipOptions => ({
  dir,
  prefix,
  pod: 'iris-abc',
  retentionMs: 30 * DAY_MS,
  store: async () => limited,
  stopping,
  log: { info() {}, warn() {} },
  pollMs: 10,
  longestPauseMs: 100,
  ...more,
});
const linesFrom = (from: number, count: number) =>
  Array.from({ length: count }, (_, i) => `${JSON.stringify({ n: from + i })}\n`).join('');
/** As the server does: whole under its own name, or not at all. */
async function complete(dir: string, name: string, text: string): Promise<void> {
  await writeFile(join(dir, `${name}.part`), text);
  await rename(join(dir, `${name}.part`), join(dir, name));
}
async function shipped(store = everything, below = prefix): Promise<number[]> {
  const objects = await store.list(below);
  const texts = await Promise.all(objects.map(async ({ key }) => (await buffer(await store.get(key))).toString()));
  return texts
    .join('')
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line).n);
}
const until = async (holds: () => boolean | Promise<boolean>): Promise<void> => {
  while (!(await holds())) await new Promise((resolve) => setTimeout(resolve, 10));
};

test('every line is shipped once through an outage, what was being written at the end too', async (t) => {
  const dir = await temporaryFolder(t);
  const stop = new AbortController();
  const warnings: unknown[] = [];
  const working = ship(
    settings(dir, stop.signal, { log: { info() {}, warn: (fields: unknown) => void warnings.push(fields) } }),
  );
  const day = Date.parse('2026-03-01T23:59:59Z');
  await complete(dir, predictionFileName(day, 0), linesFrom(0, 100));
  await until(async () => (await readdir(dir)).length === 0);

  proxy.shut();
  for (let i = 1; i < 5; i++) await complete(dir, predictionFileName(day, i), linesFrom(i * 100, 100));
  await until(() => warnings.length >= 3);
  assert.equal((await readdir(dir)).length, 4, 'nothing is removed here that is not there');
  proxy.open();
  await until(async () => (await readdir(dir)).length === 0);

  // The server's last words: a file it could not complete any more, with half a line.
  const last = predictionFileName(day + 2000, 5);
  await writeFile(join(dir, `${last}.part`), `${linesFrom(500, 10)}{"n":`);
  stop.abort();
  await working;
  const numbers = async () => (await shipped()).sort((a, b) => a - b);
  assert.deepEqual(await numbers(), [...Array(510).keys()]);

  // It was not the server's end after all: it completes the file, and every line is there once.
  await rm(join(dir, `${last}.part`));
  await complete(dir, last, linesFrom(500, 20));
  await ship(settings(dir, AbortSignal.abort()));
  assert.deepEqual(await readdir(dir), []);
  assert.deepEqual(await numbers(), [...Array(520).keys()]);
  const keys = (await everything.list(prefix)).map(({ key }) => key);
  assert.equal(keys[0], `${NAMESPACE}/predictions/iris/2026-03-01/iris-abc-${predictionFileName(day, 0)}`);
  assert.ok(keys.at(-1)?.startsWith(`${prefix}2026-03-02/`));
});

test('a file that was stored, but not yet removed, when the pod was killed is not there twice', async (t) => {
  const dir = await temporaryFolder(t);
  const other = servicePredictions(NAMESPACE, 'twice');
  const name = predictionFileName(Date.now(), 0);
  for (let life = 0; life < 2; life++) {
    await complete(dir, name, linesFrom(0, 10));
    await ship(settings(dir, AbortSignal.abort(), { prefix: other }));
  }
  assert.deepEqual(await shipped(everything, other), [...Array(10).keys()]);
});

test('retention deletes old predictions of this service and nothing else', async (t) => {
  const dir = await temporaryFolder(t);
  const mine = servicePredictions(NAMESPACE, 'old');
  const body = Buffer.from('{}\n');
  const today = new Date().toISOString().slice(0, 10);
  const keep = [`${servicePredictions(NAMESPACE, 'older')}2020-01-01/x.jsonl`, `${NAMESPACE}/1/model.onnx`];
  const old = [`${mine}2020-01-01/x.jsonl`, `${mine}2020-01-01/y.jsonl`, `${mine}${today}/x.jsonl`];
  for (const key of [...keep, ...old]) await everything.put(key, body, body.length);
  const stop = new AbortController();
  // The objects were stored just now: a month later they are old, all but what is stored then.
  const working = ship(settings(dir, stop.signal, { prefix: mine, now: () => Date.now() + 31 * DAY_MS }));
  await until(async () => (await everything.list(mine)).length === 0);
  stop.abort();
  await working;
  for (const key of keep) assert.ok(await everything.stat(key), key);
});

test('with what a pod has for it, models can be neither read nor written', async () => {
  const model = `${NAMESPACE}/1/model.onnx`;
  await everything.put(model, Buffer.from('model'), 5);
  const denied = (work: Promise<unknown>) =>
    work.then(
      () => 'allowed',
      ({ reason }: ObjectStoreError) => reason,
    );
  assert.equal(await denied(limited.get(model)), 'Denied');
  assert.equal(await denied(limited.put(model, Buffer.from('x'), 1)), 'Denied');
  assert.equal(await denied(limited.remove([model])), 'Denied');
  assert.equal(await denied(limited.list(`${NAMESPACE}/1/`)), 'Denied');
});
