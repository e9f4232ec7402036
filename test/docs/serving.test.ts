/** The guide for serving says what the code does: its settings, metrics, flags and examples. */
import assert from 'node:assert/strict';
import { existsSync, globSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { parseAllDocuments } from 'yaml';
import { InferenceService, InferenceServiceSpec } from '../../operator/src/controllers/inference-service/api.ts';
import { blockOf } from '../../scripts/readme-blocks.ts';

const GUIDE = 'docs/serving.md';
const guide = readFileSync(GUIDE, 'utf8');
const sources = globSync('serving-image/src/**/*.ts', { exclude: (name) => name.endsWith('.test.ts') }).map((file) =>
  readFileSync(file, 'utf8'),
);

test('every field of the spec is named', () => {
  const missing = Object.keys(InferenceServiceSpec.shape).filter((name) => !guide.includes(name));
  assert.deepEqual(
    missing,
    ['model', 'resources'].filter((name) => missing.includes(name)),
  );
});

test('every metric the server counts is in the table, and no other', () => {
  const counted = new Set(
    sources.flatMap((text) => [...text.matchAll(/'(slipway_[a-z_]+)'/g)].map(([, name]) => name)),
  );
  const told = new Set([...guide.matchAll(/`(slipway_[a-z_]+)/g)].map(([, name]) => name));
  assert.deepEqual(
    [...told].filter((name) => !counted.has(name)),
    [],
  );
  assert.deepEqual(
    [...counted].filter((name) => !told.has(name)),
    [],
  );
});

test('the limits are those the server has', () => {
  const config = readFileSync('serving-image/src/config.ts', 'utf8');
  for (const [name, value] of [
    ['MAX_BODY_BYTES', '8 * 1024 * 1024'],
    ['MAX_ROWS', '4096'],
    ['MAX_QUEUED_REQUESTS', '1024'],
    ['REQUEST_TIMEOUT_MS', '10_000'],
  ] as const) {
    assert.ok(config.includes(`${name}: Count(${value},`), `${name} is no longer ${value}`);
    assert.ok(guide.includes(`\`${name}\``), name);
  }
});

test('every flag of a batch the guide names is one', () => {
  const options = readFileSync('serving-image/src/batch/options.ts', 'utf8');
  const batch = /## Files of rows([\s\S]*?)\n## /.exec(guide)?.[1] ?? '';
  const flags = [...batch.matchAll(/`--([a-z-]+)/g)].map(([, name]) => name as string);
  assert.ok(flags.length > 5);
  assert.deepEqual(
    flags.filter((name) => !new RegExp(`(^|\\s)'?${name}'?:`).test(options)),
    [],
  );
});

for (const [, path] of guide.matchAll(/<!-- begin (examples\/\S+) -->/g)) {
  test(`the guide shows ${path} as it is`, () => {
    assert.equal(blockOf(guide, path as string), readFileSync(path as string, 'utf8').trimEnd());
  });
}

for (const [, name] of guide.matchAll(/<!-- begin (output: \S+) -->/g)) {
  test(`the guide shows a real ${name}`, () => assert.match(blockOf(guide, name as string) ?? '', /^\$ \S+/));
}

test('every InferenceService of the examples is one', () => {
  for (const file of globSync('examples/*.yaml')) {
    for (const document of parseAllDocuments(readFileSync(file, 'utf8'))) {
      const object = document.toJS() as { kind: string; metadata: object };
      if (object.kind !== 'InferenceService') continue;
      InferenceService.parse({ ...object, metadata: { namespace: 'x', ...object.metadata } });
      const unknown = Object.keys((object as unknown as { spec: object }).spec).filter(
        (name) => !(name in InferenceServiceSpec.shape),
      );
      assert.deepEqual(unknown, [], file);
    }
  }
});

test('every local link leads somewhere', () => {
  const dead = [...guide.matchAll(/\]\((?!http|#)([^)#]+)/g)].filter(
    ([, target]) => !existsSync(join(dirname(GUIDE), target as string)),
  );
  assert.deepEqual(
    dead.map(([, target]) => target),
    [],
  );
});
