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
  assert.match(message?.message ?? '', /"serve": expected fetch, train, watch or publish/);
});
