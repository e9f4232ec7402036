/** From a pod's token to its InferenceService, by real owners in the cluster in use and the operator's own cache. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Deployment } from '../../operator/src/api/deployment.ts';
import type { Kind, KubeObject } from '../../operator/src/api/meta.ts';
import { Pod } from '../../operator/src/api/pod.ts';
import { createCallers } from '../../operator/src/control/callers.ts';
import { InferenceService } from '../../operator/src/controllers/inference-service/api.ts';
import { callerAccess } from '../../operator/src/kube/callers.ts';
import { openCluster } from '../../operator/src/kube/cluster.ts';
import { loadKubeConfig } from '../../operator/src/kube/kubeconfig.ts';
import { openTransport } from '../../operator/src/kube/transport.ts';
import { eventually } from '../support/eventually.ts';
import { dropNamespace, kubectl, kubectlJson, makeNamespace, uniqueNamespace } from '../support/kubectl.ts';

const namespace = uniqueNamespace('control-callers');
const transport = openTransport(loadKubeConfig(), { userAgent: 'slipway-test' });
const now = () => new Date();
const silent = { debug() {}, info() {}, warn() {}, error() {} };
const cluster = openCluster({
  ...{ transport, namespaces: [namespace], onChange() {}, assertLeading() {}, instance: 'test', log: silent, now },
  kinds: [Pod, Deployment, InferenceService] as unknown as Kind<KubeObject>[],
});
const callerOf = createCallers({ ...callerAccess(transport), kube: () => cluster.kube, now });

const create = (object: object): string =>
  kubectl(['create', '-n', namespace, '-f', '-'], { input: JSON.stringify(object) });
const uidOf = (object: string): string =>
  kubectlJson<{ metadata: { uid: string } }>('get', object, '-n', namespace).metadata.uid;
const tokenOf = (pod: string): string => {
  const bound = ['--audience=slipway', '--bound-object-kind=Pod', `--bound-object-name=${pod}`];
  return kubectl(['create', 'token', 'default', '-n', namespace, ...bound]).trim();
};

const managed = { 'app.kubernetes.io/managed-by': 'slipway' };
const security = {
  allowPrivilegeEscalation: false,
  capabilities: { drop: ['ALL'] },
  runAsNonRoot: true,
  seccompProfile: { type: 'RuntimeDefault' },
};
/** Pods that no scheduler takes: who they belong to is all that matters. */
const podSpec = {
  schedulerName: 'nobody',
  containers: [{ name: 'server', image: 'slipway/serving:dev', securityContext: security }],
};
const deployment = (name: string, ownerReferences: object[] = []) => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name, labels: managed, ownerReferences },
  spec: {
    selector: { matchLabels: { app: name } },
    template: { metadata: { labels: { ...managed, app: name } }, spec: podSpec },
  },
});
/** The name of the pod the Deployment has made, once it is in the cache. */
const podOf = (app: string): Promise<string> =>
  eventually(() => {
    const [pod] = cluster.kube.list(Pod, { namespace, labels: { app } });
    if (!pod) throw new Error(`${app} has no pod yet`);
    return pod.metadata.name;
  });

before(async () => {
  makeNamespace(namespace);
  await eventually(() => uidOf('serviceaccount/default'));
  const apiVersion = 'slipway.dev/v1alpha1';
  // Of a model without versions nothing is made, so an operator that is installed leaves the Deployment alone.
  create({ apiVersion, kind: 'InferenceService', metadata: { name: 'iris' }, spec: { model: 'nothing' } });
  const uid = uidOf('infsvc/iris');
  create(deployment('server', [{ apiVersion, kind: 'InferenceService', name: 'iris', uid, controller: true }]));
  create(deployment('lookalike'));
  cluster.start();
});
after(async () => {
  await cluster.stop();
  dropNamespace(namespace);
  transport.close();
});

test('the token of a pod leads to the InferenceService that made it', async () => {
  const service = await callerOf(tokenOf(await podOf('server')));
  assert.deepEqual([service.metadata.name, service.metadata.uid], ['iris', uidOf('infsvc/iris')]);
});

test('a pod with all the labels but other owners is nobody’s', async () => {
  const token = tokenOf(await podOf('lookalike'));
  await assert.rejects(callerOf(token), { status: 403, message: /is not a pod of an InferenceService/ });
});
