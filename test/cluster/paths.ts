/** Where everything lives. Sockets stay under a short path, because the kernel allows a socket's path 107 bytes only. */
export interface Paths {
  readonly cache: string;
  /** One folder per built tool and version; survives `down`. */
  readonly bin: string;
  readonly source: string;
  /** Root file systems for images, and what Docker builds from; survives `down`. */
  readonly images: string;
  /** The data of a Docker Engine we started; survives `down`, as it holds built images only. */
  readonly docker: string;
  /** The cluster's own state; removed by `down`. */
  readonly state: string;
  readonly log: string;
  readonly records: string;
  readonly pki: string;
  readonly config: string;
  readonly kubelet: string;
  readonly containerd: string;
  readonly etcd: string;
  readonly volumes: string;
  readonly podLogs: string;
  readonly kubeconfig: string;
  readonly choice: string;
  readonly stamp: string;
  readonly run: string;
  readonly containerdState: string;
  readonly containerdSocket: string;
  readonly dockerSocket: string;
  readonly lock: string;
}

/** The paths for an environment: only `SLIPWAY_CACHE` and `HOME` are read. */
export function pathsFor(environment: Readonly<Record<string, string | undefined>>): Paths {
  const cache = environment.SLIPWAY_CACHE || `${environment.HOME || '/root'}/.cache/slipway`;
  const state = `${cache}/cluster`;
  const run = '/run/slipway';
  return {
    cache,
    bin: `${cache}/bin`,
    source: `${cache}/src`,
    images: `${cache}/images`,
    docker: `${cache}/docker`,
    state,
    log: `${state}/log`,
    records: `${state}/records`,
    pki: `${state}/pki`,
    config: `${state}/config`,
    kubelet: `${state}/kubelet`,
    containerd: `${state}/containerd`,
    etcd: `${state}/etcd`,
    volumes: `${state}/volumes`,
    podLogs: `${state}/pod-logs`,
    kubeconfig: `${state}/kubeconfig`,
    choice: `${state}/choice.json`,
    stamp: `${state}/ready.json`,
    run,
    containerdState: `${run}/containerd`,
    containerdSocket: `${run}/containerd.sock`,
    dockerSocket: `${run}/docker.sock`,
    lock: `${cache}/cluster.lock`,
  };
}
