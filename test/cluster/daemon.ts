import { spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { mkdir, readdir, readFile, rm } from 'node:fs/promises';
import { eventually } from './exec.ts';
import { digestOf, readIfThere, writeWhole } from './files.ts';
import type { Paths } from './paths.ts';

/** A process we started. Pids are reused, so the start time and the boot say which process is meant. */
export interface ProcessRecord {
  readonly pid: number;
  readonly startTime: string;
  readonly boot: string;
  /** Changes when the command line or the configuration does. */
  readonly inputs: string;
}

/** A long-running process: `configuration` is whatever it reads at its start, so that a change restarts it. */
export interface Daemon {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly configuration?: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** State and start time out of `/proc/<pid>/stat`, whose second field may itself hold spaces and brackets. */
export function parseStat(stat: string): { readonly state: string; readonly startTime: string } {
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return { state: fields[0] ?? '', startTime: fields[19] ?? '' };
}

/** Names this boot of the machine. */
export async function currentBoot(): Promise<string> {
  return (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim();
}

async function startTimeOf(pid: number): Promise<string | undefined> {
  const stat = await readIfThere(`/proc/${pid}/stat`);
  if (stat === undefined) return undefined;
  const { state, startTime } = parseStat(stat);
  return state === 'Z' || state === 'X' ? undefined : startTime;
}

async function readRecord(paths: Paths, name: string): Promise<ProcessRecord | undefined> {
  const text = await readIfThere(`${paths.records}/${name}.json`);
  return text === undefined ? undefined : (JSON.parse(text) as ProcessRecord);
}

async function recordLives(record: ProcessRecord): Promise<boolean> {
  return record.boot === (await currentBoot()) && record.startTime === (await startTimeOf(record.pid));
}

/** Whether the recorded process of that name, and not another one that got its pid, is running. */
export async function isRunning(paths: Paths, name: string): Promise<boolean> {
  const record = await readRecord(paths, name);
  return record !== undefined && (await recordLives(record));
}

/** The names of all recorded processes, dead ones too. */
export async function recordedNames(paths: Paths): Promise<string[]> {
  const files = await readdir(paths.records).catch((): string[] => []);
  return files.filter((file) => file.endsWith('.json')).map((file) => file.slice(0, -'.json'.length));
}

/** Stops the recorded process, first politely, and forgets it. Harmless when it is gone or its pid was given away. */
export async function stop(paths: Paths, name: string, graceMs = 10_000): Promise<void> {
  const record = await readRecord(paths, name);
  if (record && (await recordLives(record))) {
    process.kill(record.pid, 'SIGTERM');
    const gone = async (): Promise<boolean> => !(await recordLives(record));
    if (!(await eventually(gone, graceMs, 50))) {
      if (await recordLives(record)) process.kill(record.pid, 'SIGKILL');
      await eventually(gone, 5_000, 50);
    }
  }
  await rm(`${paths.records}/${name}.json`, { force: true });
}

/** Makes the process run with these inputs: starts it, restarts it after a change, else leaves it. True when it started. */
export async function ensureRunning(paths: Paths, daemon: Daemon): Promise<boolean> {
  const inputs = digestOf(daemon.command, ...daemon.args, daemon.configuration ?? '');
  const record = await readRecord(paths, daemon.name);
  if (record && record.inputs === inputs && (await recordLives(record))) return false;
  await stop(paths, daemon.name);
  await mkdir(paths.log, { recursive: true });
  const log = openSync(`${paths.log}/${daemon.name}.log`, 'a');
  const child = spawn(daemon.command, daemon.args, {
    // Its own session: a signal to the terminal or to the caller's process group does not reach it.
    detached: true,
    stdio: ['ignore', log, log],
    cwd: '/',
    env: { ...process.env, ...daemon.env },
  });
  closeSync(log);
  const failure = new Promise<never>((_, reject) => child.once('error', reject));
  await Promise.race([new Promise((resolve) => child.once('spawn', resolve)), failure]);
  failure.catch(() => {});
  child.unref();
  const pid = child.pid ?? 0;
  const started: ProcessRecord = {
    pid,
    startTime: (await startTimeOf(pid)) ?? '',
    boot: await currentBoot(),
    inputs,
  };
  await writeWhole(`${paths.records}/${daemon.name}.json`, `${JSON.stringify(started)}\n`);
  return true;
}
