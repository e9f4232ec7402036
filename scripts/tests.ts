/**
 * Runs one level of tests with Node's own runner.
 * Usage: node scripts/tests.ts unit|integration|e2e [part of a path…]
 */
import { spawnSync } from 'node:child_process';
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

const folders = 'contract,object-store,database,operator,registry,serving-image,trainer-image,test,scripts';
const files = globSync(`{${folders}}/**/*.test.ts`, { exclude: (name) => /(^|\/)(node_modules|dist)$/.test(name) })
  .filter(levels[level])
  .filter((file) => parts.length === 0 || parts.some((part) => file.includes(part)))
  .sort();
if (files.length === 0) {
  console.error(`no ${level} test matches ${parts.join(', ')}`);
  process.exit(1);
}
const flags = level === 'unit' ? [] : ['--test-concurrency=1'];
const timeout = level === 'unit' ? 120_000 : 600_000;
const run = spawnSync(
  process.execPath,
  ['--test', '--test-reporter=spec', `--test-timeout=${timeout}`, ...flags, ...files],
  { stdio: 'inherit' },
);
process.exit(run.status ?? 1);
