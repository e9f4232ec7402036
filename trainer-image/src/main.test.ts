import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { EXIT_TERMINAL, EXIT_UNAVAILABLE, parseTerminationMessage } from '@slipway/contract';

const folder = mkdtempSync(join(tmpdir(), 'slipway-trainer-'));
after(() => rmSync(folder, { recursive: true, force: true }));

const termination = join(folder, 'termination');

function runMain(command: string, env: Record<string, string>) {
  writeFileSync(termination, '');
  const { status, stdout } = spawnSync(process.execPath, [join(import.meta.dirname, 'main.ts'), command], {
    env: {
      PATH: process.env['PATH'],
      TERMINATION_LOG: termination,
      CREDENTIALS_DIR: folder,
      INPUT_DIR: folder,
      ...env,
    },
    encoding: 'utf8',
  });
  const lines = stdout.trim().split('\n');
  return {
    status,
    last: JSON.parse(lines.at(-1) ?? '{}'),
    message: parseTerminationMessage(readFileSync(termination, 'utf8')),
  };
}

test('bad data ends with the terminal code, the reason in the termination message and in the last log line', () => {
  writeFileSync(join(folder, 'params.json'), '{}');
  writeFileSync(join(folder, 'train'), 'a,b\n1,x\n');
  const { status, message, last } = runMain('train', {
    ALGORITHM: '{"name":"logistic-regression","target":"species"}',
  });
  assert.equal(status, EXIT_TERMINAL);
  assert.equal(message?.stage, 'train');
  assert.equal(message?.reason, 'TargetNotFound');
  assert.equal(last.message, message?.message);
});

test('an unknown algorithm is refused, listing the known ones', () => {
  const { status, message } = runMain('train', { ALGORITHM: '{"name":"xgboost","target":"a"}' });
  assert.equal(status, EXIT_TERMINAL);
  assert.equal(message?.reason, 'UnknownAlgorithm');
  assert.match(message?.message ?? '', /"xgboost": expected one of logistic-regression/);
});

test('a store that stays away ends with the code that may be retried, and no credential is told', () => {
  const access = { endpoint: 'http://127.0.0.1:1', bucket: 'slipway', accessKey: 'AKEY', secretKey: 'SECRET' };
  writeFileSync(join(folder, 'object-storage.json'), JSON.stringify(access));
  const inputs = [{ name: 'train', uri: 's3://slipway/team-a/x.csv' }];
  const { status, message } = runMain('fetch', {
    FETCH_INPUTS: JSON.stringify({ namespace: 'team-a', parameters: {}, inputs }),
    FETCH_DEADLINE_SECONDS: '0.2',
  });
  assert.equal(status, EXIT_UNAVAILABLE);
  assert.equal(message?.reason, 'ObjectStorageUnavailable');
  assert.doesNotMatch(message?.message ?? '', /AKEY|SECRET/);
});

test('a variable that is missing is named', () => {
  const { status, message } = runMain('publish', { POD_UID: 'x' });
  assert.equal(status, EXIT_TERMINAL);
  assert.equal(message?.reason, 'InvalidConfiguration');
  assert.match(message?.message ?? '', /PUBLISH_RUN/);
});

test('an unknown command is refused, naming the known ones', () => {
  const { message } = runMain('serve', {});
  assert.match(message?.message ?? '', /"serve": expected fetch, train, watch, publish or kit/);
});

const abalone = join(import.meta.dirname, '../data/abalone.csv');

/** At a terminal's prompt, but for the terminal. */
function runStandalone(...words: string[]) {
  return spawnSync(process.execPath, [join(import.meta.dirname, 'main.ts'), ...words], {
    cwd: folder,
    env: { PATH: process.env['PATH'] },
    encoding: 'utf8',
  });
}

test('a person trains with words alone: a table of metrics and the files, nothing but the output is written', () => {
  const words = ['--algorithm', 'random-forest', '--target', 'Rings', '--input', abalone, '--param', 'n_estimators=3'];
  const { status, stdout, stderr } = runStandalone('train', ...words, '--output', 'out/deep');
  assert.equal(status, 0, stderr);
  assert.match(stdout, /^ +train +validation\n/);
  assert.match(stdout, /^r2 +0\.\d+ +0\.\d+$/m);
  assert.match(stdout, /^out\/deep\/model\/model\.onnx +[\d.]+ kB$/m);
  const listed = [...stdout.matchAll(/^(out\/deep\/\S+) /gm)].map(([, path]) => path as string);
  for (const path of listed) assert.ok(readFileSync(join(folder, path)).length > 0, path);
  assert.ok(listed.includes('out/deep/artifacts/residuals.csv'));
  assert.doesNotMatch(stderr, /[{}]|warning/);
});

for (const [what, words, expected] of [
  [
    'a parameter out of range',
    ['--target', 'Rings', '--param', 'alpha=-1'],
    /parameter alpha: expected a number from 0/,
  ],
  ['a target that is none', ['--target', 'Ring'], /target "Ring" is not a column; the columns are "Sex"/],
  [
    'a text where a number must be',
    ['--target', 'Sex'],
    /line 2, target column "Sex": expected a number, got "M"; mend the cell, or learn classes/,
  ],
  [
    'an input that is not there',
    ['--target', 'Rings', '--input', 'no.csv'],
    /--input no\.csv cannot be read: there is no such file or folder \(ENOENT\)/,
  ],
  [
    'an output that is a file',
    ['--target', 'Rings', '--output', abalone],
    /--output \S+ cannot be written: it is a file, expected a folder \(EEXIST\)/,
  ],
] as const) {
  test(`${what} is told a person in one line, with the code for bad input`, () => {
    const needed = ['--algorithm', 'ridge', '--input', abalone, '--output', 'refused'];
    const { status, stdout, stderr } = runStandalone('train', ...needed, ...words);
    assert.equal(status, EXIT_TERMINAL, stderr);
    assert.equal(stdout, '');
    const told = stderr.split('\n').filter((line) => !/^ *\d+% /.test(line));
    assert.equal(told.length, 2, stderr);
    assert.match(told[0] ?? '', /^slipway-trainer: [^{]*$/);
    assert.match(told[0] ?? '', expected);
  });
}

test('a command without what it needs, and help', () => {
  const { status, stderr } = runStandalone('train');
  assert.equal(status, 64);
  assert.equal(stderr, 'slipway-trainer: --algorithm is missing; slipway-trainer train --help tells more\n');
  for (const words of [['--help'], ['train', '--help']]) {
    const help = runStandalone(...words);
    assert.equal(help.status, 0);
    assert.match(help.stdout, /^usage: slipway-trainer train /m);
  }
});
