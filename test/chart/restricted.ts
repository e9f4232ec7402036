import type { Manifest } from './helm.ts';

/** Volume types Pod Security `restricted` allows. */
const volumeTypes = new Set([
  'configMap',
  'csi',
  'downwardAPI',
  'emptyDir',
  'ephemeral',
  'persistentVolumeClaim',
  'projected',
  'secret',
]);

const podFlags = ['hostNetwork', 'hostPID', 'hostIPC'] as const;

function containerViolations(container: Manifest): string[] {
  const security = container.securityContext ?? {};
  const said: [boolean, string][] = [
    [security.allowPrivilegeEscalation === false, 'may escalate its privileges'],
    [security.privileged !== true, 'is privileged'],
    [security.capabilities?.drop?.includes('ALL') === true, 'keeps capabilities'],
    [(security.capabilities?.add ?? []).every((name: string) => name === 'NET_BIND_SERVICE'), 'adds capabilities'],
    [security.runAsUser !== 0, 'runs as root'],
    [!(container.ports ?? []).some((port: Manifest) => port.hostPort), 'takes a port of the node'],
    // Beyond Pod Security, and asked of every pod here:
    [security.readOnlyRootFilesystem === true, 'can write to its root file system'],
    [Boolean(container.resources?.requests?.cpu && container.resources?.requests?.memory), 'requests nothing'],
    [Boolean(container.resources?.limits?.memory), 'has no memory limit'],
  ];
  return said.filter(([holds]) => !holds).map(([, what]) => `${container.name} ${what}`);
}

const volumeViolations = (volumes: readonly Manifest[]): string[] =>
  volumes
    .flatMap((volume) => Object.keys(volume))
    .filter((type) => type !== 'name' && !volumeTypes.has(type))
    .map((type) => `mounts a ${type} volume`);

/** What Pod Security `restricted`, and Slipway's own rules beyond it, would say against this pod spec; empty is good. */
export function violations(spec: Manifest): readonly string[] {
  const { runAsUser, runAsGroup, fsGroup, runAsNonRoot, seccompProfile } = spec.securityContext ?? {};
  const said: [boolean, string][] = [
    [!podFlags.some((flag) => spec[flag]), 'shares the network, the processes or the memory of the node'],
    [runAsNonRoot === true, 'may run as root'],
    [[runAsUser, runAsGroup, fsGroup].every((id) => id === 65532), 'is not uid, gid and fsGroup 65532'],
    [seccompProfile?.type === 'RuntimeDefault', 'has no seccomp profile'],
    [typeof spec.automountServiceAccountToken === 'boolean', 'does not say whether it needs a token'],
  ];
  return [
    ...said.filter(([holds]) => !holds).map(([, what]) => what),
    ...volumeViolations(spec.volumes ?? []),
    ...[...(spec.initContainers ?? []), ...spec.containers].flatMap(containerViolations),
  ];
}
