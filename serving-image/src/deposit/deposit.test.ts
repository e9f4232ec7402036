import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { link, mkdir, rm, symlink, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { artifactDigest, type DerivedTarget, isWholeDeposit } from '@slipway/contract';
import { ObjectStoreError } from '@slipway/object-store';
import { fileEntry, temporaryFolder } from '../../test/folder.ts';
import { type MemoryStore, memoryStore } from '../../test/store.ts';
import { FailureError } from '../failure.ts';
import type { Logger } from '../log.ts';
import { deposit } from './deposit.ts';
import { depositConfig } from './run-deposit.ts';

const target: DerivedTarget = {
  namespace: 'team-a',
  model: 'iris',
  version: 3,
  from: { uri: 's3://slipway/team-a/1/r/artifacts/model' },
};
const conversion = {
  flavor: 'sklearn',
  format: 'pickle',
  estimator: 'LogisticRegression',
  libraries: { 'scikit-learn': '1.5.2' },
  opset: 17,
  parity: { rows: 1000, tolerance: 1e-4, worst: null, labelsEqual: true },
  seconds: 1,
};
const contents = (): Record<string, string> => ({
  'model.onnx': 'the bytes of a model',
  'signature.json': '{}',
  'examples.json': '{}',
  'conversion.json': JSON.stringify(conversion),
});

async function folderOf(t: TestContext, files: Readonly<Record<string, string>> = contents()): Promise<string> {
  const dir = await temporaryFolder(t);
  for (const [name, text] of Object.entries(files)) await writeFile(join(dir, name), text);
  return dir;
}

const log = { info() {}, warn() {} } as unknown as Logger;
const run = (dir: string, store: MemoryStore, pauses: number[] = []) =>
  deposit({ target, dir, store, log, retry: { sleep: async (ms) => void pauses.push(ms), random: () => 1 } });
const files = Object.entries(contents()).map(([path, text]) => fileEntry(path, Buffer.from(text)));
const FOLDER = `team-a/derived/iris/3/${artifactDigest(files)}`;

test('the files are stored under their digest, the manifest last', async (t) => {
  const store = memoryStore({});
  const report = await run(await folderOf(t), store);
  assert.equal(report.uri, `s3://slipway/${FOLDER}`);
  assert.ok(isWholeDeposit(report));
  assert.equal(report.conversion.estimator, 'LogisticRegression');
  const keys = [...store.objects.keys()];
  assert.equal(keys.at(-1), `${FOLDER}/manifest.json`);
  assert.deepEqual(keys.slice(0, -1).sort(), files.map(({ path }) => `${FOLDER}/${path}`).sort());
  assert.deepEqual(store.objects.get(`${FOLDER}/model.onnx`), Buffer.from('the bytes of a model'));
  const manifest = JSON.parse(String(store.objects.get(`${FOLDER}/manifest.json`)));
  assert.deepEqual([manifest.derivedFrom, manifest.digest], [target, report.digest]);
});

test('a second run after a crash stores what is missing and reports the same', async (t) => {
  const dir = await folderOf(t);
  const store = memoryStore({});
  const first = await run(dir, store);
  store.objects.delete(`${FOLDER}/manifest.json`);
  store.objects.delete(`${FOLDER}/model.onnx`);
  assert.deepEqual(await run(dir, store), first);
  assert.equal(store.objects.size, 5);
});

test('other bytes under one of its keys are not written over', async (t) => {
  const key = `${FOLDER}/model.onnx`;
  for (const other of ['short', 'THE BYTES OF A MODEL']) {
    const store = memoryStore({ [key]: Buffer.from(other) });
    await assert.rejects(run(await folderOf(t), store), {
      reason: 'DigestMismatch',
      message: /model\.onnx.*delete that/,
    });
    assert.equal(String(store.objects.get(key)), other);
    assert.ok(!store.objects.has(`${FOLDER}/manifest.json`));
  }
});

test('an outage of the store is waited out; a refusal is not', async (t) => {
  const dir = await folderOf(t);
  const store = memoryStore({});
  const pauses: number[] = [];
  store.failures.push(new ObjectStoreError('Unavailable', 'away'), new ObjectStoreError('Unavailable', 'away'));
  await run(dir, store, pauses);
  assert.equal(pauses.length, 2);
  const closed = memoryStore({});
  closed.failures.push(new ObjectStoreError('Denied', 'no'));
  await assert.rejects(run(dir, closed), { reason: 'ObjectStorageDenied' });
});

const hostile: Readonly<Record<string, (dir: string) => Promise<unknown>>> = {
  'a link in place of a file': async (dir) => {
    await rm(join(dir, 'model.onnx'));
    await symlink('/etc/passwd', join(dir, 'model.onnx'));
  },
  'a link to a file beside it': async (dir) => {
    await rm(join(dir, 'model.onnx'));
    await symlink('signature.json', join(dir, 'model.onnx'));
  },
  'a second name of a file': async (dir) => {
    await rm(join(dir, 'model.onnx'));
    await link(join(dir, 'signature.json'), join(dir, 'model.onnx'));
  },
  'a folder in place of a file': async (dir) => {
    await rm(join(dir, 'model.onnx'));
    await mkdir(join(dir, 'model.onnx'));
  },
  'a pipe that nobody writes to': async (dir) => {
    await rm(join(dir, 'model.onnx'));
    execFileSync('mkfifo', [join(dir, 'model.onnx')]);
  },
  'a file too many': (dir) => writeFile(join(dir, 'model.pkl'), 'x'),
  'a subfolder': (dir) => mkdir(join(dir, 'more')),
  'a file too few': (dir) => rm(join(dir, 'examples.json')),
  'an endless signature': (dir) => truncate(join(dir, 'signature.json'), 5 * 1024 ** 2),
  'a model of three gigabytes': (dir) => truncate(join(dir, 'model.onnx'), 3 * 1024 ** 3),
  'a report that is none': (dir) => writeFile(join(dir, 'conversion.json'), '[]'),
  'a report that is no JSON': (dir) => writeFile(join(dir, 'conversion.json'), '{'),
};
for (const [what, spoil] of Object.entries(hostile))
  test(`a converter that leaves ${what} gets nothing stored`, async (t) => {
    const dir = await folderOf(t);
    await spoil(dir);
    const store = memoryStore({});
    await assert.rejects(run(dir, store), (error) => {
      assert.ok(error instanceof FailureError, String(error));
      assert.equal(error.reason, 'InvalidModel', error.message);
      assert.ok(error.message.length < 600);
      return true;
    });
    assert.equal(store.objects.size, 0);
  });

test('its environment is said by name when it is wrong', () => {
  assert.throws(() => depositConfig({}), { reason: 'InvalidConfiguration', message: /DERIVED_ARTIFACT/ });
  assert.throws(() => depositConfig({ DERIVED_ARTIFACT: '{"namespace":"a"}' }), { message: /DERIVED_ARTIFACT\.model/ });
  assert.deepEqual(depositConfig({ DERIVED_ARTIFACT: JSON.stringify(target) }).DERIVED_ARTIFACT, target);
});
