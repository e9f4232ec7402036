/** What the chart does with passwords: it invents them, shows each once, and takes yours instead. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { find, type Manifest, render, template } from './helm.ts';

const secrets = (objects: readonly Manifest[]) => objects.filter(({ kind }) => kind === 'Secret');
const decode = (text: string) => Buffer.from(text, 'base64').toString();
/** The values nobody may guess: a user name and a database name are none. */
const confidential = (objects: readonly Manifest[]): string[] =>
  secrets(objects)
    .flatMap(({ data }) => Object.entries(data as Record<string, string>))
    .filter(([key]) => !['username', 'database'].includes(key))
    .map(([, value]) => decode(value));

test('passwords are random, long and different from one another and from the next installation', () => {
  const [one, other] = [confidential(render()), confidential(render())];
  assert.equal(one.length, 5);
  assert.ok([...one, ...other].every((value) => value.length >= 20));
  assert.equal(new Set([...one, ...other]).size, 10);
});

test('a password stands in its Secret and nowhere else', () => {
  const { stdout } = template();
  for (const secret of [...stdout.matchAll(/^ {2}(?:key|password|accessKey|secretKey): (\S+)$/gm)]) {
    const encoded = secret[1] as string;
    assert.equal(stdout.split(encoded).length - 1, 1);
    assert.equal(stdout.split(decode(encoded)).length - 1, 0);
  }
});

test('no value of the chart is a password', () => {
  const { stdout } = template({}, '--show-only=templates/operator.yaml');
  assert.doesNotMatch(stdout, /(PASSWORD|SECRET_KEY|ACCESS_KEY|INSTALL_KEY|USERNAME)\n\s+value:/);
});

test('the generated Secrets have the keys others read', () => {
  const objects = render();
  const keys = (name: string) => Object.keys(find(objects, 'Secret', name).data).sort();
  assert.deepEqual(keys('slipway-postgres'), ['database', 'password', 'username']);
  assert.deepEqual(keys('slipway-object-storage'), ['accessKey', 'secretKey']);
  for (const name of ['slipway-install-key', 'slipway-run-tokens']) assert.deepEqual(keys(name), ['key']);
});

for (const [path, name] of [
  ['postgres', 'slipway-postgres'],
  ['objectStorage', 'slipway-object-storage'],
] as const) {
  test(`${path}.existingSecret: none is generated, and the bundled store and its users read yours`, () => {
    const objects = render({ [path]: { existingSecret: 'mine' } });
    assert.ok(!secrets(objects).some(({ metadata }) => metadata.name === name));
    const text = JSON.stringify(objects);
    assert.ok(!text.includes(`"secretKeyRef":{"name":"${name}"`));
    assert.ok(text.split('"secretKeyRef":{"name":"mine"').length - 1 >= 4);
  });
}

for (const [path, values, name] of [
  ['operator.installKey', { operator: { installKey: { existingSecret: 'mine' } } }, 'slipway-install-key'],
  ['runTokens', { runTokens: { existingSecret: 'mine' } }, 'slipway-run-tokens'],
] as const) {
  test(`${path}.existingSecret: none is generated`, () => {
    const objects = render(values);
    assert.ok(!secrets(objects).some(({ metadata }) => metadata.name === name));
    assert.ok(JSON.stringify(objects).includes('"secretKeyRef":{"name":"mine","key":"key"}'));
    assert.ok(!JSON.stringify(objects).includes(`"secretKeyRef":{"name":"${name}"`));
  });
}
