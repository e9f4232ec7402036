import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { DatabaseUnavailableError } from '@slipway/database';
import { configFromEnv } from './config.ts';
import { ApiError } from './errors.ts';
import { createLog } from './log.ts';
import { VERSION } from './version.ts';

const env = {
  POSTGRES_HOST: 'db',
  POSTGRES_DATABASE: 'slipway',
  POSTGRES_USERNAME: 'slipway',
  POSTGRES_PASSWORD: 'secret',
  OBJECT_STORAGE_ENDPOINT: 'http://s3:9000',
  OBJECT_STORAGE_BUCKET: 'models',
  OBJECT_STORAGE_ACCESS_KEY: 'access',
  OBJECT_STORAGE_SECRET_KEY: 'secret',
};

test('without further settings the registry listens on 5000 and asks who is there', () => {
  const { port, auth, postgres } = configFromEnv(env);
  assert.deepEqual([port, auth, postgres.port], [5000, 'kubernetes', 5432]);
});

for (const [name, change] of [
  ['PORT', { PORT: 'http' }],
  ['AUTH', { AUTH: 'basic' }],
  ['AUTH_FILE', { AUTH: 'secret' }],
  ['NAMESPACES', { NAMESPACES: 'some' }],
  ['WATCH_NAMESPACES', { WATCH_NAMESPACES: 'team-a,Team_B' }],
  ['DEFAULT_NAMESPACE', { DEFAULT_NAMESPACE: '../x' }],
  ['LISTEN_ADDRESS', { LISTEN_ADDRESS: 'localhost' }],
  ['VERIFIER', { VERIFIER: 'yes' }],
  ['RUN_TOKEN_KEY', { RUN_TOKEN_KEY: 'short' }],
  ['ALLOWED_ORIGINS', { ALLOWED_ORIGINS: 'console.example.com' }],
  ['POSTGRES_POOL_SIZE', { POSTGRES_POOL_SIZE: '1' }],
  ['OBJECT_STORAGE_ENDPOINT', { OBJECT_STORAGE_ENDPOINT: 's3.local' }],
  ['POSTGRES_HOST', { POSTGRES_HOST: '' }],
] as const)
  test(`a wrong ${name} is refused by name`, () => {
    assert.throws(() => configFromEnv({ ...env, ...change }), {
      name: 'ConfigError',
      message: new RegExp(`[:;] ${name}[:.\\d]*: `),
    });
  });

test('all that is wrong is said at once, and no value is repeated', () => {
  const wrong = { AUTH: 'canary', PORT: 'canary', POSTGRES_PORT: 'canary', POSTGRES_PASSWORD: undefined };
  const error = (() => {
    try {
      return configFromEnv({ ...env, ...wrong });
    } catch (thrown) {
      return thrown as Error;
    }
  })() as Error;
  for (const name of Object.keys(wrong)) assert.match(error.message, new RegExp(`${name}: `));
  assert.doesNotMatch(error.message, /canary/);
});

test('the version is that of the package', () => {
  const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'));
  assert.equal(VERSION, version);
});

test('no credential reaches the log, also not as a field of an error', () => {
  const lines: string[] = [];
  const log = createLog('info', { write: (line: string) => void lines.push(line) });
  const error = Object.assign(
    new Error('refused', { cause: Object.assign(new Error('deeper'), { password: 'canary' }) }),
    {
      config: { headers: { authorization: 'Bearer canary' } },
    },
  );
  log.error({ err: error, password: 'canary', request: { authorization: 'canary' } }, 'request failed');
  assert.match(lines[0] ?? '', /"refused".*"deeper"/);
  assert.doesNotMatch(lines.join(), /canary/);
});

test('an error that was foreseen leaves no stack, one that was not does', () => {
  const lines: string[] = [];
  const log = createLog('info', { write: (line: string) => void lines.push(line) });
  const cause = new Error('connect ECONNREFUSED');
  log.error({ err: new DatabaseUnavailableError('Postgres is unavailable', { cause }) }, 'request failed');
  log.error({ err: new ApiError('TEMPORARILY_UNAVAILABLE', 'x', { cause }) }, 'request failed');
  log.error({ err: new TypeError('undefined is not a function') }, 'request failed');
  const [away, refused, bug] = lines as [string, string, string];
  for (const line of [away, refused]) assert.doesNotMatch(line, /stack|config\.test/);
  assert.match(away, /ECONNREFUSED/);
  assert.match(bug, /config\.test/);
});
