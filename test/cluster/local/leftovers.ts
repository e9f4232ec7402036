import { readdir, readFile, readlink, rm } from 'node:fs/promises';
import { run } from '../exec.ts';
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
