/** The fast inner loop: types, lint and unit tests side by side; prints what failed, and how long each took. */
import { spawn } from 'node:child_process';

interface Outcome {
  readonly name: string;
  readonly ok: boolean;
  readonly seconds: string;
  readonly output: string;
}

function run(name: string, command: string, args: readonly string[]): Promise<Outcome> {
  const started = performance.now();
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  const chunks: Buffer[] = [];
  child.stdout.on('data', (chunk) => chunks.push(chunk));
  child.stderr.on('data', (chunk) => chunks.push(chunk));
  return new Promise((resolve) => {
    child.on('close', (code) => {
      const seconds = ((performance.now() - started) / 1000).toFixed(1);
      resolve({ name, ok: code === 0, seconds, output: Buffer.concat(chunks).toString() });
    });
  });
}

const outcomes = await Promise.all([
  run('types', 'node_modules/.bin/tsc', ['--noEmit']),
  run('lint', process.execPath, ['scripts/biome.ts', 'check', '.']),
  run('unit tests', process.execPath, ['scripts/tests.ts', 'unit']),
]);
for (const { name, ok, output } of outcomes) if (!ok || name === 'unit tests') console.log(`\n── ${name}\n${output}`);
for (const { name, ok, seconds } of outcomes) console.log(`${ok ? 'ok    ' : 'FAILED'} ${name} (${seconds} s)`);
process.exit(outcomes.every(({ ok }) => ok) ? 0 : 1);
