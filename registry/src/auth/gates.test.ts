/** Every way of asking who it is × every kind of caller × reading and writing. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runTokenFor } from '@slipway/contract';
import { ApiError } from '../errors.ts';
import type { Access } from '../http/exchange.ts';
import { credentialsOf } from './credentials.ts';
import { type Gate, openToAll } from './gate.ts';
import { kubernetesGate } from './kubernetes.ts';
import { runTokenGate } from './run-tokens.ts';
import { secretGate } from './secret.ts';
import { parseUsers } from './users.ts';

const basic = (username: string, password: string) =>
  `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
const bearer = (token: string) => `Bearer ${token}`;

const key = 'k'.repeat(40);
const [open, ended] = ['a'.repeat(32), 'b'.repeat(32)];
const runToken = (namespace: string, runId: string, signer = key) => runTokenFor(signer, { namespace, runId });

const users = parseUsers(
  JSON.stringify({
    users: [
      { username: 'ada', password: 'ada-secret', role: 'editor' },
      { username: 'bob', password: 'bob:secret', role: 'reader', namespaces: ['team-a'] },
    ],
    tokens: [
      { name: 'ci', token: 'ci-token-0123456789', role: 'editor', namespaces: ['team-a'] },
      { name: 'dashboard', token: 'dashboard-token-0123', role: 'reader' },
    ],
  }),
);

/** Rights in team-a, by token. */
const rights: Readonly<Record<string, readonly string[]>> = {
  viewer: ['get'],
  editor: ['get', 'update'],
  stranger: [],
};
const reviews = {
  authenticate: async (token: string) => (token in rights ? { username: token } : undefined),
  may: async ({ username }: { username: string }, verb: string, namespace: string) =>
    namespace === 'team-a' && (rights[username] ?? []).includes(verb),
};

const inner: Readonly<Record<string, Gate>> = {
  none: openToAll,
  secret: secretGate(users),
  kubernetes: kubernetesGate(reviews, { now: () => 0, viewRole: 'slipway-view', editRole: 'slipway-edit' }),
};
const gates = Object.fromEntries(
  Object.entries(inner).map(([mode, gate]) => [
    mode,
    runTokenGate({ key, isOpen: async (_, runId) => runId === open, now: () => 0 }, gate),
  ]),
);

/** The caller's name, or the code of the refusal. */
async function outcome(gate: Gate, header: string | undefined, namespace: string, access: Access): Promise<string> {
  try {
    const { name, runId } = await gate(credentialsOf(header), namespace, access);
    return runId === undefined ? name : `${name} (one run)`;
  } catch (error) {
    assert.ok(error instanceof ApiError, String(error));
    return `${error.status} ${error.code}`;
  }
}

const [who, may] = ['401 UNAUTHENTICATED', '403 PERMISSION_DENIED'];
/** mode, header, what it is; then the outcome of: reading and writing team-a, reading and writing team-b. */
const table: readonly (readonly [string, string | undefined, string, string, string, string, string])[] = [
  ['none', undefined, 'nobody', 'anonymous', 'anonymous', 'anonymous', 'anonymous'],
  ['none', bearer('whatever'), 'an unknown token', 'anonymous', 'anonymous', 'anonymous', 'anonymous'],

  ['secret', undefined, 'nobody', who, who, who, who],
  ['secret', 'Digest x', 'another scheme', who, who, who, who],
  ['secret', basic('ada', 'ada-secret'), 'an editor', 'ada', 'ada', 'ada', 'ada'],
  ['secret', basic('ada', 'wrong'), 'a wrong password', who, who, who, who],
  ['secret', basic('eve', 'ada-secret'), 'an unknown user', who, who, who, who],
  ['secret', basic('eve', ''), 'an unknown user without a password', who, who, who, who],
  ['secret', basic('bob', 'bob:secret'), 'a reader of team-a, colon in the password', 'bob', may, may, may],
  ['secret', bearer('ci-token-0123456789'), 'an editor’s token for team-a', 'ci', 'ci', may, may],
  ['secret', bearer('dashboard-token-0123'), 'a reader’s token', 'dashboard', may, 'dashboard', may],
  ['secret', bearer('ada-secret'), 'a password as a token', who, who, who, who],
  ['secret', basic('ci', 'ci-token-0123456789'), 'a token as a password', who, who, who, who],
  ['secret', bearer('ci-token-0123456780'), 'an unknown token', who, who, who, who],

  ['kubernetes', undefined, 'nobody', who, who, who, who],
  ['kubernetes', bearer('viewer'), 'who may get', 'viewer', may, may, may],
  ['kubernetes', bearer('editor'), 'who may update', 'editor', 'editor', may, may],
  ['kubernetes', basic('anything', 'editor'), 'the token as a password', 'editor', 'editor', may, may],
  ['kubernetes', basic('editor', ''), 'a user name alone', who, who, who, who],
  ['kubernetes', bearer('stranger'), 'who may nothing', may, may, may, may],
  ['kubernetes', bearer('forged'), 'an unknown token', who, who, who, who],

  ...['none', 'secret', 'kubernetes'].flatMap((mode) => {
    const run = `run/${open} (one run)`;
    return [
      [mode, bearer(runToken('team-a', open)), 'the token of a run that goes on', run, run, may, may],
      [mode, basic('x', runToken('team-a', open)), 'the same as a password', run, run, may, may],
      [mode, bearer(runToken('team-a', ended)), 'the token of a run that has ended', who, who, may, may],
      [mode, bearer(runToken('team-a', open, 'other')), 'a run token somebody else signed', who, who, who, who],
    ] as const;
  }),
];

for (const [mode, header, what, readA, writeA, readB, writeB] of table)
  test(`${mode}: ${what}`, async () => {
    const gate = gates[mode] as Gate;
    const outcomes = [
      await outcome(gate, header, 'team-a', 'read'),
      await outcome(gate, header, 'team-a', 'write'),
      await outcome(gate, header, 'team-b', 'read'),
      await outcome(gate, header, 'team-b', 'write'),
    ];
    assert.deepEqual(outcomes, [readA, writeA, readB, writeB]);
  });

test('without a key tokens of runs are like any other', async () => {
  assert.equal(await outcome(inner['secret'] as Gate, bearer(runToken('team-a', open)), 'team-a', 'read'), who);
});

test('a refusal says the next step and repeats no secret', async () => {
  const refusal = async (mode: string, header: string | undefined, access: Access) =>
    (await (gates[mode] as Gate)(credentialsOf(header), 'team-a', access).catch((error) => error)).message as string;
  assert.match(await refusal('secret', basic('ada', 'hunter2'), 'read'), /MLFLOW_TRACKING_USERNAME/);
  assert.doesNotMatch(await refusal('secret', basic('ada', 'hunter2'), 'read'), /hunter2/);
  assert.match(await refusal('secret', basic('bob', 'bob:secret'), 'write'), /bob is a reader .* "role: editor"/);
  assert.match(await refusal('kubernetes', undefined, 'read'), /MLFLOW_TRACKING_TOKEN.*kubectl create token/);
});

test('that a run goes on is believed for five seconds, that it has ended never', async () => {
  let [now, isOpen, asked] = [0, true, 0];
  const gate = runTokenGate(
    {
      key,
      now: () => now,
      isOpen: async () => {
        asked++;
        return isOpen;
      },
    },
    openToAll,
  );
  const at = async (time: number) => {
    now = time;
    return outcome(gate, bearer(runToken('team-a', open)), 'team-a', 'write');
  };
  const run = `run/${open} (one run)`;
  assert.deepEqual([await at(0), await at(4_999), asked], [run, run, 1]);
  isOpen = false;
  assert.deepEqual([await at(5_000), await at(5_001), asked], [who, who, 3]);
});
