/**
 * The metrics API that a HorizontalPodAutoscaler asks for CPU. A cluster comes without it; who needs it asks for it, and
 * pays for building it once. On a cluster of ours and on kind: the user's own has its own, or none.
 */
import { copyFile, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { ensureBuilt, folderOf } from './binaries.ts';
import { buildImage, type Engine, imageId } from './docker.ts';
import { eventually, run, succeeds } from './exec.ts';
import type { Paths } from './paths.ts';
import { say, step } from './progress.ts';
import { tools } from './tools.ts';

const image = `slipway/metrics-server:${tools['metrics-server'].version}`;
const rbac = 'rbac.authorization.k8s.io';
const labels = { 'k8s-app': 'metrics-server' };
const metadata = { name: 'metrics-server', namespace: 'kube-system', labels };
const account = { kind: 'ServiceAccount', name: 'metrics-server', namespace: 'kube-system' };

const container = {
  name: 'metrics-server',
  image,
  imagePullPolicy: 'IfNotPresent',
  args: [
    '--cert-dir=/tmp',
    '--secure-port=10250',
    '--kubelet-preferred-address-types=InternalIP',
    '--kubelet-use-node-status-port',
    // The kubelets of these clusters sign their certificates themselves.
    '--kubelet-insecure-tls',
    '--metric-resolution=10s',
    '--kubelet-request-timeout=5s',
  ],
  ports: [{ name: 'https', containerPort: 10250 }],
  resources: { requests: { cpu: '10m', memory: '32Mi' }, limits: { memory: '256Mi' } },
  readinessProbe: { httpGet: { path: '/readyz', port: 'https', scheme: 'HTTPS' }, periodSeconds: 2 },
  securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] }, readOnlyRootFilesystem: true },
  volumeMounts: [{ name: 'tmp', mountPath: '/tmp' }],
};

const podSpec = {
  serviceAccountName: 'metrics-server',
  securityContext: { runAsNonRoot: true, runAsUser: 65532, seccompProfile: { type: 'RuntimeDefault' } },
  containers: [container],
  volumes: [{ name: 'tmp', emptyDir: {} }],
};

const binding = (kind: 'ClusterRoleBinding' | 'RoleBinding', name: string, role: string, roleKind = 'ClusterRole') => ({
  apiVersion: `${rbac}/v1`,
  kind,
  metadata: { name, ...(kind === 'RoleBinding' && { namespace: 'kube-system' }) },
  roleRef: { apiGroup: rbac, kind: roleKind, name: role },
  subjects: [account],
});

/** What `kubectl apply` makes of it: as its project publishes it, with our image. */
export const metricsServer: readonly object[] = [
  { apiVersion: 'v1', kind: 'ServiceAccount', metadata },
  {
    apiVersion: `${rbac}/v1`,
    kind: 'ClusterRole',
    metadata: { name: 'system:metrics-server' },
    rules: [
      { apiGroups: [''], resources: ['nodes/metrics'], verbs: ['get'] },
      { apiGroups: [''], resources: ['pods', 'nodes'], verbs: ['get', 'list', 'watch'] },
    ],
  },
  binding('ClusterRoleBinding', 'system:metrics-server', 'system:metrics-server'),
  binding('ClusterRoleBinding', 'metrics-server:system:auth-delegator', 'system:auth-delegator'),
  binding('RoleBinding', 'metrics-server-auth-reader', 'extension-apiserver-authentication-reader', 'Role'),
  {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata,
    spec: { replicas: 1, selector: { matchLabels: labels }, template: { metadata: { labels }, spec: podSpec } },
  },
  {
    apiVersion: 'v1',
    kind: 'Service',
    metadata,
    spec: { selector: labels, ports: [{ name: 'https', port: 443, targetPort: 'https' }] },
  },
  {
    apiVersion: 'apiregistration.k8s.io/v1',
    kind: 'APIService',
    metadata: { name: 'v1beta1.metrics.k8s.io' },
    spec: {
      group: 'metrics.k8s.io',
      version: 'v1beta1',
      service: { name: 'metrics-server', namespace: 'kube-system' },
      insecureSkipTLSVerify: true,
      groupPriorityMinimum: 100,
      versionPriority: 100,
    },
  },
];

/** How the commands reach the cluster in use. */
type Env = Readonly<Record<string, string>>;

const answers = (env: Env): Promise<boolean> =>
  succeeds('kubectl', ['get', '--raw', '/apis/metrics.k8s.io/v1beta1/nodes'], { env, timeoutMs: 15_000 });

async function buildServer(paths: Paths, engine: Engine): Promise<void> {
  if ((await imageId(engine, image)) !== undefined) return;
  await ensureBuilt(paths, tools['metrics-server']);
  await mkdir(paths.images, { recursive: true });
  const context = await mkdtemp(`${paths.images}/.context-`);
  try {
    const dockerfile = fileURLToPath(new URL('images/metrics-server/Dockerfile', import.meta.url));
    await copyFile(dockerfile, `${context}/Dockerfile`);
    await copyFile(`${folderOf(paths, tools['metrics-server'])}/metrics-server`, `${context}/metrics-server`);
    await step(`image ${image}`, () => buildImage(engine, image, context));
  } finally {
    await rm(context, { recursive: true, force: true });
  }
}

/** Makes the metrics API answer in the cluster in use; `load` gives that cluster images. */
export async function metricsUp(
  paths: Paths,
  engine: Engine,
  { env, load }: { readonly env: Env; readonly load: (images: readonly string[]) => Promise<void> },
): Promise<void> {
  if (await answers(env)) return say('the metrics API answers');
  await buildServer(paths, engine);
  await load([image]);
  const list = { apiVersion: 'v1', kind: 'List', items: metricsServer };
  await run('kubectl', ['apply', '--server-side', '--force-conflicts', '-f', '-'], {
    env,
    input: JSON.stringify(list),
  });
  const isUp = await step('metrics API answers', () => eventually(() => answers(env), 120_000, 1_000));
  if (!isUp) throw new Error('the metrics API does not answer: kubectl describe apiservice v1beta1.metrics.k8s.io');
}
