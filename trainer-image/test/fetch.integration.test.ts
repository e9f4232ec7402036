import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { type ObjectStorageAccess, sha256Hex } from '@slipway/contract';
import { assumeTenantRole, openObjectStore, readonlyPolicy } from '@slipway/object-store';
import { startMinio, type TestMinio } from '../../object-store/testing/minio.ts';
import { runFetch } from '../src/fetch/run.ts';
import { createLog } from '../src/log.ts';

let minio: TestMinio;
let admin: ObjectStorageAccess;
let folder: string;

before(async () => {
  minio = await startMinio();
  admin = await minio.freshBucket();
  folder = await mkdtemp(join(tmpdir(), 'slipway-fetch-'));
  await mkdir(join(folder, 'input'));
  const store = openObjectStore(admin);
  for (const key of ['team-a/data/train.csv', 'team-b/train.csv']) await store.put(key, Buffer.from('a,b\n1,x\n'), 8);
});
after(async () => {
  await minio?.stop();
  await rm(folder, { recursive: true, force: true });
});

/** Runs `fetch` with the credentials a pod of team-a has, changed by `over`. */
async function fetchInput(uri: string, sha256?: string, over: Partial<ObjectStorageAccess> = {}): Promise<string[]> {
  const policy = readonlyPolicy(over.bucket ?? admin.bucket, 'team-a');
  const { expiration: _, ...limited } = await assumeTenantRole(admin, { policy, durationSeconds: 900 });
  await writeFile(join(folder, 'object-storage.json'), JSON.stringify({ ...limited, ...over }));
  const lines: string[] = [];
  await runFetch(
    createLog('fetch', (line) => lines.push(line)),
    {
      FETCH_INPUTS: JSON.stringify({ namespace: 'team-a', parameters: {}, inputs: [{ name: 'train', uri, sha256 }] }),
      INPUT_DIR: join(folder, 'input'),
      CREDENTIALS_DIR: folder,
      FETCH_DEADLINE_SECONDS: '2',
      DENIED_GRACE_SECONDS: '1',
    },
  );
  return lines;
}

test("an object below the tenant's prefix is brought with its digest", async () => {
  await fetchInput(`s3://${admin.bucket}/team-a/data/train.csv`, sha256Hex('a,b\n1,x\n'));
  assert.equal(await readFile(join(folder, 'input/train'), 'utf8'), 'a,b\n1,x\n');
  const [digest] = JSON.parse(await readFile(join(folder, 'input/.slipway/inputs.json'), 'utf8'));
  assert.equal(digest.sha256, sha256Hex('a,b\n1,x\n'));
});

test('every way to fail has its own reason', async () => {
  const uri = `s3://${admin.bucket}/team-a/data/train.csv`;
  await assert.rejects(fetchInput(uri, 'b'.repeat(64)), { reason: 'DigestMismatch' });
  await assert.rejects(fetchInput(`s3://${admin.bucket}/team-a/nothing.csv`), { reason: 'InputNotFound' });
  await assert.rejects(fetchInput(`s3://${admin.bucket}/team-b/train.csv`), { reason: 'InputUriNotAllowed' });
  await assert.rejects(fetchInput(uri, undefined, { secretKey: 'wrong-wrong' }), { reason: 'ObjectStorageDenied' });
  await assert.rejects(fetchInput('s3://slipway-test-gone/team-a/x', undefined, { bucket: 'slipway-test-gone' }), {
    reason: 'BucketMissing',
    message: /create it, or correct objectStorage\.bucket/,
  });
  await assert.rejects(fetchInput(uri, undefined, { endpoint: 'http://127.0.0.1:1' }), {
    reason: 'ObjectStorageUnavailable',
  });
});
