import assert from 'node:assert/strict';
import { test } from 'node:test';
import { GcUsageError, gcOptions, summaryText } from './command.ts';

test('seven days of grace, everything, for real, unless said otherwise', () => {
  assert.deepEqual(gcOptions([]), {
    dryRun: false,
    graceMs: 7 * 86_400_000,
    namespace: undefined,
    keepLast: undefined,
    maxAgeMs: undefined,
    keepStages: undefined,
    runs: { keepLast: undefined, maxAgeMs: undefined },
  });
  const options = gcOptions(['--dry-run', '--grace', '36h', '--namespace=team-a'], {
    RETENTION_KEEP_LAST: '10',
    RETENTION_MAX_AGE: '90d',
    RETENTION_KEEP_STAGES: 'Production, Staging',
    RETENTION_RUNS_KEEP_LAST: '100',
    RETENTION_RUNS_MAX_AGE: '30d',
  });
  assert.deepEqual(options, {
    dryRun: true,
    graceMs: 36 * 3_600_000,
    namespace: 'team-a',
    keepLast: 10,
    maxAgeMs: 90 * 86_400_000,
    keepStages: ['Production', 'Staging'],
    runs: { keepLast: 100, maxAgeMs: 30 * 86_400_000 },
  });
  assert.deepEqual(gcOptions([], { RETENTION_KEEP_STAGES: 'none' }).keepStages, []);
  assert.equal(gcOptions([], { RETENTION_KEEP_LAST: '', RETENTION_MAX_AGE: '' }).keepLast, undefined);
});

for (const [args, env, message] of [
  [['--grace', 'soon'], {}, /--grace: expected a duration/],
  [['--grace', '-1d'], {}, /grace/],
  [['--force'], {}, /--force[\s\S]*registry gc \[--dry-run\]/],
  [['team-a'], {}, /team-a/],
  [[], { RETENTION_KEEP_LAST: '0' }, /RETENTION_KEEP_LAST/],
  [[], { RETENTION_MAX_AGE: 'forever' }, /RETENTION_MAX_AGE/],
  [[], { RETENTION_RUNS_KEEP_LAST: 'all' }, /RETENTION_RUNS_KEEP_LAST: expected a number from 1 on, got "all"/],
  [[], { RETENTION_RUNS_MAX_AGE: '1y' }, /RETENTION_RUNS_MAX_AGE/],
  [[], { RETENTION_KEEP_STAGES: 'Production,Live' }, /RETENTION_KEEP_STAGES: expected none, or Staging.*got "Live"/],
] as const) {
  test(`refused: ${args.join(' ')} ${JSON.stringify(env)}`, () =>
    assert.throws(
      () => gcOptions(args, env),
      (error) => error instanceof GcUsageError && message.test(error.message),
    ));
}

test('the summary says what was, or would be, taken', () => {
  const summary = { versions: 1, runs: 6, rows: 2, objects: 3, bytes: 5 * 1024 * 1024, uploads: 4 };
  assert.match(
    summaryText({ dryRun: true }, summary),
    /^would take: 1 versions and 6 runs by retention, .*3 files \(5\.0 MiB\).*nothing was touched$/,
  );
  assert.match(summaryText({ dryRun: false }, { ...summary, bytes: 0 }), /^took: .*\(0 B\)/);
});
