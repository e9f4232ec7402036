/** The way of a model through this image, against a real object store and with a tenant's own credential. */
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, type TestContext, test } from 'node:test';
import { artifactDigest, OBJECT_STORAGE_KEY, type ObjectStorageAccess } from '@slipway/contract';
import { assumeTenantRole, openObjectStore, readonlyPolicy } from '@slipway/object-store';
import { startMinio, type TestMinio } from '../../object-store/testing/minio.ts';
import { startTcpProxy } from '../../object-store/testing/tcp-proxy.ts';
import { fileEntry, filesOf, temporaryFolder } from './folder.ts';
import { iris, irisRow } from './models.ts';
import { type Program, run } from './program.ts';

const PREFIX = 'team-a/1/run/artifacts/attempt/model';
const contents = filesOf(iris);
const files = Object.entries(contents).map(([path, content]) => fileEntry(path, content));

let minio: TestMinio;
let admin: ObjectStorageAccess;
let tenant: ObjectStorageAccess;

before(async () => {
  minio = await startMinio();
  admin = await minio.freshBucket();
  const store = openObjectStore(admin);
  for (const [path, content] of Object.entries(contents)) {
    await store.put(`${PREFIX}/${path}`, content, content.length);
    await store.put(`team-b/model/${path}`, content, content.length);
  }
  const policy = readonlyPolicy(admin.bucket, 'team-a');
  const { expiration: _, ...access } = await assumeTenantRole(admin, { policy, durationSeconds: 900 });
  tenant = access;
});
after(() => minio?.stop());

interface Fetching extends Program {
  readonly dir: string;
}

async function fetching(t: TestContext, artifact: object, access: ObjectStorageAccess = tenant): Promise<Fetching> {
  const [dir, credentials] = await Promise.all([temporaryFolder(t), temporaryFolder(t)]);
  await writeFile(join(credentials, OBJECT_STORAGE_KEY), JSON.stringify(access));
  const env = { MODEL_DIR: dir, CREDENTIALS_DIR: credentials, MODEL_ARTIFACT: JSON.stringify(artifact) };
  return { dir, ...(await run(t, 'fetch', env)) };
}

const registered = () => ({
  namespace: 'team-a',
  uri: `s3://${admin.bucket}/${PREFIX}`,
  files,
  digest: artifactDigest(files),
});

test('a registered model is fetched, verified and served', async (t) => {
  const artifact = registered();
  const fetched = await fetching(t, artifact);
  assert.equal((await fetched.ended).code, 0, fetched.log());
  const env = { MODEL_DIR: fetched.dir, MODEL_ARTIFACT: JSON.stringify(artifact) };
  const verified = await run(t, 'verify', env);
  assert.equal((await verified.ended).code, 0, verified.log());
  const server = await run(t, 'serve', {
    ...env,
    HOST: '127.0.0.1',
    PORT: '0',
    MODEL_NAME: 'iris',
    MODEL_VERSION: '1',
  });
  const { port } = await server.logged('listening');
  await server.logged('ready');
  const response = await fetch(`http://127.0.0.1:${port}/predict`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ samples: [irisRow([5.1, 3.5, 1.4, 0.2])] }),
  });
  assert.deepEqual(await response.json(), { class_id: [0], class_label: ['setosa'] });
});

test('a brought folder, of which nothing is known, is fetched and then verified with its files', async (t) => {
  const artifact = { namespace: 'team-a', uri: `s3://${admin.bucket}/${PREFIX}` };
  const fetched = await fetching(t, artifact);
  assert.equal((await fetched.ended).code, 0, fetched.log());
  const verified = await run(t, 'verify', { MODEL_DIR: fetched.dir, MODEL_ARTIFACT: JSON.stringify(artifact) });
  assert.equal((await verified.ended).code, 0, verified.log());
  const report = await verified.termination();
  assert.ok(report?.reason === 'Verified');
  assert.equal(report.digest, artifactDigest(files));
  assert.equal(report.files?.length, files.length);
});

test('a store that is away is waited for, one log line per try, and nothing is lost', async (t) => {
  const { hostname, port } = new URL(admin.endpoint);
  const proxy = await startTcpProxy(hostname, Number(port));
  t.after(() => proxy.stop());
  proxy.shut();
  const fetched = await fetching(t, registered(), { ...tenant, endpoint: `http://127.0.0.1:${proxy.port}` });
  await fetched.logged('object storage is away, trying again');
  proxy.open();
  assert.equal((await fetched.ended).code, 0, fetched.log());
});

test('another tenant is out of reach, by our own rule and by the credential', async (t) => {
  const foreign = { ...registered(), uri: `s3://${admin.bucket}/team-b/model` };
  const refused = await fetching(t, foreign);
  assert.equal((await refused.ended).code, 65);
  assert.equal((await refused.termination())?.reason, 'InputUriNotAllowed');
  const denied = await fetching(t, { ...foreign, namespace: 'team-b' });
  assert.equal((await denied.ended).code, 75);
  assert.equal((await denied.termination())?.reason, 'ObjectStorageDenied');
  assert.ok(!denied.log().includes(tenant.secretKey));
});

test('credentials that are none are named without being shown', async (t) => {
  const program = await fetching(t, registered(), { ...tenant, endpoint: 'file:///etc/passwd' });
  assert.equal((await program.ended).code, 65);
  assert.match((await program.termination())?.message ?? '', /object-storage\.json: endpoint/);
  assert.ok(!program.log().includes(tenant.secretKey));
});
