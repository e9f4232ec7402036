/** Models in the forms that mlflow has become ONNX that our own server verifies, or are refused with what to do. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, type TestContext, test } from 'node:test';
import { ConversionReport, Examples, ModelSignature } from '@slipway/contract';
import { inspectFile, loadModel } from '../../serving-image/src/model/load.ts';
import { pythonWith } from '../../test/conformance/venv.ts';
import { type Converter, convert, converter, pythonPath, script, temporaryFolder } from './environment.ts';

interface Outcome {
  readonly folder: string;
  readonly reason: string;
  readonly message: string;
}

let found: Converter | string;
before(
  async () => {
    found = await converter();
  },
  { timeout: 600_000 },
);

/** Undefined, and the test skipped, where nothing here can convert. */
function converterOr(t: TestContext): Converter | undefined {
  if (typeof found !== 'string') return found;
  t.skip(found);
  return undefined;
}

const read = (dir: string, name: string): unknown => JSON.parse(readFileSync(join(dir, name), 'utf8'));

/** Loads it as the server does, examples and all; gives the answer for its first example. */
async function servedAnswer(dir: string): Promise<{ readonly signature: ModelSignature; readonly said: unknown }> {
  const files = readdirSync(dir).map((path) => {
    const bytes = readFileSync(join(dir, path));
    return { path, size: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex') };
  });
  assert.deepEqual(files.map(({ path }) => path).toSorted(), [
    'conversion.json',
    'examples.json',
    'model.onnx',
    'signature.json',
  ]);
  await inspectFile(dir, files);
  const model = await loadModel(dir, files, 1);
  const { inputs } = Examples.parse(read(dir, 'examples.json'));
  assert.ok(inputs.length > 0 && inputs.length <= 64);
  const said = model.read(await model.session.run(model.encode(inputs.slice(0, 1))));
  await model.session.release();
  ConversionReport.parse(read(dir, 'conversion.json'));
  return { signature: ModelSignature.parse(read(dir, 'signature.json')), said };
}

async function convertMany({ libraries, ...rest }: Converter, folders: readonly string[]): Promise<Outcome[]> {
  const text = await script({ libraries, ...rest }, 'convert_many.py', libraries, ...folders);
  return text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Outcome);
}

for (const label of ['new', 'old']) {
  test(`what mlflow (${label}) saves, in each of its formats, is converted`, { timeout: 600_000 }, async (t) => {
    const here = converterOr(t);
    if (!here) return;
    const python = await pythonWith(
      join(import.meta.dirname, `../../test/conformance/python/requirements-${label}.txt`),
    );
    const work = temporaryFolder(t);
    const env = {
      PATH: process.env['PATH'],
      HOME: work,
      MLFLOW_DISABLE_TELEMETRY: 'true',
      GIT_PYTHON_REFRESH: 'quiet',
    };
    const printed = execFileSync(python, [join(import.meta.dirname, 'python/formats.py'), work], {
      env,
      encoding: 'utf8',
    });
    const { saved } = JSON.parse(printed.trim().split('\n').at(-1) ?? '') as { saved: string[] };
    assert.equal(
      saved.some((name) => name.endsWith('skops')),
      label === 'new',
    );
    const outcomes = await convertMany(
      here,
      saved.map((name) => join(work, name)),
    );
    for (const { folder, reason, message } of outcomes) {
      assert.equal(reason, 'Converted', `${folder}: ${message}`);
      const { signature } = await servedAnswer(`${folder}-onnx`);
      assert.deepEqual(
        signature.inputs.map(({ name }) => name),
        ['sepal length (cm)', 'sepal width (cm)', 'petal length (cm)', 'petal width (cm)'],
      );
      assert.deepEqual(signature.outputs[1]?.labels, ['0', '1', '2']);
    }
  });
}

test('boosters in the forms of the xgboost and lightgbm flavours are converted', { timeout: 300_000 }, async (t) => {
  const here = converterOr(t);
  if (!here) return;
  const work = temporaryFolder(t);
  const names = Object.keys(JSON.parse(await script(here, 'boosters.py', work)) as Record<string, unknown>);
  const outcomes = await convertMany(
    here,
    names.map((name) => join(work, name)),
  );
  for (const { folder, reason, message } of outcomes) {
    assert.equal(reason, 'Converted', `${folder}: ${message}`);
    await servedAnswer(`${folder}-onnx`);
  }
  const binary = read(join(work, 'xgboost-booster-ubj-onnx'), 'signature.json') as ModelSignature;
  assert.deepEqual(binary.inputs[0], { name: 'petal 0', type: 'float32', optional: true });
  assert.equal(binary.outputs.length, 1, 'a booster answers what mlflow answers for it: its number');
});

test('what is refused names the reason and the cure', { timeout: 300_000 }, async (t) => {
  const here = converterOr(t);
  if (!here) return;
  const work = temporaryFolder(t);
  await script(here, 'refused.py', work);
  const cases = [
    [
      'encoder',
      'FormatNotServable',
      /pipeline step "enc" \(category_encoders\.TargetEncoder\).*no package category_encoders.*OneHotEncoder/,
    ],
    ['old', 'FormatNotServable', /scikit-learn 0\.24\.2; the converter has 1\.9\.1, 1\.8\.0/],
    ['required', 'FormatNotServable', /scikit-learn 1\.1\.3/],
    ['same-minor', 'Converted', /rows agree/],
    ['outside', 'InvalidModel', /outside its folder/],
    ['gone', 'InvalidModel', /"?'other\.pkl'.*not there/],
    ['damaged', 'InvalidModel', /cannot be loaded/],
    ['torch', 'FormatNotServable', /flavours python_function, pytorch; sklearn, xgboost, lightgbm are converted/],
  ] as const;
  const outcomes = await convertMany(
    here,
    cases.map(([name]) => join(work, name)),
  );
  for (const [i, [name, reason, message]] of cases.entries()) {
    assert.equal(outcomes[i]?.reason, reason, `${name}: ${outcomes[i]?.message}`);
    assert.match(outcomes[i]?.message ?? '', message);
    assert.deepEqual(readdirSync(join(work, `${name}-onnx`)).length, reason === 'Converted' ? 4 : 0);
  }
});

test('the program itself: iris, from start to end', { timeout: 120_000 }, async (t) => {
  const here = converterOr(t);
  if (!here) return;
  const work = temporaryFolder(t);
  await script(here, 'zoo.py', 'save', work, 'LogisticRegression');
  const result = await convert(t, here, join(work, '00'));
  assert.equal(result.status, 0, result.log);
  assert.equal(result.reason, 'Converted');
  const { signature } = await servedAnswer(result.output);
  assert.deepEqual(signature.outputs[0], { name: 'label', type: 'string' });
  assert.deepEqual(signature.outputs[1]?.labels, ['setosa', 'versicolor', 'virginica']);
  const { parity } = read(result.output, 'conversion.json') as { parity: { rows: number; labelsEqual: boolean } };
  assert.ok(parity.rows >= 1000);
  assert.equal(parity.labelsEqual, true);
});

test('a tree with classes of text, which agrees to the last digit, is converted', { timeout: 120_000 }, async (t) => {
  const here = converterOr(t);
  if (!here) return;
  const work = temporaryFolder(t);
  await script(here, 'words.py', join(work, 'model'));
  const result = await convert(t, here, join(work, 'model'));
  assert.equal(result.reason, 'Converted', result.log);
  const { signature } = await servedAnswer(result.output);
  assert.equal(signature.outputs[0]?.type, 'string');
});

test('numbers that 32 bits cannot tell apart are served with 64', { timeout: 120_000 }, async (t) => {
  const here = converterOr(t);
  if (!here) return;
  const work = temporaryFolder(t);
  await script(here, 'moments.py', join(work, 'model'));
  const result = await convert(t, here, join(work, 'model'));
  assert.equal(result.reason, 'Converted', result.log);
  const { signature } = await servedAnswer(result.output);
  assert.equal(signature.inputs[0]?.type, 'float64');
});

test('the parts in Python', { timeout: 120_000 }, (t) => {
  const here = converterOr(t);
  if (!here) return;
  const env = { PATH: process.env['PATH'], PYTHONPATH: pythonPath(here), PYTHONDONTWRITEBYTECODE: '1' };
  const folder = join(import.meta.dirname, 'python');
  execFileSync(here.python, ['-m', 'unittest', 'discover', '-q', '-s', folder], { env, stdio: 'pipe' });
});
