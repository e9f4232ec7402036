/** A Python with the packages of a requirements.txt, made once for each content of that file. */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { shortHash } from '@slipway/contract';

function run(command: string, args: readonly string[]): void {
  const { status, error, stderr } = spawnSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'ignore', 'pipe'] });
  if (status === 0) return;
  throw new Error(
    `${command} ${args.join(' ')} failed (python3 with venv and a package index are needed): ${error ?? stderr}`,
  );
}

/** The path of the interpreter; the trainer's own packages by default. About a minute the first time, nothing later. */
export function python(requirements: string = join(import.meta.dirname, 'requirements.txt')): string {
  const cache = process.env['SLIPWAY_CACHE'] ?? join(homedir(), '.cache', 'slipway');
  const home = join(cache, `venv-${shortHash(readFileSync(requirements, 'utf8'), 12)}`);
  const interpreter = join(home, 'bin', 'python');
  const complete = join(home, '.complete');
  if (!existsSync(complete)) {
    // What an interrupted run left is of unknown content.
    rmSync(home, { recursive: true, force: true });
    run('python3', ['-m', 'venv', home]);
    run(interpreter, ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '-r', requirements]);
    run(interpreter, ['-c', `open(${JSON.stringify(`${complete}.part`)}, 'w').close()`]);
    renameSync(`${complete}.part`, complete);
  }
  return interpreter;
}
