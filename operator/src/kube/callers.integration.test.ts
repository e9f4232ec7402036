/** Against the API server of the cluster in use: whose a projected token is, and which Deployment a ReplicaSet is of. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { eventually } from '../../../test/support/eventually.ts';
import { dropNamespace, kubectl, kubectlJson, makeNamespace, uniqueNamespace } from '../../../test/support/kubectl.ts';
import { callerAccess } from './callers.ts';
import { loadKubeConfig } from './kubeconfig.ts';
import { openTransport } from './transport.ts';

const namespace = uniqueNamespace('callers');
const transport = openTransport(loadKubeConfig(), { userAgent: 'slipway-test' });
const { holderOf, deploymentOf } = callerAccess(transport);

const create = (object: object): string =>
  kubectl(['create', '-n', namespace, '-f', '-'], { input: JSON.stringify(object) });
const uidOf = (object: string): string =>
  kubectlJson<{ metadata: { uid: string } }>('get', object, '-n', namespace).metadata.uid;

const security = {
  allowPrivilegeEscalation: false,
  capabilities: { drop: ['ALL'] },
  runAsNonRoot: true,
  seccompProfile: { type: 'RuntimeDefault' },
};
const containers = [{ name: 'server', image: 'slipway/serving:dev', securityContext: security }];

before(async () => {
  makeNamespace(namespace);
  await eventually(() => uidOf('serviceaccount/default'));
  // Nobody schedules it: a token can be bound to it all the same.
  create({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'server' },
    spec: { schedulerName: 'nobody', containers },
  });
});
after(() => {
  dropNamespace(namespace);
  transport.close();
});

/** A token as the kubelet asks for it. */
const token = (audience: string, ...bound: string[]): string =>
  kubectl(['create', 'token', 'default', '-n', namespace, `--audience=${audience}`, ...bound]).trim();

test('a token of a pod names that very pod, and is good for its audience only', async () => {
  const bound = ['--bound-object-kind=Pod', '--bound-object-name=server'];
  assert.deepEqual(await holderOf(token('slipway', ...bound), 'slipway'), {
    username: `system:serviceaccount:${namespace}:default`,
    pod: { namespace, name: 'server', uid: uidOf('pod/server') },
  });
  assert.equal(await holderOf(token('something-else', ...bound), 'slipway'), undefined);
  const forTheApiServer = kubectl(['create', 'token', 'default', '-n', namespace, ...bound]).trim();
  assert.equal(await holderOf(forTheApiServer, 'slipway'), undefined);
});

test('a token that is bound to no pod names none; a forged one is nobody’s', async () => {
  const free = token('slipway');
  assert.deepEqual(await holderOf(free, 'slipway'), { username: `system:serviceaccount:${namespace}:default` });
  assert.equal(await holderOf(`${free.slice(0, -8)}AAAAAAAA`, 'slipway'), undefined);
  assert.equal(await holderOf('nonsense', 'slipway'), undefined);
});

test('the token of a pod ends with the pod', async () => {
  create({ apiVersion: 'v1', kind: 'Pod', metadata: { name: 'short' }, spec: { schedulerName: 'nobody', containers } });
  const bound = token('slipway', '--bound-object-kind=Pod', '--bound-object-name=short');
  assert.ok(await holderOf(bound, 'slipway'));
  kubectl(['delete', 'pod/short', '-n', namespace, '--grace-period=0', '--force']);
  // The API server remembers what it found out for some seconds.
  await eventually(async () => assert.equal(await holderOf(bound, 'slipway'), undefined), 60_000, 1_000);
});

test('a ReplicaSet leads to its Deployment; another of its name, or one that is gone, does not', async () => {
  const labels = { app: 'server' };
  create({
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'server' },
    spec: { replicas: 0, selector: { matchLabels: labels }, template: { metadata: { labels }, spec: { containers } } },
  });
  const replicaSet = await eventually(() => {
    const { items } = kubectlJson<{ items: { metadata: { name: string; uid: string } }[] }>(
      'get',
      'rs',
      '-n',
      namespace,
    );
    const [found] = items;
    if (!found) throw new Error('there is no ReplicaSet yet');
    return found.metadata;
  });
  const { name, uid } = replicaSet;
  assert.deepEqual(await deploymentOf(namespace, { name, uid }), { name: 'server', uid: uidOf('deployment/server') });
  assert.equal(await deploymentOf(namespace, { name, uid: 'earlier' }), undefined);
  assert.equal(await deploymentOf(namespace, { name: 'gone', uid }), undefined);
});
