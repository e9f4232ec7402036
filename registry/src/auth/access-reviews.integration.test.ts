/** Against the API server of the cluster in use. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { dropNamespace, kubectl, makeNamespace } from '../../../test/support/kubectl.ts';
import { accessReviews } from './access-reviews.ts';
import { clusterConfig } from './cluster.ts';

const namespace = 'registry-access-reviews';
const tokens: Record<string, string> = {};
before(() => {
  makeNamespace(namespace);
  for (const account of ['viewer', 'editor', 'stranger']) {
    kubectl(['create', 'serviceaccount', account, '-n', namespace]);
    tokens[account] = kubectl(['create', 'token', account, '-n', namespace]).trim();
  }
  for (const [name, verbs] of [
    ['viewer', ['get', 'list']],
    ['editor', ['get', 'update']],
  ] as const) {
    const rules = [{ apiGroups: ['slipway.dev'], resources: ['modelversions'], verbs }];
    kubectl(['create', 'role', name, '-n', namespace, '--verb=get', '--resource=pods']);
    kubectl(['patch', 'role', name, '-n', namespace, '--type=merge', '-p', JSON.stringify({ rules })]);
    kubectl([
      'create',
      'rolebinding',
      name,
      '-n',
      namespace,
      `--role=${name}`,
      `--serviceaccount=${namespace}:${name}`,
    ]);
  }
});
after(() => dropNamespace(namespace));

test('a token is known by its service account, which may do what it was given the right to, and only there', async () => {
  const reviews = accessReviews(clusterConfig());
  const rights = async (account: string, where = namespace) => {
    const user = await reviews.authenticate(tokens[account] ?? '');
    assert.equal(user?.username, `system:serviceaccount:${namespace}:${account}`);
    return [await reviews.may(user, 'get', where), await reviews.may(user, 'update', where)];
  };
  assert.deepEqual(await rights('viewer'), [true, false]);
  assert.deepEqual(await rights('editor'), [true, true]);
  assert.deepEqual(await rights('stranger'), [false, false]);
  assert.deepEqual(await rights('editor', 'default'), [false, false]);
});

test('a token that this cluster did not make is nobody’s', async () => {
  const reviews = accessReviews(clusterConfig());
  assert.equal(await reviews.authenticate('eyJhbGciOiJub25lIn0.e30.'), undefined);
  const forged = `${(tokens['viewer'] ?? '').slice(0, -8)}AAAAAAAA`;
  assert.equal(await reviews.authenticate(forged), undefined);
});
