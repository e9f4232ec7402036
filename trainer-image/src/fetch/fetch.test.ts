import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterEach, beforeEach, test } from 'node:test';
import { type FetchInputs, sha256Hex } from '@slipway/contract';
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

async function fetchWith(inputs: FetchInputs['inputs'], store = storeWith('team-a/x.csv', 'bytes')) {
  let time = 0;
  const lines: string[] = [];
  const log = (_level: string, message: string) => void lines.push(message);
  await fetchInputs(
    { namespace: 'team-a', parameters: { C: '1.0' }, inputs },
    {
      inputDir: join(folder, 'input'),
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
  'https://example.com/x.csv',
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
      message: /expected s3:\/\/.*\/team-a\/<key>, configmap:\/\/.* builtin:\/\/iris\.csv/,
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
