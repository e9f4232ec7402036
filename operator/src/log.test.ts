import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  DatabaseUnavailableError,
  RoleDeniedError,
  StaleLeaderError,
  TenantConflictError,
  UnclaimedNamespaceError,
} from '@slipway/database';
import { ObjectStoreError } from '@slipway/object-store';
import { NotLeadingError, TerminalError } from './api/errors.ts';
import { KubeError } from './kube/errors.ts';
import { createLog } from './log.ts';

function logged(write: (log: ReturnType<typeof createLog>) => void) {
  const lines: string[] = [];
  write(createLog('info', { component: 'operator' }, { write: (line) => lines.push(line) }));
  return lines.map((line) => JSON.parse(line) as Record<string, unknown>);
}

test('one JSON object per line, with level, time, message and fields', () => {
  const [line, ...more] = logged((log) => {
    log.info({ kind: 'TrainingJob', object: 'ns/iris' }, 'status changed');
    log.debug({}, 'not at this level');
  });
  assert.deepEqual(more, []);
  const { time, ...rest } = line as { time: string };
  assert.match(time, /^\d{4}-\d\d-\d\dT/);
  assert.deepEqual(rest, {
    level: 'info',
    component: 'operator',
    kind: 'TrainingJob',
    object: 'ns/iris',
    msg: 'status changed',
  });
});

test('secrets are not printed, however deep they lie', () => {
  const text = JSON.stringify(
    logged((log) =>
      log.info({ password: 'p1', access: { secretKey: 'p2', inner: { sessionToken: 'p3' } }, token: 'p4' }, 'x'),
    ),
  );
  assert.doesNotMatch(text, /p1|p2|p3|p4/);
});

test('an expected error is its reason and cause; an unexpected one has its stack', () => {
  const cause = Object.assign(new Error('connect'), { code: 'ECONNREFUSED' });
  const [expected, unexpected] = logged((log) => {
    log.error({ error: new KubeError(0, 'Unreachable', 'away', { cause }) }, 'x');
    log.error({ error: new TypeError('undefined is not a function') }, 'x');
  });
  const { error } = expected as { error: object };
  assert.deepEqual(error, {
    type: 'KubeError',
    message: 'away',
    reason: 'Unreachable',
    status: 0,
    cause: { type: 'Error', message: 'connect', code: 'ECONNREFUSED' },
  });
  assert.match((unexpected as { error: { stack: string } }).error.stack, /log\.test/);
});

test('no error a user can cause has a stack, which would show paths', () => {
  const errors = [
    new TerminalError('Reason', 'x'),
    new NotLeadingError('x'),
    new DatabaseUnavailableError('x'),
    new RoleDeniedError('x'),
    new StaleLeaderError('x'),
    new TenantConflictError('team-a', 'uid'),
    new UnclaimedNamespaceError('x'),
    new ObjectStoreError('Denied', 'x'),
  ];
  const lines = logged((log) => {
    for (const error of errors) log.error({ error }, 'x');
  });
  assert.equal(lines.length, errors.length);
  for (const line of lines) assert.ok(!('stack' in (line as { error: object }).error), JSON.stringify(line));
});
