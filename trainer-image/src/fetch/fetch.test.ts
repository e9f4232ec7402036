import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterEach, beforeEach, test } from 'node:test';
import { artifactDigest, FETCHED_FILE, type FetchInputs, sha256Hex } from '@slipway/contract';
import { type ObjectStore, ObjectStoreError } from '@slipway/object-store';
import { persistence } from '../persist.ts';
import { fetchInputs } from './fetch.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'slipway-fetch-'));
  await mkdir(join(folder, 'input'));
  await mkdir(join(folder, 'config-maps/data'), { recursive: true });
  await writeFile(join(folder, 'config-maps/data/my.csv'), 'a,b\n');
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** A store with one object, which throws `failures` first. */
function storeWith(key: string, body: string, failures: unknown[] = []): ObjectStore {
  const get = async (asked: string): Promise<Readable> => {
    if (failures.length > 0) throw failures.shift();
    if (asked !== key) throw new ObjectStoreError('NotFound', `object ${asked} does not exist`);
    return Readable.from([Buffer.from(body)]);
  };
  const unused = async (): Promise<never> => assert.fail('fetch only gets');
  return { bucket: 'slipway', get, list: unused, stat: unused, put: unused, check: unused };
}

async function fetchWith(
  inputs: FetchInputs['inputs'],
  store = storeWith('team-a/x.csv', 'bytes'),
  more: Partial<FetchInputs> = {},
) {
  let time = 0;
  const lines: string[] = [];
  const log = (_level: string, message: string) => void lines.push(message);
  await fetchInputs(
    { namespace: 'team-a', parameters: { C: '1.0' }, inputs, ...more },
    {
      inputDir: join(folder, 'input'),
      referencesDir: join(folder, 'references'),
      web: { mayConnect: () => assert.fail('nothing is connected to') },
      configMapsDir: join(folder, 'config-maps'),
      builtinDir: join(import.meta.dirname, '../../data'),
      openStore: async () => store,
      persist: persistence({
        log,
        deadline: 60_000,
        deniedGraceMs: 10_000,
        now: () => time,
        sleep: async (ms) => {
          time += ms;
        },
      }),
      log,
    },
  );
  return lines;
}

const read = (path: string) => readFile(join(folder, 'input', path), 'utf8');
const one = (uri: string, sha256?: string) => [{ name: 'train', uri, ...(sha256 !== undefined && { sha256 }) }];
const away = () => new ObjectStoreError('Unavailable', 'no answer');

test('parameters, every kind of input and what was read of it lie in the input folder', async () => {
  await fetchWith([
    { name: 'train', uri: 'builtin://iris.csv' },
    { name: 'extra', uri: 'configmap://data/my.csv' },
    { name: 'stored.csv', uri: 's3://slipway/team-a/x.csv', sha256: sha256Hex('bytes') },
  ]);
  assert.deepEqual(JSON.parse(await read('params.json')), { C: '1.0' });
  assert.match(await read('train'), /^sepal_length,/);
  assert.equal(await read('extra'), 'a,b\n');
  const digests = JSON.parse(await read('.slipway/inputs.json'));
  assert.deepEqual(digests[2], {
    name: 'stored.csv',
    uri: 's3://slipway/team-a/x.csv',
    sha256: sha256Hex('bytes'),
    size: 5,
  });
});

test('a store that is away is waited for, with a line a try', async () => {
  const lines = await fetchWith(one('s3://slipway/team-a/x.csv'), storeWith('team-a/x.csv', 'bytes', [away(), away()]));
  assert.equal(lines.filter((line) => line === 'a store is away, trying again').length, 2);
  assert.equal(await read('train'), 'bytes');
});

test('a refusal is waited out for as long as credentials may take to be renewed, and no longer', async () => {
  const denied = () => new ObjectStoreError('Denied', 'refused');
  await fetchWith(one('s3://slipway/team-a/x.csv'), storeWith('team-a/x.csv', 'bytes', [denied()]));
  const always = storeWith('team-a/x.csv', 'bytes', Array.from({ length: 100 }, denied));
  await assert.rejects(fetchWith(one('s3://slipway/team-a/x.csv'), always), { reason: 'ObjectStorageDenied' });
});

test('a store that stays away past the deadline is ObjectStorageUnavailable', async () => {
  const gone = storeWith('x', '', Array.from({ length: 100 }, away));
  await assert.rejects(fetchWith(one('s3://slipway/team-a/x.csv'), gone), { reason: 'ObjectStorageUnavailable' });
});

test('other bytes than were promised are refused with both digests', async () => {
  const expected = 'a'.repeat(64);
  await assert.rejects(fetchWith(one('configmap://data/my.csv', expected)), (error: Error & { reason?: string }) => {
    assert.equal(error.reason, 'DigestMismatch');
    assert.ok(error.message.includes(expected) && error.message.includes(sha256Hex('a,b\n')));
    return true;
  });
  await assert.rejects(read('train'), { code: 'ENOENT' });
});

for (const uri of [
  's3://slipway/team-b/x.csv',
  's3://slipway/team-a2/x.csv',
  's3://elsewhere/team-a/x.csv',
  's3://slipway/team-a/../team-b/x.csv',
  'http://169.254.169.254/latest',
  'file:///etc/passwd',
  'builtin://../package.json',
  'configmap://data/../../etc/passwd',
  'configmap://data/..data',
  'configmap://../x',
]) {
  test(`${uri} is refused, naming what is allowed`, async () => {
    await assert.rejects(fetchWith(one(uri)), {
      reason: 'InputUriNotAllowed',
      message: /expected s3:\/\/.*\/team-a\/<key>, data:\/\/<name>, configmap:\/\/.* builtin:\/\/iris\.csv/,
    });
  });
}

test('what does not exist is InputNotFound, in the store and in a ConfigMap', async () => {
  await assert.rejects(fetchWith(one('s3://slipway/team-a/other.csv')), { reason: 'InputNotFound' });
  await assert.rejects(fetchWith(one('configmap://data/other.csv')), { reason: 'InputNotFound' });
});

for (const name of ['../x', 'params.json', '.slipway', 'a/b', '']) {
  test(`${JSON.stringify(name)} cannot be an input's name`, async () => {
    const inputs = [{ name, uri: 'builtin://iris.csv' }];
    await assert.rejects(fetchWith(inputs), { reason: 'InvalidConfiguration' });
  });
}

const bytes = { 'team-a/data/1/sales.csv': 'sold', 'team-a/m/model.onnx': 'onnx', 'team-a/m/sub/x': 'x' };

/** A store with those objects; `got` is what was asked for. */
function storeOf(objects: Readonly<Record<string, string>>, got: string[] = []): ObjectStore {
  const get = async (key: string): Promise<Readable> => {
    got.push(key);
    const body = objects[key];
    if (body === undefined) throw new ObjectStoreError('NotFound', `object ${key} does not exist`);
    return Readable.from([Buffer.from(body)]);
  };
  return { ...storeWith('', ''), get };
}

const dataSet = { name: 'train', uri: 'data://sales.csv', sha256: sha256Hex('sold') };
const located = (location: string, sha256 = dataSet.sha256) => [{ ...dataSet, location, sha256 }];

test('a data set is brought from where the operator found it, and recorded under its name', async () => {
  await fetchWith(located('s3://slipway/team-a/data/1/sales.csv'), storeOf(bytes));
  assert.equal(await read('train'), 'sold');
  const [digest] = JSON.parse(await read('.slipway/inputs.json'));
  assert.deepEqual(digest, { ...dataSet, size: 4 });
});

for (const location of [
  's3://slipway/team-b/data/1/sales.csv',
  's3://slipway/team-a/m/model.onnx',
  's3://elsewhere/team-a/data/1/sales.csv',
  's3://slipway/team-a/data/../../team-b/x',
  'https://example.com/x',
]) {
  test(`a data set that is said to lie at ${location} is refused`, async () => {
    await assert.rejects(fetchWith(located(location), storeOf(bytes)), { reason: 'InputUriNotAllowed' });
  });
}

test('a data set that nobody uploaded is InputNotFound, with the line that uploads it; one that changed is DigestMismatch', async () => {
  await assert.rejects(fetchWith([dataSet], storeOf(bytes)), {
    reason: 'InputNotFound',
    message: /no data set "sales\.csv" .* curl -T "sales\.csv" .*\/n\/team-a\/data\//,
  });
  const other = located('s3://slipway/team-a/data/1/sales.csv', 'c'.repeat(64));
  await assert.rejects(fetchWith(other, storeOf(bytes)), { reason: 'DigestMismatch' });
});

const file = (path: string, body: string) => ({ path, sha256: sha256Hex(body), size: body.length });
const files = [file('model.onnx', 'onnx'), file('sub/x', 'x')];
const reference = { namespace: 'team-a', uri: 's3://slipway/team-a/m', files, digest: artifactDigest(files) };

test('the models that gates compare with are brought, and not a second time by a start over', async () => {
  const got: string[] = [];
  const store = storeOf(bytes, got);
  await fetchWith([], store, { references: [reference] });
  assert.equal(await readFile(join(folder, 'references/0/model.onnx'), 'utf8'), 'onnx');
  assert.equal(await readFile(join(folder, 'references/0/sub/x'), 'utf8'), 'x');
  assert.equal(got.length, 2);
  await writeFile(join(folder, 'references/0/sub/x'), 'half');
  await fetchWith([], store, { references: [reference] });
  assert.deepEqual(got.slice(2), ['team-a/m/sub/x']);
});

test('a reference is brought only as it was proven, and only from its own namespace', async () => {
  const given = (over: object, objects = bytes as Record<string, string>) =>
    fetchWith([], storeOf(objects), { references: [{ ...reference, ...over }] });
  await assert.rejects(given({}, { ...bytes, 'team-a/m/model.onnx': 'evil' }), { reason: 'DigestMismatch' });
  await assert.rejects(given({}, { 'team-a/m/model.onnx': 'onnx' }), { reason: 'ArtifactMissing', message: /gate/ });
  await assert.rejects(given({ digest: 'e'.repeat(64) }), { reason: 'DigestMismatch' });
  await assert.rejects(given({ uri: 's3://slipway/team-b/m' }), { reason: 'InputUriNotAllowed' });
});

test('a version without a file that could be asked leaves an empty folder, for who asks to say so', async () => {
  await fetchWith([], storeOf({}), { references: [{ namespace: 'team-a', uri: reference.uri, files: [] }] });
  assert.deepEqual(await readdir(join(folder, 'references/0')), [FETCHED_FILE]);
});

test('what an earlier start brought is kept when its digest says that it is whole', async () => {
  const got: string[] = [];
  const input = one('s3://slipway/team-a/x.csv', sha256Hex('bytes'));
  await fetchWith(input, storeOf({ 'team-a/x.csv': 'bytes' }, got));
  await fetchWith(input, storeOf({ 'team-a/x.csv': 'bytes' }, got));
  assert.equal(got.length, 1);
});
