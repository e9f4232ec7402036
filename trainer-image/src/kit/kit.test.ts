import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { INPUT_DIGESTS_FILE, InputDigests, sha256Hex } from '@slipway/contract';
import { check, tableOf } from './check.ts';
import { parametersFrom, prepare } from './prepare.ts';

/** y = 2x + 1. */
const LINE =
  'CAg6dwoSCgF4CgF3EgJ3eCIGTWF0TXVsCg8KAnd4CgFiEgF5IgNBZGQSBGxpbmUqDwgBCAEQAUIBd0oEAAAAQCoNCAEQAUIBYkoEAACAP1oUCgF4Eg8K' +
  'DQgBEgkKAxIBTgoCCAFiFAoBeRIPCg0IARIJCgMSAU4KAggBQgQKABAN';
const SIGNATURE = { inputs: [{ name: 'x', type: 'float32' }], outputs: [{ name: 'y', type: 'float32' }] };

let folder: string;
const folders = () => ({
  inputDir: join(folder, 'input'),
  outputDir: join(folder, 'output'),
  dataDir: join(folder, 'data'),
  builtinDir: join(import.meta.dirname, '../../data'),
});
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'slipway-kit-'));
  await prepare({}, folders());
  await write('model/model.onnx', Buffer.from(LINE, 'base64'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

async function write(path: string, content: string | Uint8Array): Promise<void> {
  const file = join(folder, 'output', path);
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, content);
}
const findings = (exitCode = 0) => check({ ...folders(), exitCode });
const wrongs = async (exitCode = 0) => (await findings(exitCode)).filter(({ verdict }) => verdict === 'wrong');

test('a model alone breaks no rule, and the table says what the other files would buy', async () => {
  assert.deepEqual(await wrongs(), []);
  const table = tableOf(await findings());
  assert.match(table, /^ok +model\/model\.onnx +an ONNX model of 129 bytes$/m);
  assert.match(table, /^absent +progress\.json /m);
});

test('every file there is, right: nothing is absent', async () => {
  await write('signature.json', JSON.stringify(SIGNATURE));
  await write('examples.json', '{"inputs": [{"x": 1}], "outputs": {"y": [[3]]}}');
  await write('metrics.json', '{"rmse": 0.1}');
  await write('metrics.jsonl', '{"key":"rmse","value":1}\n');
  await write('params.json', '{"alpha": "1"}');
  await write('progress.json', '{"percent": 100}');
  await write('held-out.csv', 'x,__target__\n1,3\n');
  assert.deepEqual(
    (await findings()).filter(({ verdict }) => verdict !== 'ok'),
    [],
  );
});

for (const [path, content, rule, message] of [
  ['model/model.onnx', 'a pickle', 'model/model.onnx', /InvalidModel: .*not an ONNX model/],
  ['signature.json', '{"inputs": []}', 'signature.json', /inputs: .*; write what/],
  ['examples.json', 'x', 'examples.json', /expected JSON/],
  ['metrics.json', '{"a": NaN}', 'metrics.json', /InvalidMetrics: .*no NaN/],
  ['metrics.jsonl', '{"key":"a"}', 'metrics.jsonl', /line 1: value/],
  ['params.json', '{"alpha": 1}', 'params.json', /alpha: /],
  ['progress.json', '{"percent": 250}', 'progress.json', /percent: /],
  ['held-out.csv', 'x\n1\n', 'held-out.csv', /no column __target__;/],
  ['held-out.csv', 'x,__target__\n', 'held-out.csv', /no row/],
  ['held-out.csv', 'x,__target__\n1,2,3\n', 'held-out.csv', /not CSV /],
  ['metric.json', '{}', 'other files', /metric\.json: read by nobody/],
  ['artifacts/a\\b', 'x', 'model/, artifacts/', /cannot be used; rename it/],
] as const) {
  test(`${path} with ${JSON.stringify(content)} is wrong in its own line`, async () => {
    await write(path, content);
    const found = (await wrongs()).find((finding) => finding.rule === rule);
    assert.match(found?.message ?? 'not found wrong', message);
  });
}

test('held-out rows lack an input the signature has, also when that lies in the model folder', async () => {
  await write('model/signature.json', JSON.stringify(SIGNATURE));
  await write('held-out.csv', 'z,__target__\n1,2\n');
  assert.match((await wrongs()).find(({ rule }) => rule === 'held-out.csv')?.message ?? '', /no column x /);
  await write('held-out.csv', 'X,__target__\n1,2\n');
  assert.deepEqual(await wrongs(), [], 'names match as in requests');
});

test('a link out of the output is found, and is not read', async () => {
  await symlink('/etc/hostname', join(folder, 'output/model/weights'));
  const rules = (await wrongs()).map(({ rule }) => rule);
  assert.deepEqual(rules, ['model/, artifacts/', 'all together']);
});

test('a trainer that failed is wrong whatever it left', async () => {
  assert.deepEqual(
    (await wrongs(3)).map(({ rule, message }) => [rule, message.split(':')[0]]),
    [['exit code', 'TrainerFailed']],
  );
});

test('no model is wrong unless one version was registered by mlflow, no more and no less', async () => {
  await rm(join(folder, 'output/model'), { recursive: true });
  assert.match((await wrongs())[0]?.message ?? '', /NoModelProduced: got no file and 0 versions/);
  await write('mlruns/models/wine/version-1/meta.yaml', '');
  assert.deepEqual(await wrongs(), []);
  await write('mlruns/models/wine/version-2/meta.yaml', '');
  assert.match((await wrongs())[0]?.message ?? '', /got no file and 2 versions/);
});

test('what is prepared is what a pod is given: inputs, parameters, digests, environment, and nothing of the last time', async () => {
  await write('left.txt', 'of the last time');
  await mkdir(join(folder, 'data'));
  await writeFile(join(folder, 'data/rows.csv'), 'a\n1\n');
  const environment = await prepare({ n_estimators: '5' }, folders());
  assert.equal(environment['PARAM_N_ESTIMATORS'], '5');
  assert.equal(environment['HOME'], '/tmp');
  assert.equal(await readFile(join(folder, 'input/rows.csv'), 'utf8'), 'a\n1\n');
  assert.deepEqual(JSON.parse(await readFile(join(folder, 'input/params.json'), 'utf8')), { n_estimators: '5' });
  const digests = InputDigests.parse(JSON.parse(await readFile(join(folder, 'input', INPUT_DIGESTS_FILE), 'utf8')));
  assert.deepEqual(
    digests.map(({ name, sha256, size }) => [name, sha256, size]),
    [['rows.csv', sha256Hex('a\n1\n'), 4]],
  );
  await assert.rejects(readFile(join(folder, 'output/left.txt')), { code: 'ENOENT' });
  await assert.rejects(readFile(join(folder, 'input/train')), { code: 'ENOENT' });
});

test('without a folder to read, what is missing is told', async () => {
  const nowhere = { ...folders(), outputDir: join(folder, 'nowhere') };
  await assert.rejects(check({ ...nowhere, exitCode: 0 }), { message: /nowhere cannot be read \(ENOENT\): mount/ });
});

test('a parameter that is none is refused by its own words', () => {
  assert.deepEqual(parametersFrom(['a=1=2', 'b=']), { a: '1=2', b: '' });
  assert.throws(() => parametersFrom(['n-trees=5']), /"n-trees=5": expected NAME=VALUE/);
});
