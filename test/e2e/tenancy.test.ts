/** The credentials in a namespace reach that namespace's objects and rows, and nobody else's. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { OBJECT_STORAGE_KEY, ObjectStorageAccess, POSTGRES_KEY, PostgresAccess } from '@slipway/contract';
import { connect } from '@slipway/database';
import { openObjectStore } from '@slipway/object-store';
import { get, waitForTrainedVersion } from '../support/conditions.ts';
import { RELEASE_NAMESPACE } from '../support/install.ts';
import { apply, dropNamespace, kubectl, makeNamespace, uniqueNamespace } from '../support/kubectl.ts';
import { irisTraining } from '../support/manifests.ts';
import { withPortForward } from '../support/port-forward.ts';
import { registryGet } from '../support/registry.ts';
import { secret } from '../support/secret.ts';

const [mine, theirs] = [uniqueNamespace('e2e-tenant-a'), uniqueNamespace('e2e-tenant-b')] as const;
before(async () => {
  for (const namespace of [mine, theirs]) {
    makeNamespace(namespace);
    apply(namespace, irisTraining('iris'));
  }
  for (const namespace of [mine, theirs]) await waitForTrainedVersion(namespace, 'iris');
});
after(() => {
  dropNamespace(mine);
  dropNamespace(theirs);
});

const keyOf = (namespace: string) => {
  const { uri } = get(namespace, 'mv/iris-v1').spec['source'] as { uri: string };
  return `${uri.replace(/^s3:\/\/[^/]+\//, '')}/model.onnx`;
};
const code = (attempt: Promise<unknown>) =>
  attempt.then(
    () => 'allowed',
    (error: { reason?: string; code?: string }) => error.reason ?? error.code ?? String(error),
  );

for (const name of ['slipway-tenant-fetch', 'slipway-tenant-publish']) {
  test(`${name}: objects of another namespace can be neither read nor written`, async () => {
    const access = ObjectStorageAccess.parse(JSON.parse(secret(mine, name)[OBJECT_STORAGE_KEY] ?? ''));
    await withPortForward(RELEASE_NAMESPACE, 'svc/slipway-minio', 9000, async (endpoint) => {
      const store = openObjectStore({ ...access, endpoint });
      const read = async (key: string) => (await store.get(key)).resume();
      assert.equal(await code(read(keyOf(mine))), 'allowed');
      assert.equal(await code(read(keyOf(theirs))), 'Denied');
      assert.equal(await code(store.put(`${theirs}/intruder`, Buffer.from('x'), 1)), 'Denied');
      const own = await code(store.put(`${mine}/own`, Buffer.from('x'), 1));
      assert.equal(own, name === 'slipway-tenant-publish' ? 'allowed' : 'Denied');
    });
  });
}

test('rows of another namespace can be neither seen nor published to', async () => {
  const access = PostgresAccess.parse(JSON.parse(secret(mine, 'slipway-tenant-publish')[POSTGRES_KEY] ?? ''));
  const runKeyOf = (namespace: string): string => get(namespace, 'tj/iris').status.runs[0].runKey;
  await withPortForward(RELEASE_NAMESPACE, 'svc/slipway-postgres', 5432, async (url) => {
    const pool = connect({ ...access, host: '127.0.0.1', port: Number(new URL(url).port) }, { applicationName: 'e2e' });
    const publish = (runKey: string) => {
      const request = { runKey, endTime: 0, metrics: [], params: {} };
      return pool.query('select slipway.publish_run($1::jsonb) as result', [JSON.stringify(request)]);
    };
    try {
      // The same call for its own run is answered: what follows is refused for whose it is, not for how it is said.
      const own = await publish(runKeyOf(mine));
      assert.deepEqual(own.rows[0].result, { version: 1, alreadyPublished: true });
      await assert.rejects(publish(runKeyOf(theirs)), { code: 'SL002' });
      await assert.rejects(pool.query(`update slipway.runs set status = 'FAILED'`), { code: '42501' });
      await assert.rejects(pool.query('create table slipway.mine (x int)'), { code: '42501' });
      const seen = await pool.query('select 1 from slipway.runs where namespace = $1', [theirs]).then(
        ({ rowCount }) => rowCount,
        (error: { code?: string }) => error.code,
      );
      assert.ok(seen === 0 || seen === '42501', `${seen}`);
    } finally {
      await pool.end();
    }
  });
});

test('the registry answers nobody without a token, and shows a namespace only to who may see it', async () => {
  const path = `/api/v1/namespaces/${mine}/models`;
  assert.equal((await registryGet(path, '')).status, 401);
  kubectl(['create', 'serviceaccount', 'stranger', '-n', theirs]);
  const stranger = kubectl(['create', 'token', 'stranger', '-n', theirs]).trim();
  assert.equal((await registryGet(path, stranger)).status, 403);
  assert.equal((await registryGet(path)).status, 200);
});

/** `kubectl auth can-i` exits with 1 for a "no"; the answer is what is asked for. */
const mayOperator = (verb: string, resource: string) => {
  const operator = `system:serviceaccount:${RELEASE_NAMESPACE}:slipway-operator`;
  try {
    return kubectl(['auth', 'can-i', verb, resource, '-n', mine, `--as=${operator}`]).trim();
  } catch {
    return 'no';
  }
};

test('the operator can write the three Secrets and read none, and cannot enter a pod', () => {
  for (const name of ['slipway-tenant-fetch', 'slipway-tenant-publish', 'slipway-tenant-predictions']) {
    for (const verb of ['create', 'patch', 'delete'])
      assert.equal(mayOperator(verb, `secrets/${name}`), 'yes', `${verb} ${name}`);
  }
  assert.equal(mayOperator('create', 'secrets/anything-else'), 'no');
  for (const verb of ['get', 'list', 'watch']) assert.equal(mayOperator(verb, 'secrets'), 'no', verb);
  assert.equal(mayOperator('create', 'pods/exec'), 'no');
  assert.equal(mayOperator('create', 'pods'), 'no');
});
