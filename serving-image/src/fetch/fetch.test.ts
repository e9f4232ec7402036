import assert from 'node:assert/strict';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { artifactDigest, FETCHED_FILE, type ModelArtifact } from '@slipway/contract';
import { ObjectStoreError } from '@slipway/object-store';
import { fileEntry, temporaryFolder } from '../../test/folder.ts';
import { type MemoryStore, memoryStore } from '../../test/store.ts';
import type { Logger } from '../log.ts';
import { fetchModel } from './fetch.ts';

const PREFIX = 'team-a/1/r/artifacts/x/model';
const MODEL = Buffer.from('the bytes of a model');
const MLMODEL = Buffer.from('flavors: {}');
const stored = (): MemoryStore => memoryStore({ [`${PREFIX}/model.onnx`]: MODEL, [`${PREFIX}/MLmodel`]: MLMODEL });

function artifactOf(files = [fileEntry('model.onnx', MODEL), fileEntry('MLmodel', MLMODEL)]): ModelArtifact {
  return { namespace: 'team-a', uri: `s3://slipway/${PREFIX}`, files, digest: artifactDigest(files) };
}

interface Run {
  readonly dir: string;
  readonly warnings: unknown[];
  readonly pauses: number[];
  readonly fetch: (artifact: ModelArtifact, store: MemoryStore) => ReturnType<typeof fetchModel>;
}

async function prepare(t: TestContext): Promise<Run> {
  const dir = await temporaryFolder(t);
  const warnings: unknown[] = [];
  const pauses: number[] = [];
  const log = { info: () => {}, warn: (fields: unknown) => warnings.push(fields) } as unknown as Logger;
  const sleep = async (ms: number) => pauses.push(ms);
  return {
    dir,
    warnings,
    pauses,
    fetch: (artifact, store) => fetchModel(artifact, store, dir, { log, retry: { sleep, random: () => 1 } }),
  };
}

test('every file is brought under its own name and nothing else is left', async (t) => {
  const { dir, fetch } = await prepare(t);
  await fetch(artifactOf(), stored());
  assert.deepEqual((await readdir(dir)).sort(), [FETCHED_FILE, 'MLmodel', 'model.onnx']);
  assert.deepEqual(await readFile(join(dir, 'model.onnx')), MODEL);
});

test('a second run brings only what is missing or wrong', async (t) => {
  const { dir, fetch } = await prepare(t);
  const store = stored();
  await fetch(artifactOf(), store);
  await writeFile(join(dir, 'MLmodel'), 'half');
  store.reads.length = 0;
  await fetch(artifactOf(), store);
  assert.deepEqual(store.reads, [`${PREFIX}/MLmodel`]);
  assert.deepEqual(await readFile(join(dir, 'MLmodel')), MLMODEL);
});

test('a changed object is a DigestMismatch naming file, expected and got, and never gets its name', async (t) => {
  const { dir, fetch } = await prepare(t);
  const store = stored();
  store.objects.set(`${PREFIX}/model.onnx`, Buffer.from('the bytes of a MODEL'));
  await assert.rejects(fetch(artifactOf(), store), {
    reason: 'DigestMismatch',
    message: /^file model\.onnx: expected sha256 [0-9a-f]{64} \(20 bytes\), got [0-9a-f]{64} \(20 bytes\)/,
  });
  assert.ok(!(await readdir(dir)).includes('model.onnx'));
});

test('an object that grew is given up at the first byte too many', async (t) => {
  const { fetch } = await prepare(t);
  const store = stored();
  store.objects.set(`${PREFIX}/model.onnx`, Buffer.alloc(1_000_000));
  await assert.rejects(fetch(artifactOf(), store), {
    reason: 'DigestMismatch',
    message: /expected 20 bytes, got more/,
  });
});

test('a deleted object is an ArtifactMissing', async (t) => {
  const { fetch } = await prepare(t);
  const store = stored();
  store.objects.delete(`${PREFIX}/MLmodel`);
  await assert.rejects(fetch(artifactOf(), store), { reason: 'ArtifactMissing', message: /file MLmodel/ });
});

test('an outage is waited out, with one log line per try', async (t) => {
  const { fetch, warnings, pauses } = await prepare(t);
  const store = stored();
  for (let i = 0; i < 8; i++) store.failures.push(new ObjectStoreError('Unavailable', 'connection refused'));
  await fetch(artifactOf(), store);
  assert.equal(warnings.length, 8);
  assert.deepEqual(pauses, [1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000]);
});

test('a refusal by the store is not waited out', async (t) => {
  const { fetch } = await prepare(t);
  for (const [storeReason, reason] of [
    ['Denied', 'ObjectStorageDenied'],
    ['BucketMissing', 'BucketMissing'],
  ] as const) {
    const store = stored();
    store.failures.push(new ObjectStoreError(storeReason, 'no'));
    await assert.rejects(fetch(artifactOf(), store), { reason });
  }
});

test('only the tenant’s own part of the bucket is read', async (t) => {
  const { fetch } = await prepare(t);
  for (const uri of [
    'file:///etc/passwd',
    'http://169.254.169.254/latest/meta-data',
    's3://other/team-a/model',
    's3://slipway/team-b/model',
    's3://slipway/team-ab/model',
    's3://slipway/team-a/../team-b/model',
    's3://slipway/team-a',
    '/team-a/model',
  ]) {
    const store = stored();
    await assert.rejects(fetch({ ...artifactOf(), uri }, store), { reason: 'InputUriNotAllowed' }, uri);
    assert.deepEqual(store.reads, []);
  }
});

test('a brought folder is taken as it is found, and listed', async (t) => {
  const { dir, fetch } = await prepare(t);
  const store = stored();
  store.objects.set(`${PREFIX}/`, Buffer.alloc(0));
  store.objects.set(`${PREFIX}-other/model.onnx`, MODEL);
  const files = await fetch({ namespace: 'team-a', uri: `s3://slipway/${PREFIX}/` }, store);
  assert.deepEqual(files, [fileEntry('MLmodel', MLMODEL), fileEntry('model.onnx', MODEL)]);
  assert.deepEqual(JSON.parse(await readFile(join(dir, FETCHED_FILE), 'utf8')), files);
});

test('a brought folder is held to its digest once it has one', async (t) => {
  const { fetch } = await prepare(t);
  const { uri, digest } = artifactOf();
  const known = { namespace: 'team-a', uri, ...(digest && { digest }) };
  await fetch(known, stored());
  const store = stored();
  store.objects.set(`${PREFIX}/new`, Buffer.from('x'));
  await assert.rejects(fetch(known, store), { reason: 'DigestMismatch' });
});

test('a single .onnx object becomes model.onnx, also when it is fetched again by its digest', async (t) => {
  const { fetch } = await prepare(t);
  const store = memoryStore({ 'team-a/nets/net.onnx': MODEL });
  const uri = 's3://slipway/team-a/nets/net.onnx';
  const files = await fetch({ namespace: 'team-a', uri }, store);
  assert.deepEqual(files, [fileEntry('model.onnx', MODEL)]);
  const again = { namespace: 'team-a', uri, files: [...files], digest: artifactDigest(files) };
  assert.deepEqual(await (await prepare(t)).fetch(again, store), files);
});

test('what cannot be a model’s folder is refused', async (t) => {
  const { fetch } = await prepare(t);
  const brought = { namespace: 'team-a', uri: `s3://slipway/${PREFIX}` };
  await assert.rejects(fetch(brought, memoryStore({})), { reason: 'ArtifactMissing', message: /nothing is stored/ });
  const many = Object.fromEntries(Array.from({ length: 257 }, (_, i) => [`${PREFIX}/${i}`, MODEL]));
  await assert.rejects(fetch(brought, memoryStore(many)), { reason: 'InvalidModel', message: /257 files/ });
  for (const name of ['../x', 'a//b', './x', FETCHED_FILE]) {
    await assert.rejects(
      fetch(brought, memoryStore({ [`${PREFIX}/${name}`]: MODEL })),
      { reason: 'InvalidModel' },
      name,
    );
  }
  const clash = memoryStore({ [`${PREFIX}/a`]: MODEL, [`${PREFIX}/a/b`]: MODEL });
  await assert.rejects(fetch(brought, clash), { reason: 'InvalidModel', message: /name of its folder/ });
});
