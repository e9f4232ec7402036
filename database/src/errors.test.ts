import assert from 'node:assert/strict';
import { test } from 'node:test';
import { databaseError } from './errors.ts';

const thrown = (code: string | undefined, message = 'secret detail: password=canary') =>
  Object.assign(new Error(message), code === undefined ? {} : { code });

for (const [what, error] of [
  ['a refused connection', thrown('ECONNREFUSED')],
  ['a name that does not resolve', thrown('ENOTFOUND')],
  ['a server that starts or stops', thrown('57P03')],
  ['a connection ended by the administrator', thrown('57P01')],
  ['too many connections', thrown('53300')],
  ['a full disk', thrown('53100')],
  ['a rotated password', thrown('28P01')],
  ['a database that is not there', thrown('3D000')],
  ['a schema that is not there', thrown('3F000')],
  ['a table that is not there', thrown('42P01')],
  ['a standby after a failover', thrown('25006')],
  ['a statement that took too long', thrown('57014')],
  ['a deadlock', thrown('40P01')],
  ['a connection that ended by itself', thrown(undefined, 'Connection terminated unexpectedly')],
  ['a pool that got no connection in time', thrown(undefined, 'timeout exceeded when trying to connect')],
  ['a server that went silent', thrown(undefined, 'Query read timeout')],
] as const)
  test(`${what} is an outage: it may be tried again, and no detail of the server is repeated`, () => {
    const mapped = databaseError(error) as Error;
    assert.equal(mapped.name, 'DatabaseUnavailableError');
    assert.match(mapped.message, /^Postgres is unavailable: /);
    assert.doesNotMatch(mapped.message, /canary/);
  });

for (const [code, name] of [
  ['SL001', 'StaleLeaderError'],
  ['SL002', 'PublishRefusedError'],
  ['SL003', 'UnclaimedNamespaceError'],
] as const)
  test(`${code} is ${name}, with the database's own words`, () => {
    const error = databaseError(thrown(code, 'why')) as Error;
    assert.deepEqual([error.name, error.message], [name, 'why']);
  });

test('a mistake of ours stays what it is', () => {
  const mistake = thrown('42601');
  assert.equal(databaseError(mistake), mistake);
});
