/** Against the API server of the cluster in use. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { dropNamespace, kubectl, makeNamespace } from '../../../test/support/kubectl.ts';
import { accessReviews, clusterConfig } from './access-reviews.ts';

const namespace = 'registry-access-reviews';
const tokens: Record<string, string> = {};
before(() => {
  makeNamespace(namespace);
  for (const account of ['viewer', 'stranger']) {
    kubectl(['create', 'serviceaccount', account, '-n', namespace]);
    tokens[account] = kubectl(['create', 'token', account, '-n', namespace]).trim();
  }
  kubectl(['create', 'role', 'view', '-n', namespace, '--verb=get', '--resource=pods']);
  const rules = [{ apiGroups: ['slipway.dev'], resources: ['modelversions'], verbs: ['get', 'list'] }];
  kubectl(['patch', 'role', 'view', '-n', namespace, '--type=merge', '-p', JSON.stringify({ rules })]);
  kubectl(['create', 'rolebinding', 'view', '-n', namespace, '--role=view', `--serviceaccount=${namespace}:viewer`]);
});
after(() => dropNamespace(namespace));

test('a token is known by its service account, which may read where it was given the right, and only there', async () => {
  const reviews = accessReviews(clusterConfig());
  const viewer = await reviews.authenticate(tokens['viewer'] ?? '');
  const stranger = await reviews.authenticate(tokens['stranger'] ?? '');
  assert.equal(viewer?.username, `system:serviceaccount:${namespace}:viewer`);
  assert.ok(viewer && stranger);
  assert.equal(await reviews.mayRead(viewer, namespace), true);
  assert.equal(await reviews.mayRead(viewer, 'default'), false);
  assert.equal(await reviews.mayRead(stranger, namespace), false);
});

test('a token that this cluster did not make is nobody’s', async () => {
  const reviews = accessReviews(clusterConfig());
  assert.equal(await reviews.authenticate('eyJhbGciOiJub25lIn0.e30.'), undefined);
  const forged = `${(tokens['viewer'] ?? '').slice(0, -8)}AAAAAAAA`;
  assert.equal(await reviews.authenticate(forged), undefined);
});
