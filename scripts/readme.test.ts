import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { FailureReason } from '../contract/src/index.ts';
import { Reason as InferenceServiceReason } from '../operator/src/controllers/inference-service/api.ts';
import { Reason as ModelVersionReason } from '../operator/src/controllers/model-version/api.ts';
import { Reason as TrainingJobReason } from '../operator/src/controllers/training-job/api.ts';
import { blockOf, replaceBlock } from './readme-blocks.ts';

const readme = readFileSync('README.md', 'utf8');

for (const [, path] of readme.matchAll(/<!-- begin (examples\/\S+) -->/g)) {
  test(`the README shows ${path} as it is`, () => {
    assert.equal(blockOf(readme, path as string), readFileSync(path as string, 'utf8').trimEnd());
  });
}

for (const [, name] of readme.matchAll(/<!-- begin (output: \S+) -->/g)) {
  test(`the README shows a real ${name}`, () => assert.match(blockOf(readme, name as string) ?? '', /^\$ \S+/));
}

test('every local link of the README leads somewhere', () => {
  const dead = [...readme.matchAll(/\]\((?!http)([^)#]+)\)/g)].filter(([, target]) => !existsSync(target as string));
  assert.deepEqual(
    dead.map(([, target]) => target),
    [],
  );
});

test('a block is replaced and nothing around it', () => {
  const text = 'a\n<!-- begin x -->\nold\n<!-- end -->\nb';
  assert.equal(replaceBlock(text, 'x', 'new\n', ''), 'a\n<!-- begin x -->\n```\nnew\n```\n<!-- end -->\nb');
  assert.throws(() => replaceBlock(text, 'y', '', ''), /no block named y/);
});

test('every reason a condition can give is in the README', () => {
  const kinds = [TrainingJobReason, ModelVersionReason, InferenceServiceReason];
  const reasons = new Set([...FailureReason.options, ...kinds.flatMap((reason) => Object.values<string>(reason))]);
  assert.deepEqual(
    [...reasons].filter((reason) => !readme.includes(`\`${reason}\``)),
    [],
  );
});
