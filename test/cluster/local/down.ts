import { rm } from 'node:fs/promises';
import { ensureRunning, isRunning, recordedNames, stop } from '../daemon.ts';
import { eventually, succeeds } from '../exec.ts';
import { exists } from '../files.ts';
import type { Paths } from '../paths.ts';
import { step } from '../progress.ts';
import { containerdDaemon } from './container-runtime.ts';
import { killContainers, removeFolder, removeTraces, unmountBelow } from './leftovers.ts';
import { removeNetwork } from './network.ts';
import { killOrphans } from './orphans.ts';

/** Containers are ended by the runtime, so it is started once more when only its containers live. */
async function endContainers(paths: Paths): Promise<void> {
  if (!(await exists(`${paths.config}/containerd.toml`)) || !(await exists(paths.containerd))) return;
  if (!(await isRunning(paths, 'containerd'))) await ensureRunning(paths, containerdDaemon(paths)).catch(() => false);
  const answering = (): Promise<boolean> =>
    succeeds('ctr', ['-a', paths.containerdSocket, 'version'], { timeoutMs: 2_000 });
  if (await eventually(answering, 10_000, 200)) await killContainers(paths);
}

/** Stops all recorded processes and all of the cluster's containers. Harmless when nothing runs. */
export async function stopEverything(paths: Paths): Promise<void> {
  // What starts containers goes first; what ends them goes last but for what they depend on.
  for (const name of ['kubelet', 'kube-proxy', 'volume-provisioner', 'kube-scheduler', 'kube-controller-manager']) {
    await stop(paths, name);
  }
  await endContainers(paths);
  for (const name of ['dockerd', 'containerd', 'kube-apiserver', 'etcd']) await stop(paths, name, 5_000);
  for (const name of await recordedNames(paths)) await stop(paths, name);
  await killOrphans(paths);
}

/** Removes the cluster's state, mounts and network. Nothing may run any more. Built programs and images stay. */
export async function clearState(paths: Paths): Promise<void> {
  await unmountBelow([paths.state, paths.run, paths.docker]);
  await removeNetwork();
  await removeTraces(paths);
  await removeFolder(paths.run);
  await removeFolder(paths.state);
  await rm(paths.stamp, { force: true });
}

/** Stops the local cluster and its Docker Engine, and removes what they leave. Doing it twice is harmless. */
export async function localDown(paths: Paths): Promise<void> {
  if (!(await exists(paths.state)) && !(await exists(paths.run))) return;
  await step('stop processes and containers', () => stopEverything(paths));
  await step('remove state, mounts and network', () => clearState(paths));
}
