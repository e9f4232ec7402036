/** `predict`: what models say of held-out rows, and what is said of models that cannot be asked. */
import assert from 'node:assert/strict';
import { mkdir, readdir, readFile, symlink, truncate, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { HeldOutAnswers } from '@slipway/contract';
import { predict } from '../src/predict/predict.ts';
import { assertClose } from './close.ts';
import { filesOf, temporaryFolder } from './folder.ts';
import { iris, irisOneRow, irisRow, irisScores, logarithm, regressor, SPECIES, type TestModel } from './models.ts';
import { FLOAT, INT64, ML, model, node, tensorValue } from './onnx.ts';
import { MAIN, run } from './program.ts';

interface Setting {
  readonly heldOut?: string;
  readonly candidate?: Readonly<Record<string, Buffer>>;
  /** Beside the candidate's folder. */
  readonly output?: Readonly<Record<string, string>>;
  readonly references?: readonly Readonly<Record<string, Buffer>>[];
}

const FLOWERS = [
  [5.1, 3.5, 1.4, 0.2],
  [6.0, 2.7, 5.1, 1.6],
  [7.7, 3.8, 6.7, 2.2],
];
const csvOf = (rows: readonly Readonly<Record<string, unknown>>[]): string =>
  [Object.keys(rows[0] ?? {}), ...rows.map(Object.values)].map((cells) => `${cells.join(',')}\n`).join('');
const IRIS_ROWS = csvOf(FLOWERS.map((flower) => ({ ...irisRow(flower), __target__: 'setosa' })));

async function layOut(t: TestContext, { heldOut, candidate = {}, output = {}, references = [] }: Setting) {
  const root = await temporaryFolder(t);
  const write = async (path: string, content: string | Buffer) => {
    await mkdir(dirname(join(root, path)), { recursive: true });
    await writeFile(join(root, path), content);
  };
  const folders = [['output/model', candidate], ...references.map((files, i) => [`references/${i}`, files])] as const;
  for (const [folder, files] of folders) {
    for (const [path, content] of Object.entries(files)) await write(`${folder}/${path}`, content);
  }
  for (const [path, content] of Object.entries(output)) await write(`output/${path}`, content);
  if (heldOut !== undefined) await write('output/held-out.csv', heldOut);
  return root;
}

async function answersIn(root: string): Promise<Record<string, HeldOutAnswers>> {
  const names = await readdir(join(root, 'answers'));
  const read = async (name: string) =>
    HeldOutAnswers.parse(JSON.parse(await readFile(join(root, 'answers', name), 'utf8')));
  return Object.fromEntries(await Promise.all(names.map(async (name) => [name, await read(name)])));
}

async function asked(root: string, program?: { command: string; arguments: string[] }) {
  await predict({
    heldOut: join(root, 'output/held-out.csv'),
    candidate: join(root, 'output/model'),
    references: join(root, 'references'),
    answers: join(root, 'answers'),
    timeoutSeconds: 20,
    log: { info: () => {} },
    program: program ?? { command: process.execPath, arguments: [MAIN, 'answer'] },
  });
  return answersIn(root);
}
const answersTo = async (t: TestContext, setting: Setting) => asked(await layOut(t, setting));

function problemOf(answers: HeldOutAnswers | undefined): string {
  assert.ok(answers && 'problem' in answers, JSON.stringify(answers)?.slice(0, 200));
  return answers.problem;
}

/** Gives 1 more than its input, as classes 1, 2 and 3 without names; its probabilities say the same. */
const numbered: TestModel = {
  onnx: model({
    nodes: [
      node({
        op: 'LinearClassifier',
        domain: ML,
        inputs: ['x'],
        outputs: ['label', 'probabilities'],
        attributes: {
          classlabels_ints: { ints: [1, 2, 3] },
          coefficients: { floats: [-1, 0, 1] },
          intercepts: { floats: [0, 0.5, 0] },
          multi_class: { int: 1 },
          post_transform: { string: 'SOFTMAX' },
        },
      }),
    ],
    inputs: [tensorValue('x', FLOAT, ['N', 1])],
    outputs: [tensorValue('label', INT64, ['N']), tensorValue('probabilities', FLOAT, ['N', 3])],
  }),
};

test('as a container: the candidate and every reference answer, each in a file of its own', async (t) => {
  const { signature = { inputs: [], outputs: [] } } = iris;
  const root = await layOut(t, {
    heldOut: IRIS_ROWS,
    candidate: { 'model.onnx': iris.onnx },
    output: { 'signature.json': JSON.stringify(signature) },
    references: [filesOf(irisOneRow), { 'weights.bin': Buffer.from('x') }],
  });
  const program = await run(t, 'predict', {
    HELD_OUT_FILE: join(root, 'output/held-out.csv'),
    CANDIDATE_DIR: join(root, 'output/model'),
    REFERENCES_DIR: join(root, 'references'),
    ANSWERS_DIR: join(root, 'answers'),
  });
  assert.deepEqual(await program.ended, { code: 0, signal: null }, program.log());
  const answers = await answersIn(root);
  assert.deepEqual(Object.keys(answers).sort(), ['0.json', '1.json', 'candidate.json']);
  for (const name of ['candidate.json', '0.json']) {
    const got = answers[name];
    assert.ok(got && 'labels' in got, JSON.stringify(got));
    assert.deepEqual(got.labels, ['setosa', 'virginica', 'virginica']);
    assert.deepEqual(got.classes, SPECIES);
    got.probabilities.forEach((row, i) => {
      assertClose(row, irisScores(FLOWERS[i] as number[]).probabilities);
    });
  }
  assert.match(problemOf(answers['1.json']), /no ONNX model in the folder/);
});

test('a regressor gives values, and takes its columns by name wherever they stand', async (t) => {
  const heldOut = '__target__,Length (mm),other,"sex"\n1,0.5,9,M\n2,1e1,9,"F"\n';
  const answers = await answersTo(t, { heldOut, candidate: filesOf(regressor) });
  const renamed = await answersTo(t, {
    heldOut: heldOut.replace('Length (mm)', 'length'),
    candidate: filesOf(regressor),
  });
  assert.deepEqual(answers['candidate.json'], { values: [4, 21] });
  assert.deepEqual(renamed, answers);
});

test('more rows than one run takes keep their order', async (t) => {
  const rows = Array.from({ length: 2500 }, (_, i) => ({ sex: 'F', length: i }));
  const answers = await answersTo(t, { heldOut: csvOf(rows), candidate: filesOf(regressor) });
  assert.deepEqual(answers['candidate.json'], { values: rows.map(({ length }) => 2 * length + 1) });
});

test('classes without names are told by the ids the model itself lists', async (t) => {
  const { 'candidate.json': got } = await answersTo(t, { heldOut: 'x\n-5\n0\n5\n', candidate: filesOf(numbered) });
  assert.ok(got && 'labels' in got, JSON.stringify(got));
  assert.deepEqual(
    [got.labels, got.classes],
    [
      ['1', '2', '3'],
      ['1', '2', '3'],
    ],
  );
  got.probabilities.forEach((row, i) => {
    assert.equal(row.indexOf(Math.max(...row)), i);
  });
});

const mendable: [name: string, setting: Setting, message: RegExp][] = [
  ['no model', { heldOut: IRIS_ROWS }, /no folder with a model/],
  ['no held-out rows', { candidate: filesOf(iris) }, /wrote no held-out\.csv/],
  ['no header', { heldOut: '', candidate: filesOf(iris) }, /no header/],
  [
    'a column that is not there',
    { heldOut: 'sepal_length\n1\n', candidate: filesOf(iris) },
    /takes "sepal_width", the held-out rows have "sepal_length"/,
  ],
  [
    'a text where a number belongs',
    { heldOut: IRIS_ROWS.replace('2.7', 'wide'), candidate: filesOf(iris) },
    /held-out row 1, sepal_width: Input should be a valid number/,
  ],
  [
    'a missing value that the model does not take',
    { heldOut: IRIS_ROWS.replace('2.7', ''), candidate: filesOf(iris) },
    /held-out row 1, sepal_width: .*null/,
  ],
  [
    'a row that is too short',
    { heldOut: `${IRIS_ROWS}1,2\n`, candidate: filesOf(iris) },
    /line 5: expected 5 cells, got 2/,
  ],
  ['a file that is not ONNX', { heldOut: IRIS_ROWS, candidate: { 'model.onnx': Buffer.from('x') } }, /ONNX/],
  ['a prediction that is no number', { heldOut: 'x_0,x_1\n1,1\n-1,1\n', candidate: filesOf(logarithm) }, /row 1/],
  [
    'several quantities at once',
    { heldOut: 'x_0,x_1\n1,1\n', candidate: filesOf(logarithm) },
    /several numbers for every row; name classes/,
  ],
  [
    'a signature beside the folder that is none',
    { heldOut: IRIS_ROWS, candidate: { 'model.onnx': iris.onnx }, output: { 'signature.json': '{}' } },
    /signature\.json: inputs/,
  ],
];
for (const [name, setting, message] of mendable) {
  test(`${name} is a problem that says so`, async (t) => {
    const answers = await answersTo(t, setting);
    assert.match(problemOf(answers['candidate.json']), message);
  });
}

test('links are not followed out of the folder, nor files of any size read', async (t) => {
  const root = await layOut(t, { heldOut: IRIS_ROWS, references: [filesOf(iris), filesOf(iris)] });
  await symlink(join(root, 'references/0'), join(root, 'output/model'));
  await symlink('/etc/passwd', join(root, 'references/1/signature.txt'));
  const answers = await asked(root);
  assert.match(problemOf(answers['candidate.json']), /no folder/);
  assert.match(problemOf(answers['1.json']), /signature\.txt is no plain file/);
  await truncate(join(root, 'output/held-out.csv'), 2 ** 26 + 1);
  assert.match(problemOf((await asked(root))['0.json']), /held-out\.csv has 67108865 bytes, at most 67108864/);
});

test('a model that hangs, dies or lies harms nobody but itself', async (t) => {
  const root = await layOut(t, { heldOut: IRIS_ROWS, candidate: filesOf(iris) });
  const program = (script: string) => ({ command: process.execPath, arguments: ['--input-type=module', '-e', script] });
  const died = await asked(root, program('process.kill(process.pid, "SIGSEGV")'));
  assert.match(problemOf(died['candidate.json']), /died \(SIGSEGV\)/);
  const lied = await asked(root, program('process.once("message", () => process.send({ labels: 1 }, () => {}))'));
  assert.match(problemOf(lied['candidate.json']), /nonsense/);
});
