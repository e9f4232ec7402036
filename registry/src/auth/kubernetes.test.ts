import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';
import { ApiError } from '../errors.ts';
import type { Access } from '../http/exchange.ts';
import type { Gate } from './gate.ts';
import { type AccessReviews, kubernetesGate } from './kubernetes.ts';

let time: number;
let asked: string[];
let reviews: AccessReviews;
let gate: Gate;

beforeEach(() => {
  time = 0;
  asked = [];
  reviews = {
    async authenticate(token) {
      asked.push(`who ${token}`);
      return token === 'good' ? { username: 'ada' } : undefined;
    },
    async may({ username }, verb, namespace) {
      asked.push(`may ${username} ${verb} ${namespace}`);
      return namespace === 'team-a';
    },
  };
  gate = kubernetesGate(
    { authenticate: (token) => reviews.authenticate(token), may: (...args) => reviews.may(...args) },
    { now: () => time, viewRole: 'ml-slipway-view', editRole: 'ml-slipway-edit' },
  );
});

const ask = (token: string | undefined, namespace: string, access: Access = 'read') =>
  gate(token === undefined ? undefined : { kind: 'token', token }, namespace, access);

const refusal = async (...args: Parameters<typeof ask>) => {
  const error = await ask(...args).catch((e) => e);
  assert.ok(error instanceof ApiError, `expected a refusal, got ${error}`);
  return error;
};

test('nobody and an unknown token are 401 with how to get a token', async () => {
  assert.equal((await refusal(undefined, 'team-a')).code, 'UNAUTHENTICATED');
  assert.equal((await refusal('', 'team-a')).code, 'UNAUTHENTICATED');
  assert.deepEqual(asked, [], 'the API server is not asked about nobody');
  const error = await refusal('bad', 'team-a');
  assert.equal(error.code, 'UNAUTHENTICATED');
  assert.match(error.message, /kubectl create token/);
  assert.doesNotMatch(error.message, /bad/);
});

for (const [access, verb, role] of [
  ['read', 'get', 'ml-slipway-view'],
  ['write', 'update', 'ml-slipway-edit'],
] as const)
  test(`who may not ${verb} is 403 with the command that allows it`, async () => {
    const error = await refusal('good', 'team-b', access);
    assert.equal(error.code, 'PERMISSION_DENIED');
    assert.equal(
      error.message,
      `ada may not ${verb} modelversions.slipway.dev in namespace team-b. Its administrator allows it with: ` +
        `kubectl create rolebinding ${role}-ada -n team-b --clusterrole=${role} --user=ada`,
    );
  });

test('the command of a refusal can be pasted whatever the user is called', async () => {
  const commandFor = async (username: string) => {
    reviews.authenticate = async () => ({ username });
    return (await refusal('good', 'team-b')).message.split('allows it with: ')[1];
  };
  assert.match(
    (await commandFor('system:serviceaccount:a:b')) ?? '',
    /rolebinding ml-slipway-view-system-serviceaccount-a-b .* --user=system:serviceaccount:a:b$/,
  );
  assert.ok((await commandFor("Ada O'Neill; rm"))?.endsWith(`--user='Ada O'\\''Neill; rm'`));
});

test('a yes holds for thirty seconds, for that namespace and that access only; a no is asked again', async () => {
  assert.deepEqual(await ask('good', 'team-a'), { name: 'ada' });
  assert.deepEqual(await ask('good', 'team-a'), { name: 'ada' });
  assert.equal(asked.length, 2);
  await ask('good', 'team-a', 'write');
  assert.equal(asked.length, 4);
  await refusal('good', 'team-b');
  await refusal('good', 'team-b');
  assert.equal(asked.length, 8);
  time = 30_000;
  await ask('good', 'team-a');
  assert.equal(asked.length, 10);
});

test('an API server that does not answer is 503, and what it said stays inside', async () => {
  reviews.authenticate = async () => {
    throw new Error('connect ECONNREFUSED 10.0.0.1:443');
  };
  const error = await refusal('good', 'team-a');
  assert.equal(error.code, 'TEMPORARILY_UNAVAILABLE');
  assert.doesNotMatch(error.message, /10\.0\.0\.1/);
});
