/** A tool that is built from a Go module. */
export interface Tool {
  readonly name: string;
  readonly version: string;
  readonly module: string;
  readonly moduleVersion: string;
  /** Binary name to package path inside or below the module. */
  readonly binaries: Readonly<Record<string, string>>;
  readonly linkerFlags?: string;
  /** Modules that the module's own go.mod replaces: a path pattern and the version to take instead. */
  readonly staging?: { readonly placeholder: string; readonly version: string };
  /** What a cold build takes on two cores, for people. */
  readonly takes: string;
}

const kubernetesVersion = '1.34.4';

const kubernetes = {
  version: kubernetesVersion,
  module: 'k8s.io/kubernetes',
  moduleVersion: `v${kubernetesVersion}`,
  staging: { placeholder: 'v0.0.0', version: `v0.${kubernetesVersion.slice(2)}` },
  linkerFlags: [
    `-X k8s.io/component-base/version.gitVersion=v${kubernetesVersion}`,
    '-X k8s.io/component-base/version.gitMajor=1',
    `-X k8s.io/component-base/version.gitMinor=${kubernetesVersion.split('.')[1]}`,
    `-X k8s.io/client-go/pkg/version.gitVersion=v${kubernetesVersion}`,
  ].join(' '),
} as const;

function kubernetesCommands(...names: readonly string[]): Record<string, string> {
  return Object.fromEntries(names.map((name) => [name, `k8s.io/kubernetes/cmd/${name}`]));
}

/** Every tool the clusters need, in the order in which they are worth building. */
export const tools = {
  kubernetes: {
    ...kubernetes,
    name: 'kubernetes',
    binaries: kubernetesCommands(
      'kube-apiserver',
      'kube-controller-manager',
      'kube-scheduler',
      'kubelet',
      'kube-proxy',
      'kubectl',
    ),
    takes: '5 minutes',
  },
  etcd: {
    name: 'etcd',
    version: '3.6.16',
    module: 'go.etcd.io/etcd/server/v3',
    moduleVersion: 'v3.6.16',
    binaries: { etcd: 'go.etcd.io/etcd/server/v3' },
    takes: '1 minute',
  },
  coredns: {
    name: 'coredns',
    version: '1.14.7',
    module: 'github.com/coredns/coredns',
    moduleVersion: 'v1.14.7',
    binaries: { coredns: 'github.com/coredns/coredns' },
    takes: '2 minutes',
  },
  helm: {
    name: 'helm',
    version: '4.3.1',
    module: 'helm.sh/helm/v4',
    moduleVersion: 'v4.3.1',
    binaries: { helm: 'helm.sh/helm/v4/cmd/helm' },
    takes: '2 minutes',
  },
  minio: {
    name: 'minio',
    version: '20260212',
    module: 'github.com/minio/minio',
    moduleVersion: 'v0.0.0-20260212201848-7aac2a2c5b7c',
    binaries: { minio: 'github.com/minio/minio' },
    takes: '3 minutes',
  },
  /** Built only when somebody asks for it: a HorizontalPodAutoscaler needs it, a cluster does not. */
  'metrics-server': {
    name: 'metrics-server',
    version: '0.7.2',
    module: 'sigs.k8s.io/metrics-server',
    moduleVersion: 'v0.7.2',
    binaries: { 'metrics-server': 'sigs.k8s.io/metrics-server/cmd/metrics-server' },
    takes: '3 minutes',
  },
  /** Only for clusters that bring their own control plane; the local cluster's kubectl comes with `kubernetes`. */
  kubectl: { ...kubernetes, name: 'kubectl', binaries: kubernetesCommands('kubectl'), takes: '2 minutes' },
} as const satisfies Record<string, Tool>;

/** The tools of the local cluster. */
export const localTools: readonly Tool[] = [tools.kubernetes, tools.etcd, tools.coredns, tools.helm, tools.minio];
