import type { Daemon } from '../daemon.ts';
import type { Paths } from '../paths.ts';
import { addresses } from './addresses.ts';

/** containerd's configuration. */
export function containerdConfig(paths: Paths): string {
  const cri = 'plugins."io.containerd.grpc.v1.cri"';
  return `version = 2
root = "${paths.containerd}"
state = "${paths.containerdState}"
oom_score = 0
disabled_plugins = ["io.containerd.internal.v1.opt"]

[grpc]
  address = "${paths.containerdSocket}"

[${cri}]
  sandbox_image = "localhost/pause:1"
  # Machines without CAP_SYS_RESOURCE refuse scores below that of the caller.
  restrict_oom_score_adj = true
  # All that a stopped cluster leaves behind is found below one folder.
  netns_mounts_under_state_dir = true
  max_concurrent_downloads = 6

  [${cri}.containerd]
    snapshotter = "overlayfs"
    default_runtime_name = "runc"

    [${cri}.containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"

  [${cri}.cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "${paths.config}/cni"
`;
}

/** The pod network: one bridge, whose address is the node's. Masquerading is one rule of ours, not one chain per pod. */
export function podNetworkConfig(paths: Paths): string {
  const config = {
    cniVersion: '0.4.0',
    name: 'slipway',
    plugins: [
      {
        type: 'bridge',
        bridge: addresses.podBridge,
        isGateway: true,
        ipMasq: false,
        hairpinMode: true,
        ipam: {
          type: 'host-local',
          dataDir: `${paths.run}/cni`,
          ranges: [[{ subnet: addresses.pods, gateway: addresses.node }]],
          routes: [{ dst: '0.0.0.0/0' }],
        },
      },
      { type: 'portmap', capabilities: { portMappings: true } },
    ],
  };
  return `${JSON.stringify(config, null, 2)}\n`;
}

/** The container runtime, shared by the kubelet and by the Docker Engine. */
export function containerdDaemon(paths: Paths): Daemon {
  return {
    name: 'containerd',
    command: '/usr/bin/containerd',
    args: ['--config', `${paths.config}/containerd.toml`],
    configuration: containerdConfig(paths),
  };
}

/** dockerd's own configuration file, so that the machine's is not read. */
export const dockerConfig = `${JSON.stringify({ features: { buildkit: false } })}\n`;

/** A Docker Engine beside the cluster, for building images and for tests that start containers. */
export function dockerDaemon(paths: Paths): Daemon {
  return {
    name: 'dockerd',
    command: '/usr/sbin/dockerd',
    args: [
      `--config-file=${paths.config}/docker.json`,
      `--containerd=${paths.containerdSocket}`,
      `--data-root=${paths.docker}`,
      `--exec-root=${paths.run}/docker`,
      `--pidfile=${paths.run}/docker.pid`,
      `--host=unix://${paths.dockerSocket}`,
      '--storage-driver=overlay2',
      '--exec-opt=native.cgroupdriver=cgroupfs',
      // With rules of its own Docker sets the FORWARD policy to DROP, which cuts the pods off.
      '--iptables=false',
      '--ip6tables=false',
      '--ip-masq=false',
      `--bridge=${addresses.dockerBridge}`,
    ],
    configuration: dockerConfig,
  };
}
