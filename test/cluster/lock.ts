import { link, mkdir, rm, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseStat } from './daemon.ts';
import { readIfThere } from './files.ts';
import { say } from './progress.ts';

async function identityOf(pid: number): Promise<string | undefined> {
  const stat = await readIfThere(`/proc/${pid}/stat`);
  if (stat !== undefined) return `${pid} ${parseStat(stat).startTime}`;
  try {
    process.kill(pid, 0);
    return `${pid} `;
  } catch {
    return undefined;
  }
}

async function holderLives(holder: string): Promise<boolean> {
  const pid = Number.parseInt(holder, 10);
  return Number.isInteger(pid) && (await identityOf(pid)) === holder;
}

/**
 * Does `work` while no other process holds the lock file; waits for its turn. A holder that died without a word is
 * noticed by pid and start time, so a killed run never blocks the next one.
 */
export async function withLock<T>(path: string, work: () => Promise<T>): Promise<T> {
  await mkdir(dirname(path), { recursive: true });
  const mine = (await identityOf(process.pid)) ?? `${process.pid} `;
  const ticket = `${path}.${process.pid}`;
  await writeFile(ticket, mine);
  try {
    for (let waited = 0; ; waited += 1) {
      const taken = await link(ticket, path).then(
        () => true,
        () => false,
      );
      if (taken) break;
      const holder = (await readIfThere(path)) ?? '';
      if (!(await holderLives(holder)) && holder === (await readIfThere(path))) await rm(path, { force: true });
      else if (waited === 0 && holder !== '')
        say(`waiting for process ${holder.split(' ')[0]}, which is working on the cluster`);
      await sleep(200);
    }
  } finally {
    await rm(ticket, { force: true });
  }
  try {
    return await work();
  } finally {
    await rm(path, { force: true });
  }
}
