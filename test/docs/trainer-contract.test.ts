/** The document of the trainer contract names what the contract names: no file, variable or limit more, and none less. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import * as contract from '../../contract/src/index.ts';
import { ColumnType, FailureReason } from '../../contract/src/index.ts';
import { Reason } from '../../operator/src/controllers/training-job/api.ts';
import { environmentFor } from '../../trainer-image/src/kit/prepare.ts';
import { EXAMPLE_TRAINERS } from '../support/example-trainers.ts';

const text = readFileSync('docs/trainer-contract.md', 'utf8');

/** The first cells of the table whose header begins with `first`, without their backticks. */
function firstCells(first: string): string[] {
  const lines = text.split('\n');
  const start = lines.findIndex((line) => line.startsWith(`| ${first}`));
  const rows = lines.slice(start + 2);
  return rows
    .slice(
      0,
      rows.findIndex((line) => !line.startsWith('|')),
    )
    .map((row) => row.split('|')[1]?.trim().replaceAll('`', '') ?? '');
}

test('the files a trainer finds are those of the contract', () => {
  const { INPUT_DIR, PARAMS_FILE, INPUT_DIGESTS_FILE } = contract;
  const expected = [`${INPUT_DIR}/${PARAMS_FILE}`, `${INPUT_DIR}/<name>`, `${INPUT_DIR}/${INPUT_DIGESTS_FILE}`];
  assert.deepEqual(firstCells('file |'), expected);
});

test('the files it may write are those of the contract', () => {
  const { MODEL_FILE, SIGNATURE_FILE, EXAMPLES_FILE, METRICS_FILE, METRICS_LINES_FILE, PARAMS_FILE } = contract;
  const { PROGRESS_FILE, HELD_OUT_FILE, PROFILE_FILE, OUTPUT_DIR, TARGET_COLUMN } = contract;
  assert.deepEqual(
    firstCells(`file below \`${OUTPUT_DIR}\``).sort(),
    [
      ...[MODEL_FILE, SIGNATURE_FILE, EXAMPLES_FILE, METRICS_FILE, METRICS_LINES_FILE, PARAMS_FILE],
      ...[PROGRESS_FILE, HELD_OUT_FILE, PROFILE_FILE, 'artifacts/**'],
    ].sort(),
  );
  assert.ok(text.includes(`\`${TARGET_COLUMN}\``));
  for (const type of ColumnType.options) assert.ok(text.includes(`\`${type}\``), type);
});

test('every variable of the containers is explained, and none that no pod has', () => {
  const source = readFileSync('operator/src/controllers/training-job/pod-containers.ts', 'utf8');
  const given = new Set(source.match(/\bMLFLOW_[A-Z_]+\b/g));
  const documented = firstCells('variable');
  assert.deepEqual(documented.filter((name) => name.startsWith('MLFLOW_')).sort(), [...given].sort());
  // The kit says which others there are; what it sets beside them is its own.
  const kit = Object.keys(environmentFor({ alpha: '1' })).filter((name) => !name.startsWith('MLFLOW_'));
  assert.deepEqual(kit, ['PARAM_ALPHA', 'RUN_ID', 'HOME']);
  assert.deepEqual(
    documented.filter((name) => !name.startsWith('MLFLOW_')),
    ['PARAM_<NAME>', 'RUN_ID', 'HOME'],
  );
});

test('every reason it speaks of is one a condition can give', () => {
  const known = new Set<string>([...FailureReason.options, ...Object.values(Reason)]);
  const spoken = [...text.matchAll(/`([A-Z][a-z]+[A-Z][A-Za-z]+|OOMKilled|Evicted)`/g)].map(
    ([, word]) => word as string,
  );
  assert.ok(spoken.length > 8);
  assert.deepEqual(
    spoken.filter((word) => !known.has(word) && word !== 'RuntimeDefault'),
    [],
  );
});

test('every example has what its reader needs, and its TrainingJob names the image the tests build', () => {
  for (const name of EXAMPLE_TRAINERS) {
    const folder = `examples/trainers/${name}`;
    assert.match(readFileSync(`${folder}/Dockerfile`, 'utf8'), /^ARG BASE_IMAGE=\S+$/m);
    assert.match(readFileSync(`${folder}/README.md`, 'utf8'), /kubectl apply -f trainingjob\.yaml/);
    assert.ok(readFileSync(`${folder}/trainingjob.yaml`, 'utf8').includes(`image: slipway/example-${name}:dev`));
  }
});
