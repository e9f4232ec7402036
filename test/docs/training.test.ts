/** The guide for training says what the code does: its parameters, causes, conditions, missing values and examples. */
import assert from 'node:assert/strict';
import { existsSync, globSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { parseAllDocuments } from 'yaml';
import { ALGORITHM_NAMES, TASKS } from '../../contract/src/index.ts';
import * as api from '../../operator/src/controllers/training-job/api.ts';
import { TrainingJobSpec, TrainingJobStatus } from '../../operator/src/controllers/training-job/api.ts';
import { problemOf } from '../../operator/src/controllers/training-job/training.ts';
import { blockOf } from '../../scripts/readme-blocks.ts';
import { MISSING_WORDS } from '../../trainer-image/src/data/cells.ts';
import { BUILTIN_DATA } from '../../trainer-image/src/fetch/locate.ts';
import { ENCODING_RULES } from '../../trainer-image/src/train/encode.ts';
import { currentGuide, GUIDE } from './parameters-table.ts';

const guide = readFileSync(GUIDE, 'utf8');

test('the table of parameters is what trainer and operator read', () => {
  assert.equal(guide, currentGuide(), 'renew it: node test/docs/parameters-table.ts --write');
});

test('every algorithm is there with what it learns and what it makes of missing numbers', () => {
  const made = {
    mean: "the column's mean",
    median: "the column's median",
    keep: 'learnt: each split says where they go',
  };
  for (const name of ALGORITHM_NAMES) {
    const learns = TASKS[name].map((task) => (task === 'classification' ? 'classes' : 'a quantity')).join(' or ');
    const row = `| \`${name}\` | ${learns} | ${made[ENCODING_RULES[name].missing]} |`;
    assert.ok(guide.includes(row), row);
  }
  for (const word of MISSING_WORDS) assert.ok(guide.includes(`\`${word}\``), word);
  for (const file of BUILTIN_DATA) assert.ok(guide.includes(`\`builtin://${file}\``), file);
});

test('every cause and every condition is explained', () => {
  const { SUCCEEDED, RUNNING, REGISTERED, GATE_PASSED, SLA_MISSED } = api;
  const causes = TrainingJobStatus.shape.runs.unwrap().element.shape.cause.options;
  for (const word of [...causes, SUCCEEDED, RUNNING, REGISTERED, GATE_PASSED, SLA_MISSED])
    assert.ok(guide.includes(`\`${word}\``), word);
});

for (const file of ['docs/training.md', 'docs/trainer-contract.md']) {
  const text = readFileSync(file, 'utf8');
  test(`every local link of ${file} leads somewhere`, () => {
    const targets = [...text.matchAll(/\]\((?!http)([^)#]+)\)/g)].map(([, target]) => target as string);
    assert.deepEqual(
      targets.filter((target) => !existsSync(join(dirname(file), target))),
      [],
    );
  });
  for (const [, path] of text.matchAll(/<!-- begin (examples\/\S+) -->/g)) {
    test(`${file} shows ${path} as it is`, () => {
      assert.equal(blockOf(text, path as string), readFileSync(path as string, 'utf8').trimEnd());
    });
  }
  for (const [, name] of text.matchAll(/<!-- begin (output: \S+) -->/g)) {
    test(`${file} shows a real ${name}`, () => assert.match(blockOf(text, name as string) ?? '', /^\$ \S+/));
  }
}

/** What the API server takes can still be refused by the operator before a pod is made. */
for (const file of globSync('examples/**/*.yaml')) {
  const jobs = parseAllDocuments(readFileSync(file, 'utf8'))
    .map((document) => document.toJS() as { kind: string; spec: unknown })
    .filter(({ kind }) => kind === 'TrainingJob');
  for (const { spec } of jobs) {
    test(`${file} is a training that can run`, () => assert.equal(problemOf(TrainingJobSpec.parse(spec)), undefined));
  }
}
