import { readdir, readlink } from 'node:fs/promises';
import { eventually } from '../exec.ts';
import { exists, readIfThere } from '../files.ts';
import type { Paths } from '../paths.ts';

/** A process as far as it matters for telling whose container it belongs to. */
interface Process {
  readonly pid: number;
  readonly parent: number;
  readonly commandLine: string;
  readonly groups: string;
}

/** A container's shim: the process that stays with it when the runtime goes. */
export interface Shim {
  readonly namespace: string;
  readonly id: string;
}

/** The container that a command line (with NUL between its words) serves as a shim of the runtime at this socket. */
export function shimOf(commandLine: string, socket: string): Shim | undefined {
  const words = commandLine.split('\0');
  const after = (option: string): string => (words.includes(option) ? (words[words.indexOf(option) + 1] ?? '') : '');
  const shim = { namespace: after('-namespace'), id: after('-id') };
  return after('-address') === socket && shim.id !== '' && shim.namespace !== '' ? shim : undefined;
}

/** The processes and all that descend from them. */
export function withDescendants(
  roots: readonly number[],
  processes: readonly Pick<Process, 'pid' | 'parent'>[],
): Set<number> {
  const found = new Set(roots);
  for (let before = -1; before !== found.size; ) {
    before = found.size;
    for (const { pid, parent } of processes) if (found.has(parent)) found.add(pid);
  }
  return found;
}

async function listProcesses(): Promise<Process[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  return Promise.all(
    pids.map(async (name) => {
      const file = async (kind: string): Promise<string> => (await readIfThere(`/proc/${name}/${kind}`)) ?? '';
      const stat = await file('stat');
      const parent = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
      return { pid: Number(name), parent, commandLine: await file('cmdline'), groups: await file('cgroup') };
    }),
  );
}

/** Whether the process sees the same files as this one, so that a path means the same to both. */
async function seesOurFiles(pid: number): Promise<boolean> {
  const own = await readlink('/proc/self/ns/mnt');
  return (await readlink(`/proc/${pid}/ns/mnt`).catch(() => '')) === own;
}

function taskFolder(paths: Paths, { namespace, id }: Shim): string {
  return `${paths.containerdState}/io.containerd.runtime.v2.task/${namespace}/${id}`;
}

async function shimsAmong(paths: Paths, processes: readonly Process[]): Promise<(Shim & { readonly pid: number })[]> {
  const candidates = processes.flatMap(({ pid, commandLine }) => {
    const shim = shimOf(commandLine, paths.containerdSocket);
    return shim ? [{ ...shim, pid }] : [];
  });
  const ours = await Promise.all(candidates.map(({ pid }) => seesOurFiles(pid)));
  return candidates.filter((_, index) => ours[index]);
}

async function killAll(find: () => Promise<Iterable<number>>): Promise<void> {
  const noneIsLeft = async (): Promise<boolean> => {
    const pids = [...(await find())];
    for (const pid of pids) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch {
        // It ended by itself in the meantime.
      }
    }
    return pids.length === 0;
  };
  await eventually(noneIsLeft, 10_000, 100);
}

/** Kills shims, with their containers, that the runtime knows nothing of: its folder for them is gone. */
export async function killForgotten(paths: Paths): Promise<void> {
  await killAll(async () => {
    const processes = await listProcesses();
    const shims = await shimsAmong(paths, processes);
    const known = await Promise.all(shims.map((shim) => exists(taskFolder(paths, shim))));
    const forgotten = shims.filter((_, index) => !known[index]).map(({ pid }) => pid);
    return withDescendants(forgotten, processes);
  });
}

/** Kills all that is left of our containers when the runtime is gone: shims, and what runs in their control groups. */
export async function killOrphans(paths: Paths): Promise<void> {
  await killAll(async () => {
    const processes = await listProcesses();
    const tasks = `${paths.containerdState}/io.containerd.runtime.v2.task`;
    const folders = ['k8s.io', 'moby'].map((namespace) => readdir(`${tasks}/${namespace}`).catch((): string[] => []));
    const ids = new Set((await Promise.all(folders)).flat());
    const inGroup = processes.filter(({ groups }) => groups.match(/[0-9a-f]{64}/g)?.some((id) => ids.has(id)));
    const shims = await shimsAmong(paths, processes);
    return withDescendants(
      [...shims, ...inGroup].map(({ pid }) => pid),
      processes,
    );
  });
}
