/** docs/registry-settings.md and the program say the same. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { objectStorageFromEnv, postgresFromEnv } from '@slipway/contract';
import { parseUsers } from './auth/users.ts';
import { configFromEnv, RegistryVariables } from './config.ts';

const text = readFileSync(new URL('../../docs/registry-settings.md', import.meta.url), 'utf8');

/** Default by variable, as the table has them. */
const documented = new Map(
  [...text.matchAll(/^\| `([A-Z_]+)` \|(?: `(.*?)`| (required))? \|/gm)].map(([, name, initial, required]) => [
    name as string,
    required ?? initial ?? '',
  ]),
);

/** What a reader of the environment asks for. */
function asked(read: (env: Record<string, string | undefined>) => unknown): string[] {
  const names = new Set<string>();
  const recording = new Proxy({} as Record<string, string | undefined>, {
    get: (_, name) => void names.add(String(name)),
    has: (_, name) => {
      names.add(String(name));
      return false;
    },
  });
  try {
    read(recording);
  } catch {
    // It misses nearly everything.
  }
  return [...names].filter((name) => /^[A-Z_]+$/.test(name));
}

const ofStores = [...asked(postgresFromEnv), ...asked(objectStorageFromEnv)];
const own = Object.keys(RegistryVariables.shape);

test('the table names every variable there is, and no other', () => {
  assert.ok(ofStores.length >= 10, ofStores.join());
  assert.deepEqual([...documented.keys()].sort(), [...own, ...ofStores].sort());
});

/** What the program goes by when the variable alone is left out of an environment that has all that is required. */
test('a default in the table gives what leaving the variable out gives', () => {
  const required = Object.fromEntries(
    [...documented].filter(([, initial]) => initial === 'required').map(([name]) => [name, 'http://required:1']),
  );
  const without = configFromEnv(required);
  const optional = [...documented].filter(([, initial]) => initial !== 'required' && initial !== '');
  for (const [name, initial] of optional)
    assert.deepEqual(configFromEnv({ ...required, [name]: initial }), without, name);
  for (const name of Object.keys(required))
    assert.throws(() => configFromEnv({ ...required, [name]: undefined }), new RegExp(`${name}: is not set`));
});

test('the example of a file of users is one', async () => {
  const users = parseUsers(/```yaml\n(users:[^`]*)```/.exec(text)?.[1] ?? '');
  const role = async (username: string, password: string) =>
    (await users.find({ kind: 'password', username, password }))?.role;
  assert.equal(await role('ada', 'correct-horse-battery'), 'editor');
  assert.equal(await role('bob', 'the password'), 'reader');
  assert.equal((await users.find({ kind: 'token', token: 'a token for this example' }))?.name, 'ci');
});
