import { Resolver } from 'node:dns/promises';
import { tools } from '../tools.ts';
import { addresses } from './addresses.ts';

const labels = { 'k8s-app': 'kube-dns' };
const metadata = { name: 'coredns', namespace: 'kube-system', labels };

/** Names in the cluster only: pods of the local cluster have no other name service to ask. */
const corefile = `.:5353 {
    errors
    health :8080 {
        lameduck 2s
    }
    ready :8181
    kubernetes cluster.local in-addr.arpa ip6.arpa {
        pods insecure
        fallthrough in-addr.arpa ip6.arpa
        ttl 5
    }
    cache 5
    reload
    loadbalance
}
`;

const container = {
  name: 'coredns',
  image: `slipway/coredns:${tools.coredns.version}`,
  imagePullPolicy: 'IfNotPresent',
  args: ['-conf', '/etc/coredns/Corefile'],
  ports: [
    { name: 'dns', containerPort: 5353, protocol: 'UDP' },
    { name: 'dns-tcp', containerPort: 5353, protocol: 'TCP' },
  ],
  resources: { requests: { cpu: '10m', memory: '32Mi' }, limits: { memory: '256Mi' } },
  readinessProbe: { httpGet: { path: '/ready', port: 8181 }, periodSeconds: 1 },
  livenessProbe: { httpGet: { path: '/health', port: 8080 }, initialDelaySeconds: 30 },
  securityContext: {
    allowPrivilegeEscalation: false,
    capabilities: { drop: ['ALL'] },
    readOnlyRootFilesystem: true,
  },
  volumeMounts: [{ name: 'config', mountPath: '/etc/coredns', readOnly: true }],
};

const podSpec = {
  serviceAccountName: 'coredns',
  priorityClassName: 'system-cluster-critical',
  // It must not ask itself.
  dnsPolicy: 'Default',
  tolerations: [{ operator: 'Exists' }],
  securityContext: { runAsNonRoot: true, runAsUser: 65532, seccompProfile: { type: 'RuntimeDefault' } },
  containers: [container],
  volumes: [{ name: 'config', configMap: { name: 'coredns' } }],
};

const rules = [
  { apiGroups: [''], resources: ['endpoints', 'services', 'pods', 'namespaces'], verbs: ['list', 'watch'] },
  { apiGroups: ['discovery.k8s.io'], resources: ['endpointslices'], verbs: ['list', 'watch'] },
];

const rbac = 'rbac.authorization.k8s.io';
const inSystem = '/namespaces/kube-system';

/** The cluster's name service, as API path to object. */
export const nameService: Readonly<Record<string, object>> = {
  [`/api/v1${inSystem}/serviceaccounts/coredns`]: { apiVersion: 'v1', kind: 'ServiceAccount', metadata },
  [`/apis/${rbac}/v1/clusterroles/coredns`]: {
    apiVersion: `${rbac}/v1`,
    kind: 'ClusterRole',
    metadata: { name: 'coredns' },
    rules,
  },
  [`/apis/${rbac}/v1/clusterrolebindings/coredns`]: {
    apiVersion: `${rbac}/v1`,
    kind: 'ClusterRoleBinding',
    metadata: { name: 'coredns' },
    roleRef: { apiGroup: rbac, kind: 'ClusterRole', name: 'coredns' },
    subjects: [{ kind: 'ServiceAccount', name: 'coredns', namespace: 'kube-system' }],
  },
  [`/api/v1${inSystem}/configmaps/coredns`]: {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata,
    data: { Corefile: corefile },
  },
  [`/apis/apps/v1${inSystem}/deployments/coredns`]: {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata,
    spec: { replicas: 1, selector: { matchLabels: labels }, template: { metadata: { labels }, spec: podSpec } },
  },
  [`/api/v1${inSystem}/services/kube-dns`]: {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { ...metadata, name: 'kube-dns' },
    spec: {
      clusterIP: addresses.dns,
      selector: labels,
      ports: [
        { name: 'dns', port: 53, protocol: 'UDP', targetPort: 5353 },
        { name: 'dns-tcp', port: 53, protocol: 'TCP', targetPort: 5353 },
      ],
    },
  },
};

/**
 * Whether a name of the cluster resolves through the name service's address. That is more than an answer about names:
 * the runtime, the pod network, the Service's translation and the API server must all do their part.
 */
export async function namesResolve(): Promise<boolean> {
  const resolver = new Resolver({ timeout: 1_000, tries: 1 });
  resolver.setServers([addresses.dns]);
  const found = await resolver.resolve4('kubernetes.default.svc.cluster.local').catch((): string[] => []);
  return found.includes(addresses.apiService);
}
