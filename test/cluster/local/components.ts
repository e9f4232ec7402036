import { fileURLToPath } from 'node:url';
import type { Daemon } from '../daemon.ts';
import type { Paths } from '../paths.ts';
import { addresses } from './addresses.ts';
import { FRONT_PROXY } from './certificates.ts';

/** Every file that a component reads at its start, by name below the configuration folder. */
export function componentFiles(paths: Paths, bridgeIsFiltered: boolean): Readonly<Record<string, string>> {
  const text = (value: unknown): string => `${JSON.stringify(value, null, 2)}\n`;
  return {
    'kubelet.json': text(kubeletConfig(paths)),
    'kube-proxy.json': text(kubeProxyConfig(paths, bridgeIsFiltered)),
  };
}

function kubeletConfig(paths: Paths): object {
  return {
    apiVersion: 'kubelet.config.k8s.io/v1beta1',
    kind: 'KubeletConfiguration',
    address: addresses.node,
    readOnlyPort: 0,
    authentication: {
      anonymous: { enabled: false },
      webhook: { enabled: true },
      x509: { clientCAFile: `${paths.pki}/ca.crt` },
    },
    authorization: { mode: 'Webhook' },
    clusterDNS: [addresses.dns],
    clusterDomain: 'cluster.local',
    containerRuntimeEndpoint: `unix://${paths.containerdSocket}`,
    resolvConf: '/dev/null',
    podLogsDir: paths.podLogs,
    volumePluginDir: `${paths.kubelet}/volume-plugins`,
    maxPods: 200,
    // Looks often, so that a new node is Ready soon; reports only what changed.
    nodeStatusUpdateFrequency: '1s',
    nodeStatusReportFrequency: '5m',
    serializeImagePulls: false,
    kubeAPIQPS: 200,
    kubeAPIBurst: 400,
    // What a container or a small machine allows: no limits on the node's own daemons, no negative scores.
    cgroupDriver: 'cgroupfs',
    cgroupsPerQOS: false,
    enforceNodeAllocatable: [],
    failSwapOn: false,
    failCgroupV1: false,
    oomScoreAdj: 0,
    // Images come from this machine and could not be fetched again; a full disk must not delete them.
    evictionHard: { 'memory.available': '1Mi' },
    imageGCHighThresholdPercent: 100,
    imageGCLowThresholdPercent: 99,
    // In 1.34 a pod that is deleted by force while it starts can make this feature end the kubelet (nil pointer in
    // doPodResizeAction).
    featureGates: { InPlacePodVerticalScaling: false },
  };
}

function kubeProxyConfig(paths: Paths, bridgeIsFiltered: boolean): object {
  return {
    apiVersion: 'kubeproxy.config.k8s.io/v1alpha1',
    kind: 'KubeProxyConfiguration',
    hostnameOverride: addresses.nodeName,
    clientConnection: { kubeconfig: `${paths.config}/kube-proxy.kubeconfig` },
    clusterCIDR: addresses.pods,
    mode: 'iptables',
    // A bridge that iptables does not see answers pods directly, past the translation of the Service's address;
    // masquerading leads the answer back through the node.
    iptables: { masqueradeAll: !bridgeIsFiltered, minSyncPeriod: '100ms' },
    oomScoreAdj: 0,
    conntrack: { maxPerCore: 0, min: 0, tcpEstablishedTimeout: '0s', tcpCloseWaitTimeout: '0s' },
  };
}

function etcd(paths: Paths, binary: string): Daemon {
  return {
    name: 'etcd',
    command: binary,
    args: [
      '--name=slipway',
      `--data-dir=${paths.etcd}`,
      `--listen-client-urls=${addresses.etcdClient}`,
      `--advertise-client-urls=${addresses.etcdClient}`,
      `--listen-peer-urls=${addresses.etcdPeer}`,
      `--initial-advertise-peer-urls=${addresses.etcdPeer}`,
      `--initial-cluster=slipway=${addresses.etcdPeer}`,
      // A cluster for tests: speed matters more than what a power cut leaves.
      '--unsafe-no-fsync',
      '--log-level=warn',
    ],
  };
}

function apiServer(paths: Paths, binary: string): Daemon {
  const pki = paths.pki;
  return {
    name: 'kube-apiserver',
    command: binary,
    args: [
      `--etcd-servers=${addresses.etcdClient}`,
      `--bind-address=${addresses.node}`,
      `--advertise-address=${addresses.node}`,
      '--secure-port=6443',
      `--service-cluster-ip-range=${addresses.services}`,
      '--authorization-mode=Node,RBAC',
      '--enable-admission-plugins=NodeRestriction',
      '--allow-privileged=true',
      '--kubelet-preferred-address-types=InternalIP',
      `--client-ca-file=${pki}/ca.crt`,
      `--tls-cert-file=${pki}/apiserver.crt`,
      `--tls-private-key-file=${pki}/apiserver.key`,
      `--kubelet-client-certificate=${pki}/apiserver-kubelet-client.crt`,
      `--kubelet-client-key=${pki}/apiserver-kubelet-client.key`,
      // What it passes on to the server of an aggregated API says who asked.
      `--requestheader-client-ca-file=${pki}/ca.crt`,
      `--requestheader-allowed-names=${FRONT_PROXY}`,
      '--requestheader-username-headers=X-Remote-User',
      '--requestheader-group-headers=X-Remote-Group',
      '--requestheader-extra-headers-prefix=X-Remote-Extra-',
      `--proxy-client-cert-file=${pki}/front-proxy.crt`,
      `--proxy-client-key-file=${pki}/front-proxy.key`,
      '--service-account-issuer=https://kubernetes.default.svc',
      `--service-account-key-file=${pki}/service-accounts.pub`,
      `--service-account-signing-key-file=${pki}/service-accounts.key`,
      '--profiling=false',
    ],
  };
}

function controllerManager(paths: Paths, binary: string): Daemon {
  return {
    name: 'kube-controller-manager',
    command: binary,
    args: [
      `--kubeconfig=${paths.config}/controller-manager.kubeconfig`,
      '--bind-address=127.0.0.1',
      '--leader-elect=false',
      '--use-service-account-credentials',
      // The defaults make a controller's first requests wait for seconds.
      '--kube-api-qps=300',
      '--kube-api-burst=600',
      `--service-account-private-key-file=${paths.pki}/service-accounts.key`,
      `--root-ca-file=${paths.pki}/ca.crt`,
      `--cluster-signing-cert-file=${paths.pki}/ca.crt`,
      `--cluster-signing-key-file=${paths.pki}/ca.key`,
    ],
  };
}

function scheduler(paths: Paths, binary: string): Daemon {
  return {
    name: 'kube-scheduler',
    command: binary,
    args: [`--kubeconfig=${paths.config}/scheduler.kubeconfig`, '--bind-address=127.0.0.1', '--leader-elect=false'],
  };
}

function kubelet(paths: Paths, binary: string): Daemon {
  return {
    name: 'kubelet',
    command: binary,
    args: [
      `--kubeconfig=${paths.config}/kubelet.kubeconfig`,
      `--config=${paths.config}/kubelet.json`,
      `--root-dir=${paths.kubelet}`,
      `--cert-dir=${paths.kubelet}/pki`,
      `--hostname-override=${addresses.nodeName}`,
      `--node-ip=${addresses.node}`,
    ],
  };
}

function kubeProxy(paths: Paths, binary: string): Daemon {
  return { name: 'kube-proxy', command: binary, args: [`--config=${paths.config}/kube-proxy.json`] };
}

/** Node runs the provisioner from its source, so a change of the source must restart it like one of a configuration. */
function provisioner(paths: Paths, source: string): Daemon {
  const script = fileURLToPath(new URL('provisioner.ts', import.meta.url));
  return { name: 'volume-provisioner', command: process.execPath, args: [script, paths.cache], configuration: source };
}

export interface Components {
  readonly etcd: Daemon;
  readonly apiServer: Daemon;
  /** What needs the API server; in the order in which they are stopped. */
  readonly clients: readonly Daemon[];
}

/** The processes of Kubernetes. `binary` gives the path of a program; `files` are those of `componentFiles`. */
export function components(
  paths: Paths,
  binary: (name: string) => string,
  files: Readonly<Record<string, string>>,
): Components {
  const reading = (daemon: Daemon, file: string): Daemon => ({ ...daemon, configuration: files[file] ?? '' });
  return {
    etcd: etcd(paths, binary('etcd')),
    apiServer: apiServer(paths, binary('kube-apiserver')),
    clients: [
      reading(kubelet(paths, binary('kubelet')), 'kubelet.json'),
      reading(kubeProxy(paths, binary('kube-proxy')), 'kube-proxy.json'),
      scheduler(paths, binary('kube-scheduler')),
      controllerManager(paths, binary('kube-controller-manager')),
      provisioner(paths, files['provisioner'] ?? ''),
    ],
  };
}
