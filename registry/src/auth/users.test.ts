import assert from 'node:assert/strict';
import { createHash, scryptSync } from 'node:crypto';
import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { parseUsers, UsersFileError } from './users.ts';
import { openUsersFile } from './users-file.ts';

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');
const unpadded = (bytes: Buffer) => bytes.toString('base64').replace(/=+$/, '');
function scryptOf(password: string): string {
  const salt = Buffer.from('0123456789abcdef');
  const hash = scryptSync(password, salt, 32, { N: 2 ** 12, r: 8, p: 1 });
  return `$scrypt$ln=12,r=8,p=1$${unpadded(salt)}$${unpadded(hash)}`;
}

test('a password may be kept as it is, as a digest, or derived', async () => {
  const users = parseUsers(`
users:
  - {username: plain, password: one, role: reader}
  - {username: digest, passwordSha256: ${sha256('two')}, role: reader}
  - {username: derived, passwordScrypt: "${scryptOf('three')}", role: reader}
tokens:
  - {name: robot, tokenSha256: ${sha256('a token of some length')}, role: editor}
`);
  for (const [username, password] of [
    ['plain', 'one'],
    ['digest', 'two'],
    ['derived', 'three'],
  ] as const) {
    for (let time = 0; time < 2; time++)
      assert.equal((await users.find({ kind: 'password', username, password }))?.name, username);
    assert.equal(await users.find({ kind: 'password', username, password: 'wrong' }), undefined, username);
  }
  assert.equal((await users.find({ kind: 'token', token: 'a token of some length' }))?.name, 'robot');
  assert.equal(await users.find({ kind: 'password', username: 'digest', password: sha256('two') }), undefined);
});

for (const [what, text, message] of [
  ['no YAML', 'users: [{', /neither YAML nor JSON/],
  ['nobody', '{}', /names no user and no token/],
  ['an empty file', '', /names no user and no token/],
  [
    'an unknown role',
    '{"users":[{"username":"a","password":"canary","role":"admin"}]}',
    /users\.0\.role: expected reader/,
  ],
  [
    'two forms of one password',
    '{"users":[{"username":"a","password":"canary","passwordSha256":"x","role":"reader"}]}',
    /users\.0/,
  ],
  ['no password', '{"users":[{"username":"a","role":"reader"}]}', /exactly one of password/],
  [
    'a misspelt field',
    '{"users":[{"username":"a","password":"canary","role":"reader","namespace":["x"]}]}',
    /namespace/,
  ],
  [
    'a token anybody could guess',
    '{"tokens":[{"name":"a","token":"canary","role":"reader"}]}',
    /tokens\.0\.token: expected 16/,
  ],
  [
    'a cost that stops the process',
    '{"users":[{"username":"a","passwordScrypt":"$scrypt$ln=30,r=8,p=1$MDEyMzQ1Njc4OQ$MDEyMzQ1Njc4OWFiY2RlZg","role":"reader"}]}',
    /cost/,
  ],
  [
    'one name twice',
    '{"users":[{"username":"a","password":"canary","role":"reader"}],"tokens":[{"name":"a","token":"canary-canary-canary","role":"reader"}]}',
    /a is named twice/,
  ],
] as const)
  test(`a file with ${what} is refused, and no secret repeated`, () => {
    assert.throws(
      () => parseUsers(text),
      (error: Error) => {
        assert.ok(error instanceof UsersFileError);
        assert.match(error.message, message);
        assert.doesNotMatch(error.message, /canary/);
        return true;
      },
    );
  });

/** As the kubelet writes a Secret: a folder of each generation, and a link that is turned to the newest. */
function mounted(folder: string) {
  let generation = 0;
  return (text: string) => {
    const name = `generation-${++generation}`;
    mkdirSync(join(folder, name));
    writeFileSync(join(folder, name, 'users.yaml'), text);
    symlinkSync(name, join(folder, 'next'));
    renameSync(join(folder, 'next'), join(folder, 'now'));
  };
}

test('whoever guesses passwords waits in a short line, and a client that knows its own does not', async () => {
  const users = parseUsers(`users: [{username: ada, passwordScrypt: "${scryptOf('three')}", role: editor}]`);
  const asks = (username: string, password: string) => users.find({ kind: 'password', username, password });
  const right = await Promise.all(Array.from({ length: 100 }, () => asks('ada', 'three')));
  assert.ok(
    right.every((account) => account?.name === 'ada'),
    'many requests at once are one derivation',
  );
  const guesses = Array.from({ length: 100 }, (_, n) => asks(n % 2 ? 'ada' : 'nobody', `guess-${n}`));
  assert.equal((await asks('ada', 'three'))?.name, 'ada');
  const answers = await Promise.allSettled(guesses);
  const refused = answers.filter((answer) => answer.status === 'rejected');
  assert.ok(refused.length > 50, 'most are turned away at once');
  assert.ok(refused.every(({ reason }) => reason.code === 'REQUEST_LIMIT_EXCEEDED'));
  assert.ok(answers.every((answer) => answer.status === 'rejected' || answer.value === undefined));
  assert.equal(await asks('ada', 'later'), undefined, 'the line moves on');
});

test('a changed file holds within a second; a broken one is reported, and the one before goes on holding', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'users-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const write = mounted(folder);
  const with_ = (password: string) => `users: [{username: ada, password: ${password}, role: editor}]`;
  write(with_('one'));
  let now = 0;
  const problems: unknown[] = [];
  const users = await openUsersFile(join(folder, 'now/users.yaml'), {
    now: () => now,
    onProblem: (error) => problems.push(error),
  });
  const knows = async (password: string) =>
    (await users.find({ kind: 'password', username: 'ada', password })) !== undefined;
  write(with_('two'));
  now += 1_000;
  assert.deepEqual([await knows('one'), await knows('two')], [false, true]);
  write('users: [');
  now += 1_000;
  assert.equal(await knows('two'), true);
  assert.equal(problems.length, 1);
  write(with_('three'));
  now += 1_000;
  assert.deepEqual([await knows('two'), await knows('three')], [false, true]);
});

test('a file that cannot be used at the start is an error', async () => {
  await assert.rejects(openUsersFile('/nowhere/users.yaml', { now: () => 0, onProblem: () => {} }), /ENOENT/);
});
