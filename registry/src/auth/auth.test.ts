import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';
import { ApiError } from '../errors.ts';
import { type AccessReviews, type Authorize, kubernetesAuth } from './auth.ts';

let time: number;
let asked: string[];
let reviews: AccessReviews;
let authorize: Authorize;

beforeEach(() => {
  time = 0;
  asked = [];
  reviews = {
    async authenticate(token) {
      asked.push(`who ${token}`);
      return token === 'good' ? { username: 'ada' } : undefined;
    },
    async mayRead({ username }, namespace) {
      asked.push(`may ${username} ${namespace}`);
      return namespace === 'team-a';
    },
  };
  authorize = kubernetesAuth(
    { authenticate: (token) => reviews.authenticate(token), mayRead: (...args) => reviews.mayRead(...args) },
    { now: () => time, viewRole: 'ml-slipway-view' },
  );
});

const refusal = async (token: string | undefined, namespace: string) => {
  const error = await authorize(token, namespace).catch((e) => e);
  assert.ok(error instanceof ApiError, `expected a refusal, got ${error}`);
  return error;
};

test('nobody and an unknown token are 401 with how to get a token', async () => {
  assert.equal((await refusal(undefined, 'team-a')).code, 'UNAUTHENTICATED');
  assert.deepEqual(asked, [], 'the API server is not asked about nobody');
  const error = await refusal('bad', 'team-a');
  assert.equal(error.code, 'UNAUTHENTICATED');
  assert.match(error.message, /kubectl create token/);
  assert.doesNotMatch(error.message, /bad/);
});

test('who may not read the namespace is 403 with the command that allows it', async () => {
  const error = await refusal('good', 'team-b');
  assert.equal(error.code, 'PERMISSION_DENIED');
  assert.equal(
    error.message,
    'ada may not get modelversions.slipway.dev in namespace team-b. Its administrator allows it with: ' +
      'kubectl create rolebinding ml-slipway-view-ada -n team-b --clusterrole=ml-slipway-view --user=ada',
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

test('a yes holds for thirty seconds and for that namespace only; a no is asked again', async () => {
  await authorize('good', 'team-a');
  await authorize('good', 'team-a');
  assert.equal(asked.length, 2);
  await refusal('good', 'team-b');
  await refusal('good', 'team-b');
  assert.equal(asked.length, 6);
  time = 30_000;
  await authorize('good', 'team-a');
  assert.equal(asked.length, 8);
});

test('an API server that does not answer is 503, and what it said stays inside', async () => {
  reviews.authenticate = async () => {
    throw new Error('connect ECONNREFUSED 10.0.0.1:443');
  };
  const error = await refusal('good', 'team-a');
  assert.equal(error.code, 'TEMPORARILY_UNAVAILABLE');
  assert.doesNotMatch(error.message, /10\.0\.0\.1/);
});
