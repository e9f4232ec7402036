import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import {
  CONVERT_TERMINATION_BYTES,
  FETCHED_FILE,
  type ModelArtifact,
  type TerminationMessage,
} from '@slipway/contract';
import { asFailure, exitCodeFor } from '../src/failure.ts';
import { fittingDerived, verify as verifyModel } from '../src/verify/verify.ts';
import { filesOf, type ModelFolder, modelFolder } from './folder.ts';
import { iris, logarithm, regressor, type TestModel } from './models.ts';
import {
  BOOL,
  bytes,
  concat,
  externalTensor,
  FLOAT,
  floatTensor,
  graph,
  int,
  ML,
  model,
  node,
  STRING,
  tensorValue,
  text,
} from './onnx.ts';
import { MAIN, run } from './program.ts';

type Context = Parameters<typeof modelFolder>[0];

/** `verify` as a container runs it. */
async function verifyByProgram(t: Context, folder: ModelFolder) {
  const env = { MODEL_ARTIFACT: JSON.stringify(folder.artifact), MODEL_DIR: folder.dir };
  const program = await run(t, 'verify', env);
  const { code } = await program.ended;
  return { code, message: await program.termination() };
}

/** The same without the process around it: what it would report, and how it would exit. */
async function verify(
  folder: ModelFolder,
  artifact: ModelArtifact = folder.artifact,
): Promise<{ code: number; message: TerminationMessage }> {
  const program = { command: process.execPath, arguments: [MAIN, 'probe'] };
  try {
    const log = { info: () => {} };
    const message = await verifyModel({ artifact, dir: folder.dir, timeoutSeconds: 20, log, program });
    return { code: 0, message };
  } catch (error) {
    const { reason, message } = asFailure(error);
    return { code: exitCodeFor(reason), message: { stage: 'verify', reason, message } };
  }
}

/** What a converter left, judged without a list of its files. */
async function verifyDerived(folder: ModelFolder) {
  const program = { command: process.execPath, arguments: [MAIN, 'probe'] };
  const artifact = { namespace: 'team-a', uri: 's3://slipway/team-a/derived/iris' };
  return verifyModel({
    ...{ artifact, dir: folder.dir, timeoutSeconds: 20, isDerived: true, log: { info: () => {} } },
    program,
  });
}

const verifyFiles = async (t: Context, contents: Readonly<Record<string, Buffer>>) =>
  verify(await modelFolder(t, contents));

describe('verify', () => {
  test('a good model is reported with its digest and nothing that is known already', async (t) => {
    const folder = await modelFolder(t, filesOf(iris));
    const { code, message } = await verifyByProgram(t, folder);
    assert.equal(code, 0);
    assert.match(message?.message ?? '', /3 example rows agree/);
    assert.deepEqual(
      { ...message, message: '' },
      { stage: 'verify', reason: 'Verified', message: '', digest: folder.digest },
    );
  });

  test('a converted model is reported with its files and its signature, and needs rows to be proven by', async (t) => {
    const files = { ...filesOf(iris), 'conversion.json': Buffer.from('{}') };
    const folder = await modelFolder(t, files);
    const report = await verifyDerived(folder);
    assert.deepEqual([report.digest, report.files?.length], [folder.digest, 4]);
    assert.deepEqual(report.signature, iris.signature);
    await writeFile(join(folder.dir, 'examples.json'), '{"inputs":[],"outputs":{}}');
    await assert.rejects(verifyDerived(folder), { reason: 'ParityFailed', message: /without rows/ });
    await writeFile(join(folder.dir, 'MLmodel'), 'flavors: {}');
    await assert.rejects(verifyDerived(folder), { reason: 'InvalidModel', message: /MLmodel/ });
  });

  test('what is said of a converted model fits a pod of four containers, its signature as long as it can', () => {
    const files = filesOf(iris);
    const listed = Object.keys(files).map((path) => ({ path, sha256: 'a'.repeat(64), size: 1 }));
    const report = {
      stage: 'verify',
      reason: 'Verified',
      message: 'm',
      digest: 'd'.repeat(64),
      files: listed,
    } as const;
    const wide = (columns: number) =>
      fittingDerived({
        ...report,
        signature: {
          inputs: Array.from({ length: columns }, (_, i) => ({ name: `column ${i}`, type: 'float32' as const })),
          outputs: [],
        },
      });
    for (const columns of [1, 50, 60, 70, 80, 1000])
      assert.ok(Buffer.byteLength(JSON.stringify(wide(columns))) <= CONVERT_TERMINATION_BYTES, `${columns}`);
    assert.equal(wide(60).signature?.inputs.length, 60);
    assert.deepEqual([wide(1).files, wide(1000).signature], [listed, undefined]);
  });

  test('a brought model is reported with its files and the signature its tensors tell', async (t) => {
    const folder = await modelFolder(t, { 'weights/net.onnx': logarithm.onnx });
    await writeFile(join(folder.dir, FETCHED_FILE), JSON.stringify(folder.files));
    const { message } = await verify(folder, { namespace: 'team-a', uri: folder.artifact.uri });
    assert.ok(message?.reason === 'Verified');
    assert.equal(message.digest, folder.digest);
    assert.deepEqual(message.files, folder.files);
    assert.deepEqual(message.signature, {
      inputs: [
        { name: 'x_0', type: 'float32' },
        { name: 'x_1', type: 'float32' },
      ],
      outputs: [{ name: 'y', type: 'float32' }],
    });
  });

  test('a changed byte is a DigestMismatch that names the file and both digests', async (t) => {
    const folder = await modelFolder(t, filesOf(iris));
    const changed = Buffer.from(iris.onnx);
    changed[40] = (changed[40] as number) ^ 1;
    await writeFile(join(folder.dir, 'model.onnx'), changed);
    const { code, message } = await verifyByProgram(t, folder);
    assert.equal(code, 65);
    assert.equal(message?.reason, 'DigestMismatch');
    assert.match(
      message?.message ?? '',
      /^file model\.onnx: expected sha256 [0-9a-f]{64} \(\d+ bytes\), got [0-9a-f]{64}/,
    );
  });

  test('a list of files that is not the digest’s is a DigestMismatch', async (t) => {
    const folder = await modelFolder(t, filesOf(iris));
    const { message } = await verify(folder, { ...folder.artifact, digest: 'a'.repeat(64) });
    assert.equal(message?.reason, 'DigestMismatch');
  });

  test('a file that is not there is an ArtifactMissing', async (t) => {
    const folder = await modelFolder(t, { ...filesOf(iris), extra: Buffer.from('x') });
    await rm(join(folder.dir, 'extra'));
    const { code, message } = await verify(folder);
    assert.deepEqual([code, message?.reason], [65, 'ArtifactMissing']);
    assert.match(message?.message ?? '', /file extra/);
  });

  const pickled = Buffer.from('80049528000000000000008c08', 'hex');
  const unservable: [name: string, contents: Readonly<Record<string, Buffer>>, found: RegExp][] = [
    [
      'a model that mlflow pickled',
      { MLmodel: Buffer.from('flavors: {python_function: {}, sklearn: {}}'), 'model.pkl': pickled },
      /an MLflow model \(python_function, sklearn\)/,
    ],
    ['a pickle alone', { 'model.pkl': pickled }, /holds model\.pkl/],
  ];
  for (const [name, contents, found] of unservable) {
    test(`${name} is a FormatNotServable that says how to log it`, async (t) => {
      const { code, message } = await verifyFiles(t, contents);
      assert.deepEqual([code, message.reason], [65, 'FormatNotServable']);
      assert.match(message.message, found);
      assert.match(message.message, /mlflow\.onnx\.log_model/);
    });
  }

  const examples = { inputs: [...(iris.examples?.inputs ?? [])], outputs: { ...iris.examples?.outputs } };
  const probabilities = structuredClone(examples.outputs['probabilities']) as number[][];
  (probabilities[1] as number[])[2] = 0.5;
  (probabilities[2] as number[])[2] = 0.99;
  const failing: [name: string, model: TestModel, reason: string, message: RegExp][] = [
    [
      'probabilities that differ: the worst is named',
      { ...iris, examples: { ...examples, outputs: { ...examples.outputs, probabilities } } },
      'ParityFailed',
      /row 1 of output "probabilities": expected 0\.5, got 0\.\d+/,
    ],
    [
      'another label',
      { ...iris, examples: { ...examples, outputs: { label: [0, 1, 2] } } },
      'ParityFailed',
      /row 1 of output "label": expected 1, got 2/,
    ],
    [
      'an example that is no row of the model',
      { ...iris, examples: { inputs: [{ sepal_length: 1 }], outputs: {} } },
      'ParityFailed',
      /examples\.json, row 0, sepal_width: Field required/,
    ],
    [
      'a signature with too few columns',
      { ...iris, signature: { ...iris.signature!, inputs: iris.signature!.inputs.slice(1) } },
      'SignatureMismatch',
      /column "sepal_width" fits no input of the model \(features \(float32 \[N,4\]\)\)/,
    ],
    [
      'a signature with another output',
      { ...iris, signature: { ...iris.signature!, outputs: [{ name: 'score', type: 'float32' }] } },
      'SignatureMismatch',
      /output "score" is not in the model; it has label, probabilities/,
    ],
    [
      'a signature with another type',
      {
        ...regressor,
        signature: {
          ...regressor.signature!,
          inputs: [
            { name: 'sex', type: 'int64' },
            { name: 'length', type: 'float32' },
          ],
        },
      },
      'SignatureMismatch',
      /column "sex" is int64, the model's input sex \(string \[N,1\]\)/,
    ],
  ];
  for (const [name, bad, reason, pattern] of failing) {
    test(`${name}: ${reason}`, async (t) => {
      const { code, message } = await verifyFiles(t, filesOf(bad));
      assert.equal(message?.reason, reason);
      assert.match(message?.message ?? '', pattern);
      assert.equal(code, 65);
    });
  }

  test('a signature that is none says where', async (t) => {
    const { message } = await verifyFiles(t, {
      'model.onnx': iris.onnx,
      'signature.json': Buffer.from('{"inputs":[{"name":1}]}'),
    });
    assert.equal(message?.reason, 'SignatureMismatch');
    assert.match(message?.message ?? '', /signature\.json: inputs\.0\.name/);
  });
});

const FLOAT_IN = [tensorValue('x', FLOAT, ['N', 2])];
const FLOAT_OUT = [tensorValue('y', FLOAT, ['N', 2])];
const withNode = (options: Parameters<typeof node>[0], outputs = FLOAT_OUT): Buffer =>
  model({ nodes: [node(options)], inputs: FLOAT_IN, outputs });

const forever = graph({
  nodes: [node({ op: 'Identity', inputs: ['go'], outputs: ['on'] })],
  inputs: [tensorValue('i', 7, []), tensorValue('go', BOOL, [])],
  outputs: [tensorValue('on', BOOL, [])],
});
const withExternal = (location: string): Buffer =>
  model({
    nodes: [node({ op: 'Add', inputs: ['x', 'w'], outputs: ['y'] })],
    inputs: FLOAT_IN,
    outputs: FLOAT_OUT,
    initializers: [externalTensor('w', [2], location)],
  });
const hugeAllocation = model({
  nodes: [
    node({ op: 'ConstantOfShape', inputs: ['size'], outputs: ['big'] }),
    node({ op: 'ReduceSum', inputs: ['big'], outputs: ['sum'], attributes: { keepdims: { int: 0 } } }),
    node({ op: 'Add', inputs: ['x', 'sum'], outputs: ['y'] }),
  ],
  inputs: FLOAT_IN,
  outputs: FLOAT_OUT,
  initializers: [
    concat(int(1, 1), int(2, 7), text(8, 'size'), bytes(9, Buffer.from(BigInt64Array.of(10n ** 12n).buffer))),
  ],
});

describe('hostile models', () => {
  const cases: [name: string, onnx: Buffer, reason: string, message: RegExp][] = [
    ['an empty file', Buffer.alloc(0), 'InvalidModel', /empty/],
    ['random bytes', randomBytes(4096), 'InvalidModel', /./],
    ['a pickle', Buffer.from('80049528000000000000008c08', 'hex'), 'InvalidModel', /./],
    ['half a model', iris.onnx.subarray(0, 150), 'InvalidModel', /not a complete ONNX model/],
    ['text', Buffer.from('<!DOCTYPE html><html>Not found</html>'), 'InvalidModel', /./],
    [
      'external data above the folder',
      withExternal('../../../etc/passwd'),
      'InvalidModel',
      /tensor "w" keeps its data in another file/,
    ],
    ['external data at an absolute path', withExternal('/etc/passwd'), 'InvalidModel', /another file/],
    ['external data beside the model', withExternal('signature.json'), 'InvalidModel', /another file/],
    [
      'external data inside a constant',
      withNode({
        op: 'Constant',
        outputs: ['y'],
        attributes: { value: { tensor: externalTensor('c', [2], '/proc/self/environ') } },
      }),
      'InvalidModel',
      /tensor "c" keeps its data in another file/,
    ],
    [
      'an endless loop',
      withNode({
        op: 'Loop',
        name: 'spin',
        inputs: ['', 'x'],
        outputs: ['y'],
        attributes: { body: { graph: forever } },
      }),
      'UnsupportedOperator',
      /node "spin" uses operator ai\.onnx\.Loop/,
    ],
    [
      'a graph smuggled into a harmless operator',
      withNode({ op: 'Identity', name: 'id', inputs: ['x'], outputs: ['y'], attributes: { body: { graph: forever } } }),
      'UnsupportedOperator',
      /node "id".*carries a graph/,
    ],
    [
      'an operator of another domain',
      withNode({ op: 'Gelu', domain: 'com.microsoft', inputs: ['x'], outputs: ['y'] }),
      'UnsupportedOperator',
      /node 1 uses operator com\.microsoft\.Gelu/,
    ],
    [
      'a name of the prototype as an operator',
      withNode({ op: 'constructor', domain: '__proto__', inputs: ['x'], outputs: ['y'] }),
      'UnsupportedOperator',
      /__proto__\.constructor/,
    ],
    [
      'random numbers',
      withNode({ op: 'RandomNormalLike', inputs: ['x'], outputs: ['y'] }),
      'UnsupportedOperator',
      /RandomNormalLike/,
    ],
    [
      'a map that is computed with',
      model({
        nodes: [
          node({ op: 'ZipMap', domain: ML, inputs: ['x'], outputs: ['map'] }),
          node({ op: 'Identity', inputs: ['map'], outputs: ['y'] }),
        ],
        inputs: FLOAT_IN,
        outputs: FLOAT_OUT,
      }),
      'UnsupportedOperator',
      /ai\.onnx\.Identity works on "map".*zipmap/,
    ],
    ['functions of its own', Buffer.concat([iris.onnx, bytes(25, text(1, 'f'))]), 'UnsupportedOperator', /functions/],
    [
      'a newer opset',
      model({ nodes: [], inputs: FLOAT_IN, outputs: FLOAT_OUT }, { opset: 99 }),
      'InvalidModel',
      /opset 99 of ai\.onnx; expected at most 26/,
    ],
    [
      'a newer IR',
      model({ nodes: [], inputs: FLOAT_IN, outputs: FLOAT_OUT }, { irVersion: 99 }),
      'InvalidModel',
      /IR version 99/,
    ],
    [
      'a graph that does not hang together',
      withNode({ op: 'Identity', inputs: ['nowhere'], outputs: ['y'] }),
      'InvalidModel',
      /the runtime cannot load it/,
    ],
    ['a terabyte at the first prediction', hugeAllocation, 'InvalidModel', /memory|alloc/],
    [
      'an input nobody can fill from columns',
      model({
        nodes: [node({ op: 'Identity', inputs: ['x'], outputs: ['y'] })],
        inputs: [tensorValue('x', STRING, ['N', 3, 4])],
        outputs: [tensorValue('y', STRING, ['N', 3, 4])],
      }),
      'SignatureMismatch',
      /add a signature\.json/,
    ],
  ];
  for (const [name, onnx, reason, pattern] of cases) {
    test(`${name}: ${reason}`, async (t) => {
      const { code, message } = await verifyFiles(t, { 'model.onnx': onnx });
      assert.equal(message?.reason, reason, message.message);
      assert.match(message?.message ?? '', pattern);
      assert.equal(code, 65);
      assert.doesNotMatch(message?.message ?? '', /node_modules|onnxruntime_src|\/tmp\/|root:/);
    });
  }

  test('a second graph in the same file is looked at as well', async (t) => {
    const second = bytes(
      7,
      graph({
        nodes: [node({ op: 'If', inputs: ['c'], outputs: ['z'] })],
        inputs: [],
        outputs: [],
        initializers: [floatTensor('c', [1], [1])],
      }),
    );
    const { message } = await verifyFiles(t, { 'model.onnx': Buffer.concat([iris.onnx, second]) });
    assert.equal(message?.reason, 'UnsupportedOperator');
  });
});
