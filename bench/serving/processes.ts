/** Servers under measurement: held on one processor, silent while another is measured, with the time and memory they use. */
import { type ChildProcess, spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';

/** What /proc/<pid>/stat tells of a process. Ticks include those of children that ended and were waited for. */
export interface Stat {
  readonly pid: number;
  readonly parent: number;
  readonly ticks: number;
}

/** Ticks of the process clock in a second; Linux shows hundredths wherever it runs. */
export const TICKS_PER_SECOND = 100;

/** The name of a process may hold anything, brackets too: fields are counted from the last one. */
export function parseStat(text: string): Stat {
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  const ticks = fields.slice(11, 15).reduce((sum, field) => sum + Number(field), 0);
  return { pid: Number.parseInt(text, 10), parent: Number(fields[1]), ticks };
}

/** Ticks in which a processor worked for processes, or was taken away; of `/proc/stat`. Interrupts belong to nobody. */
export function parseBusy(text: string, processor: number): number {
  const fields = new RegExp(`^cpu${processor} (.*)$`, 'm').exec(text)?.[1]?.split(' ').map(Number) ?? [];
  const [user = 0, nice = 0, system = 0, , , , , steal = 0] = fields;
  return user + nice + system + steal;
}

/** The process and everything that descends from it. */
export function treeOf(root: number, processes: readonly Stat[]): Stat[] {
  const own = processes.filter(({ pid }) => pid === root);
  const children = processes.filter(({ parent }) => parent === root);
  return [...own, ...children.flatMap(({ pid }) => treeOf(pid, processes))];
}

function allProcesses(): Stat[] {
  const found: Stat[] = [];
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    try {
      found.push(parseStat(readFileSync(`/proc/${name}/stat`, 'utf8')));
    } catch {
      // It ended while we looked.
    }
  }
  return found;
}

export const busyTicks = (processor: number): number => parseBusy(readFileSync('/proc/stat', 'utf8'), processor);

/** One that nothing listens on now. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}

export interface Command {
  readonly command: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
}

export interface Process {
  readonly pid: number;
  /** Undefined while it runs. */
  readonly ended: () => string | undefined;
  /** Of the whole tree, since it began. */
  readonly ticks: () => number;
  /** Of the whole tree; pages that processes share are counted for each. */
  readonly residentMb: () => number;
  /** The highest that each process of the tree has held, summed: at least what they held at once. */
  readonly peakMb: () => number;
  readonly pause: () => void;
  readonly resume: () => void;
  readonly stop: () => Promise<void>;
}

const started = new Set<number>();
process.on('exit', () => {
  for (const pid of started) signalTree(pid, 'SIGKILL');
});

function signalTree(root: number, signal: NodeJS.Signals): void {
  for (const { pid } of treeOf(root, allProcesses())) {
    try {
      process.kill(pid, signal);
    } catch {
      // It ended while we looked.
    }
  }
}

/** `output` and `errors`: file descriptors, which stay the caller's. */
export function launch(
  { command, args, env, cwd }: Command,
  processor: number,
  output: number,
  errors: number,
): Process {
  const child: ChildProcess = spawn('taskset', ['-c', String(processor), command, ...args], {
    env,
    cwd,
    stdio: ['ignore', output, errors],
  });
  const pid = child.pid as number;
  started.add(pid);
  let ending: string | undefined;
  child.on('close', (code, signal) => {
    ending = `ended with ${code ?? signal}`;
  });
  const tree = (): Stat[] => treeOf(pid, allProcesses());
  return {
    pid,
    ended: () => ending,
    ticks: () => tree().reduce((sum, { ticks }) => sum + ticks, 0),
    residentMb: () => tree().reduce((sum, each) => sum + memoryMb(each.pid, 'VmRSS'), 0),
    peakMb: () => tree().reduce((sum, each) => sum + memoryMb(each.pid, 'VmHWM'), 0),
    pause: () => signalTree(pid, 'SIGSTOP'),
    resume: () => signalTree(pid, 'SIGCONT'),
    stop: () => stop(pid, () => ending !== undefined),
  };
}

function memoryMb(pid: number, line: 'VmRSS' | 'VmHWM'): number {
  try {
    const kib = new RegExp(`${line}:\\s+(\\d+)`).exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
    return (Number(kib ?? 0) * 1024) / 1e6;
  } catch {
    return 0;
  }
}

const PATIENCE_MS = 1_000;

/** Asks to end, and ends what is left: nothing here has anything to lose. */
async function stop(pid: number, hasEnded: () => boolean): Promise<void> {
  const members = treeOf(pid, allProcesses());
  signalTree(pid, 'SIGCONT');
  signalTree(pid, 'SIGTERM');
  for (let waited = 0; waited < PATIENCE_MS && !hasEnded(); waited += 50) await delay(50);
  const alive = new Set(allProcesses().map((each) => `${each.pid}`));
  for (const member of members) {
    if (!alive.has(`${member.pid}`)) continue;
    try {
      process.kill(member.pid, 'SIGKILL');
    } catch {
      // It ended while we looked.
    }
  }
  while (!hasEnded()) await delay(20);
  started.delete(pid);
}
