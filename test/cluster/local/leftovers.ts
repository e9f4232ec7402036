import { readdir, readFile, readlink, rm } from 'node:fs/promises';
import { eventually, run, succeeds } from '../exec.ts';
import { readIfThere } from '../files.ts';
import type { Paths } from '../paths.ts';

/** Mount points at or below the folders, innermost first, out of a mountinfo text. */
export function mountsBelow(mountInfo: string, folders: readonly string[]): string[] {
  const plain = (path: string): string =>
    path.replace(/\\([0-7]{3})/g, (_, code: string) => String.fromCharCode(Number.parseInt(code, 8)));
  return mountInfo
    .split('\n')
    .map((line) => plain(line.split(' ')[4] ?? ''))
    .filter((point) => folders.some((folder) => point === folder || point.startsWith(`${folder}/`)))
    .reverse();
}

/** Unmounts all that is mounted at or below the folders, also what is in use. */
export async function unmountBelow(folders: readonly string[]): Promise<void> {
  // A mount may hide another one at the same place; a second look finds it.
  for (let round = 0; round < 5; round += 1) {
    const points = mountsBelow(await readFile('/proc/self/mountinfo', 'utf8'), folders);
    if (points.length === 0) return;
    for (let first = 0; first < points.length; first += 100) {
      await run('umount', ['-l', ...points.slice(first, first + 100)], { mayFail: true });
    }
  }
}

function ctr(paths: Paths, namespace: string, ...args: string[]): readonly string[] {
  return ['-a', paths.containerdSocket, '-n', namespace, ...args];
}

/** Kills all containers through the runtime, which must be running; their shims end with them. */
export async function killContainers(paths: Paths): Promise<void> {
  for (const namespace of ['moby', 'k8s.io']) {
    const listed = await run('ctr', ctr(paths, namespace, 'tasks', 'ls', '-q'), { mayFail: true, timeoutMs: 10_000 });
    const tasks = listed.stdout.split('\n').filter(Boolean);
    const remove = (task: string): Promise<unknown> =>
      run('ctr', ctr(paths, namespace, 'tasks', 'rm', '--force', task), { mayFail: true, timeoutMs: 10_000 });
    for (let first = 0; first < tasks.length; first += 8) await Promise.all(tasks.slice(first, first + 8).map(remove));
  }
}

/**
 * Pids of the containers and of their shims that belong to our runtime: a container's first process is noted in the
 * runtime's folder for it, and a shim carries our socket's path as an argument. Another runtime's have neither.
 */
async function containerPids(paths: Paths): Promise<number[]> {
  const pids: number[] = [];
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const words = ((await readIfThere(`/proc/${name}/cmdline`)) ?? '').split('\0');
    const isShim = words[words.indexOf('-address') + 1] === paths.containerdSocket && words.includes('-namespace');
    if (isShim || (await runsInFolder(name, paths.containerdState))) pids.push(Number(name));
  }
  return pids;
}

/** Whether the process's mounts come from the runtime's folder, which a container's root does. */
async function runsInFolder(pid: string, folder: string): Promise<boolean> {
  const own = await readlink('/proc/self/ns/mnt');
  if ((await readlink(`/proc/${pid}/ns/mnt`).catch(() => own)) === own) return false;
  const groups = (await readIfThere(`/proc/${pid}/cgroup`)) ?? '';
  const id = /[0-9a-f]{64}/.exec(groups)?.[0];
  if (id === undefined) return false;
  const bundles = `${folder}/io.containerd.runtime.v2.task`;
  return (
    (await succeeds('test', ['-d', `${bundles}/k8s.io/${id}`])) || succeeds('test', ['-d', `${bundles}/moby/${id}`])
  );
}

/** Kills what is left of our containers after the runtime is gone, by pid. */
export async function killOrphans(paths: Paths): Promise<void> {
  const none = async (): Promise<boolean> => {
    const pids = await containerPids(paths);
    for (const pid of pids) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch {
        // It ended by itself in the meantime.
      }
    }
    return pids.length === 0;
  };
  await eventually(none, 10_000, 100);
}

/** Removes a folder with what is mounted in it. */
export async function removeFolder(folder: string): Promise<void> {
  await unmountBelow([folder]);
  await rm(folder, { recursive: true, force: true, maxRetries: 5 });
}

/** Removes links and results that node and network plug-ins left in folders of the machine's. */
export async function removeTraces(paths: Paths): Promise<void> {
  const results = '/var/lib/cni/results';
  for (const file of await readdir(results).catch((): string[] => [])) {
    if (file.startsWith('slipway-')) await rm(`${results}/${file}`, { force: true });
  }
  const links = '/var/log/containers';
  for (const file of await readdir(links).catch((): string[] => [])) {
    const target = await readlink(`${links}/${file}`).catch(() => '');
    if (target.startsWith(`${paths.podLogs}/`)) await rm(`${links}/${file}`, { force: true });
  }
}
