/**
 * Runs one level of tests with Node's own runner.
 * Usage: node scripts/tests.ts unit|integration|e2e [part of a path…]
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { globSync } from 'node:fs';

const levels = {
  /** Pure and in-process: no Docker, no cluster, no Python. */
  unit: (file: string) => !file.endsWith('.integration.test.ts') && !file.startsWith('test/e2e/'),
  /** Real Postgres, MinIO, API server, scikit-learn; each file by itself. */
  integration: (file: string) => file.endsWith('.integration.test.ts'),
  /** The installed product on the cluster in use. */
  e2e: (file: string) => file.startsWith('test/e2e/'),
} as const;

const [level, ...parts] = process.argv.slice(2);
if (level !== 'unit' && level !== 'integration' && level !== 'e2e') {
  console.error('usage: node scripts/tests.ts unit|integration|e2e [part of a path…]');
  process.exit(2);
}

const folders =
  'contract,object-store,database,operator,registry,serving-image,trainer-image,converter-image,test,scripts,bench';
const files = globSync(`{${folders}}/**/*.test.ts`, { exclude: (name) => /(^|\/)(node_modules|dist)$/.test(name) })
  .filter(levels[level])
  .filter((file) => parts.length === 0 || parts.some((part) => file.includes(part)))
  .sort();
if (files.length === 0) {
  console.error(`no ${level} test matches ${parts.join(', ')}`);
  process.exit(1);
}

/** The runner's limit is for a whole file. The first run of conformance installs two clients, which takes what the index takes. */
const isConformance = (file: string) => file.startsWith('test/conformance/') && level === 'integration';
const minutes = 60_000;
const groups = [
  { files: files.filter((file) => !isConformance(file)), timeout: level === 'unit' ? 2 * minutes : 10 * minutes },
  // Last: its table of what was compared is what people look for.
  { files: files.filter(isConformance), timeout: 60 * minutes },
].filter((group) => group.files.length > 0);

let running: ChildProcess | undefined;
let isEnding = false;
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.on(signal, () => {
    isEnding = true;
    running?.kill(signal);
  });

let failed = false;
for (const { files: those, timeout } of groups) {
  if (isEnding) break;
  const flags = level === 'unit' ? [] : ['--test-concurrency=1'];
  running = spawn(
    process.execPath,
    ['--test', '--test-reporter=spec', `--test-timeout=${timeout}`, ...flags, ...those],
    { stdio: 'inherit' },
  );
  const [status] = await once(running, 'close');
  if (status !== 0) failed = true;
}
process.exit(failed || isEnding ? 1 : 0);
