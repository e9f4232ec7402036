/** Child processes that end when we say so, in the order we say, also when the terminal interrupts everybody. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { dirname } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

export interface Started {
  readonly name: string;
  readonly child: ChildProcess;
  readonly log: string;
  stop(): Promise<void>;
}

export interface StartOptions {
  readonly log: string;
  readonly env?: NodeJS.ProcessEnv;
  readonly cwd?: string;
  readonly as?: { readonly uid: number; readonly gid: number } | undefined;
  /** How it is asked to end; SIGTERM when absent. */
  readonly signal?: NodeJS.Signals;
}

/** How long a process may take to end before it is killed. */
const STOP_MS = 15_000;

/** The end of what a process said. */
export const lastLines = (path: string, lines = 15): string =>
  existsSync(path) ? readFileSync(path, 'utf8').trimEnd().split('\n').slice(-lines).join('\n') : '';

/** Starts it with its output in a file. It has a process group of its own: Ctrl-C reaches us first. */
export function start(name: string, command: string, args: readonly string[], options: StartOptions): Started {
  mkdirSync(dirname(options.log), { recursive: true });
  const output = openSync(options.log, 'w');
  const child = spawn(command, [...args], {
    stdio: ['ignore', output, output],
    detached: true,
    cwd: options.cwd ?? '/',
    env: options.env ?? process.env,
    ...options.as,
  });
  closeSync(output);
  child.on('error', () => {});
  const ended = once(child, 'exit').catch(() => {});
  return {
    name,
    child,
    log: options.log,
    async stop() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.kill(options.signal ?? 'SIGTERM');
      const late = setTimeout(() => child.kill('SIGKILL'), STOP_MS);
      await ended;
      clearTimeout(late);
    },
  };
}

/** Resolves when `ready` does; throws what the process said last when it ends before that. */
export async function whenReady(started: Started, ready: () => Promise<boolean>, timeoutMs = 60_000): Promise<void> {
  const until = Date.now() + timeoutMs;
  for (;;) {
    if (await ready().catch(() => false)) return;
    const { exitCode, signalCode, pid } = started.child;
    if (exitCode !== null || signalCode !== null || pid === undefined)
      throw new Error(`${started.name} ended at once:\n${lastLines(started.log)}`);
    if (Date.now() > until) throw new Error(`${started.name} did not get ready:\n${lastLines(started.log)}`);
    await delay(100);
  }
}

/** A port of this machine that nobody uses. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, 'close');
  return port;
}

/** What a process was started as; empty when there is no such process. */
export function commandOf(pid: number): string {
  const path = `/proc/${pid}/cmdline`;
  if (existsSync('/proc/self/cmdline')) return existsSync(path) ? readFileSync(path, 'utf8').replaceAll('\0', ' ') : '';
  return spawnSync('ps', ['-o', 'command=', '-p', String(pid)], { encoding: 'utf8' }).stdout ?? '';
}

/** Ends a process that is not our child, and resolves when it is gone. */
export async function end(pid: number): Promise<void> {
  const killAt = Date.now() + STOP_MS;
  // Of all signals the one that Postgres, too, takes for: soon, and in order.
  process.kill(pid, 'SIGINT');
  while (commandOf(pid) !== '') {
    await delay(50);
    if (Date.now() > killAt) process.kill(pid, 'SIGKILL');
  }
}
