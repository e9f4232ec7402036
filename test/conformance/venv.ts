/** Pythons with pinned packages, made once for each content of a requirements file and kept outside the checkout. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { shortHash } from '@slipway/contract';

/** No package index answers, or there is no Python: nothing can be said about clients here. */
export class NoPython extends Error {
  override readonly name = 'NoPython';
}

const minutes = 60_000;
const LOCK_IS_LEFT_AFTER_MS = 20 * minutes;

async function run(command: string, args: readonly string[]): Promise<void> {
  const child = spawn(command, args, { stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
    said = (said + chunk).slice(-4000);
  });
  const failed = once(child, 'error').then(([error]) => String(error));
  const status = await Promise.race([failed, once(child, 'close').then(([code]) => code)]);
  if (status !== 0) throw new NoPython(`${command} ${args.join(' ')} ended with ${status}: ${said}`);
}

/** Held by who makes the folder; another process waits until it is complete or the holder is gone. */
async function locked(lock: string, complete: string, work: () => Promise<void>): Promise<void> {
  for (;;) {
    if (existsSync(complete)) return;
    try {
      mkdirSync(lock);
      break;
    } catch {
      const age = Date.now() - (statSync(lock, { throwIfNoEntry: false })?.mtimeMs ?? Date.now());
      if (age > LOCK_IS_LEFT_AFTER_MS) rmSync(lock, { recursive: true, force: true });
      await delay(1_000);
    }
  }
  try {
    if (!existsSync(complete)) await work();
  } finally {
    rmSync(lock, { recursive: true, force: true });
  }
}

/** The interpreter with what `requirements` names. Minutes the first time, nothing afterwards; safe to call twice at once. */
export async function pythonWith(requirements: string): Promise<string> {
  const cache = process.env['SLIPWAY_CACHE'] ?? join(homedir(), '.cache', 'slipway');
  const home = join(cache, `venv-${shortHash(readFileSync(requirements, 'utf8'), 12)}`);
  const interpreter = join(home, 'bin', 'python');
  const complete = join(home, '.complete');
  mkdirSync(cache, { recursive: true });
  await locked(`${home}.lock`, complete, async () => {
    const started = performance.now();
    const seconds = () => Math.round((performance.now() - started) / 1000);
    const name = requirements.split('/').at(-1);
    console.log(`# installing ${name} into ${home} (some minutes, once)`);
    const progress = setInterval(() => console.log(`# … still installing ${name}, ${seconds()} s`), 20_000);
    try {
      rmSync(home, { recursive: true, force: true });
      await run('python3', ['-m', 'venv', home]);
      await run(interpreter, ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '-r', requirements]);
      writeFileSync(`${complete}.part`, '');
      renameSync(`${complete}.part`, complete);
      console.log(`# ${name} installed in ${seconds()} s`);
    } finally {
      clearInterval(progress);
    }
  });
  return interpreter;
}
