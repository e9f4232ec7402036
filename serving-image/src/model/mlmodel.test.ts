import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { modelFolder } from '../../test/folder.ts';
import { iris, regressor } from '../../test/models.ts';
import { FLOAT, model, node, tensorValue } from '../../test/onnx.ts';
import { loadModel } from './load.ts';
import { parseMLmodel } from './mlmodel.ts';

const columns = (...list: readonly (readonly [type: string, name: string])[]): string =>
  JSON.stringify(list.map(([type, name]) => ({ type, name, required: true })));
/** As mlflow 3 writes it, as far as we look at it. */
const mlmodel = (inputs?: string, data = 'model.onnx'): Buffer =>
  Buffer.from(
    `artifact_path: mlflow-artifacts:/0/models/m-1/artifacts
flavors:
  onnx:
    code: null
    data: ${data}
    onnx_version: 1.23.2
    providers:
    - CPUExecutionProvider
  python_function:
    data: model.onnx
    loader_module: mlflow.onnx
mlflow_version: 3.17.2
${inputs === undefined ? '' : `signature:\n  inputs: '${inputs}'\n  outputs: '[]'\n  params: null\n`}`,
  );
const IRIS = columns(['double', 'sepal length (cm)'], ['float', 'b'], ['long', 'c'], ['integer', 'd']);

describe('MLmodel', () => {
  test('tells the ONNX file, the columns and the flavours', () => {
    assert.deepEqual(parseMLmodel(mlmodel(columns(['double', 'a b'])).toString()), {
      flavors: ['onnx', 'python_function'],
      onnxFile: 'model.onnx',
      columns: [{ name: 'a b', type: 'double' }],
    });
  });

  const refused: [name: string, text: string, message: RegExp][] = [
    ['a path out of the folder', mlmodel(undefined, '../other/model.onnx').toString(), /inside the folder/],
    ['an absolute path', mlmodel(undefined, '/etc/passwd').toString(), /inside the folder/],
    ['no YAML', 'flavors: [}', /is not YAML/],
    ['a list', '- 1', /is not the description/],
    ['a bomb of aliases', `a: &a [1,2,3,4,5,6,7,8,9]\n${bomb()}`, /is not YAML/],
  ];
  for (const [name, text, message] of refused) {
    test(`${name} is refused`, () => assert.throws(() => parseMLmodel(text), { reason: 'InvalidModel', message }));
  }

  function bomb(): string {
    return Array.from({ length: 8 }, (_, i) => {
      const from = i === 0 ? 'a' : `b${i - 1}`;
      return `b${i}: &b${i} [${Array(9).fill(`*${from}`).join(',')}]`;
    }).join('\n');
  }

  const tolerated: [name: string, inputs: string][] = [
    ['tensors', '[{"type": "tensor", "tensor-spec": {"dtype": "float32", "shape": [-1, 4]}}]'],
    ['columns without names', '[{"type": "double"}]'],
    ['what is not JSON', 'oops'],
  ];
  for (const [name, inputs] of tolerated) {
    test(`a signature of ${name} names no columns`, () =>
      assert.equal(parseMLmodel(mlmodel(inputs).toString()).columns, undefined));
  }
});

const signatureOf = async (t: Parameters<typeof modelFolder>[0], contents: Readonly<Record<string, Buffer>>) => {
  const { dir, files } = await modelFolder(t, contents);
  const { session, signature } = await loadModel(dir, files, 1);
  t.after(session.release);
  assert.deepEqual(
    await Promise.all(files.map(({ path }) => readFile(join(dir, path)))),
    Object.values(contents),
    'files stay as they are',
  );
  return signature.inputs;
};

describe('the columns of a folder that mlflow wrote', () => {
  test('have MLflow’s names and types where the model has one matrix of that width', async (t) => {
    assert.deepEqual(await signatureOf(t, { MLmodel: mlmodel(IRIS), 'model.onnx': iris.onnx }), [
      { name: 'sepal length (cm)', type: 'float64' },
      { name: 'b', type: 'float32' },
      { name: 'c', type: 'int64' },
      { name: 'd', type: 'int32' },
    ]);
  });

  test('have MLflow’s names where the converter made identifiers of them', async (t) => {
    const onnx = model({
      nodes: [node({ op: 'Add', inputs: ['sepal_length__cm_', 'b'], outputs: ['y'] })],
      inputs: [tensorValue('sepal_length__cm_', FLOAT, ['N', 1]), tensorValue('b', FLOAT, ['N', 1])],
      outputs: [tensorValue('y', FLOAT, ['N', 1])],
    });
    const inputs = columns(['double', 'sepal length (cm)'], ['double', 'b']);
    assert.deepEqual(
      (await signatureOf(t, { MLmodel: mlmodel(inputs), 'model.onnx': onnx })).map(({ name }) => name),
      ['sepal length (cm)', 'b'],
    );
  });

  const derived = ['features_0', 'features_1', 'features_2', 'features_3'];
  const misfits: [name: string, inputs: string | undefined][] = [
    ['there is no signature', undefined],
    ['the width is another', columns(['double', 'a'])],
    ['a type is not ours', columns(['datetime', 'a'], ['double', 'b'], ['double', 'c'], ['double', 'd'])],
    ['a type is not the model’s', columns(['string', 'a'], ['double', 'b'], ['double', 'c'], ['double', 'd'])],
    ['a name comes twice', columns(['double', 'a'], ['double', 'a'], ['double', 'c'], ['double', 'd'])],
  ];
  for (const [name, inputs] of misfits) {
    test(`are read off the tensors where ${name}`, async (t) => {
      const found = await signatureOf(t, { MLmodel: mlmodel(inputs), 'model.onnx': iris.onnx });
      assert.deepEqual(
        found.map((column) => column.name),
        derived,
      );
    });
  }

  test('are those of signature.json where there is one', async (t) => {
    const signature = Buffer.from(JSON.stringify(iris.signature));
    const contents = { MLmodel: mlmodel(IRIS), 'model.onnx': iris.onnx, 'signature.json': signature };
    assert.deepEqual(await signatureOf(t, contents), iris.signature?.inputs);
  });

  test('belong to the file that MLmodel names', async (t) => {
    const contents = {
      MLmodel: mlmodel(undefined, 'data/net.onnx'),
      'model.onnx': regressor.onnx,
      'data/net.onnx': iris.onnx,
    };
    assert.deepEqual(
      (await signatureOf(t, contents)).map(({ name }) => name),
      derived,
    );
  });

  test('are refused with the file that MLmodel names and nobody stored', async (t) => {
    const { dir, files } = await modelFolder(t, { MLmodel: mlmodel(), 'other.onnx': iris.onnx });
    await assert.rejects(loadModel(dir, files, 1), {
      reason: 'InvalidModel',
      message: /names model\.onnx, which is not/,
    });
  });
});
