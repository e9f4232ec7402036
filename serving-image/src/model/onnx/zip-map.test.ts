import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { filesOf, modelFolder } from '../../../test/folder.ts';
import { iris } from '../../../test/models.ts';
import { FLOAT, INT64, ML, model, node, tensorValue } from '../../../test/onnx.ts';
import { FailureError } from '../../failure.ts';
import { loadModel } from '../load.ts';
import { inspectModel } from './inspect.ts';
import { classesOfModel } from './nodes.ts';
import { bufferBytes, MalformedError } from './wire.ts';
import { planZipMaps, rewrite } from './zip-map.ts';

const fixture = (name: string): Buffer => readFileSync(join(import.meta.dirname, '../../../test/fixtures', name));
const numbers = fixture('zipmap-numbers.onnx');
const names = fixture('zipmap-names.onnx');
const SPECIES = ['setosa', 'versicolor', 'virginica'];

const plan = (onnx: Buffer) => planZipMaps(bufferBytes(onnx));
const opsets = (onnx: Buffer) => [...inspectModel(bufferBytes(onnx)).opsets];

const FEATURES = [tensorValue('x', FLOAT, ['N', 2])];
const zipMap = (inputs: string[], outputs: string[], classes: readonly number[]) =>
  node({ op: 'ZipMap', domain: ML, inputs, outputs, attributes: { classlabels_int64s: { ints: classes } } });

describe('ZipMap', () => {
  test('the table takes the map’s place, under the map’s name and with its classes', () => {
    const tables = plan(names)?.tables;
    assert.deepEqual(
      [...(tables ?? [])],
      [['probabilities', { name: 'output_probability', classes: { areNames: true, labels: SPECIES } }]],
    );
  });

  test('everything but the ZipMap stays: operator sets, nodes, and the bytes in memory', () => {
    const before = Buffer.from(numbers);
    const found = plan(numbers);
    assert.ok(found);
    const rewritten = rewrite(numbers, found);
    assert.deepEqual(numbers, before);
    assert.deepEqual(opsets(rewritten), opsets(numbers));
    assert.equal(inspectModel(bufferBytes(rewritten)).nodes, inspectModel(bufferBytes(numbers)).nodes - 1);
    assert.equal(plan(rewritten), undefined);
  });

  test('a model without one is left alone', () => assert.equal(plan(iris.onnx), undefined));

  test('a negative class is read as it is', () => {
    const onnx = model({ nodes: [zipMap(['x'], ['m'], [-1, 1])], inputs: FEATURES, outputs: [] });
    assert.deepEqual(classesOfModel(bufferBytes(onnx)), { areNames: false, labels: ['-1', '1'] });
  });

  test('a map of a table that is an output itself is dropped', async (t) => {
    const onnx = model({
      nodes: [node({ op: 'Identity', inputs: ['x'], outputs: ['y'] }), zipMap(['y'], ['m'], [0, 1])],
      inputs: FEATURES,
      outputs: [tensorValue('m', FLOAT, ['N']), tensorValue('y', FLOAT, ['N', 2])],
    });
    const { dir, files } = await modelFolder(t, filesOf({ onnx }));
    const { session } = await loadModel(dir, files, 1);
    t.after(session.release);
    assert.deepEqual(session.outputs, [{ name: 'y', type: 'float32', dims: [-1, 2] }]);
  });

  test('a map that another operator takes is refused, with the way out', () => {
    const onnx = model({
      nodes: [zipMap(['x'], ['m'], [0, 1]), node({ op: 'Identity', inputs: ['m'], outputs: ['y'] })],
      inputs: FEATURES,
      outputs: [tensorValue('y', INT64, ['N'])],
    });
    assert.throws(() => plan(onnx), {
      reason: 'UnsupportedOperator',
      message: /Identity works on "m".*"zipmap": False/,
    });
  });

  test('damaged files are refused or rewritten, and never more than that', () => {
    let state = 7;
    const random = (below: number): number => {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
      return state % below;
    };
    let rewritten = 0;
    for (let i = 0; i < 5000; i++) {
      const damaged = Buffer.from(i % 2 === 0 ? numbers : names);
      for (let flips = 1 + random(3); flips > 0; flips--) damaged[random(damaged.length)] = random(256);
      try {
        const found = plan(damaged);
        if (!found) continue;
        rewritten++;
        assert.ok(rewrite(damaged, found).length < damaged.length + 64);
      } catch (error) {
        assert.ok(error instanceof FailureError || error instanceof MalformedError, `${error}`);
      }
    }
    assert.ok(rewritten > 1000);
  });
});

describe('a converted classifier, loaded', () => {
  const load = async (t: Parameters<typeof modelFolder>[0], onnx: Buffer) => {
    const { dir, files } = await modelFolder(t, { 'model.onnx': onnx });
    const loaded = await loadModel(dir, files, 1);
    t.after(loaded.session.release);
    const rows = [
      [5.1, 3.5, 1.4, 0.2],
      [6.7, 3.0, 5.2, 2.3],
    ].map((row) => Object.fromEntries(row.map((value, i) => [`X_${i}`, value])));
    const outputs = await loaded.session.run(loaded.encode(rows));
    return { ...loaded, outputs };
  };

  test('with numbers as classes: ids are the classes', async (t) => {
    const { session, signature, outputs, read, canCoalesce } = await load(t, numbers);
    assert.deepEqual(session.outputs, [
      { name: 'output_label', type: 'int64', dims: [-1] },
      { name: 'output_probability', type: 'float32', dims: [-1, 3] },
    ]);
    assert.deepEqual(signature.outputs, [
      { name: 'output_label', type: 'int64' },
      { name: 'output_probability', type: 'float32', labels: ['0', '1', '2'] },
    ]);
    assert.partialDeepStrictEqual(read(outputs), {
      kind: 'classes',
      ids: [0, 2],
      labels: ['0', '2'],
      probabilities: { labels: ['0', '1', '2'] },
    });
    assert.equal(canCoalesce, true);
  });

  test('with names as classes: ids are positions among them', async (t) => {
    const { signature, outputs, read } = await load(t, names);
    assert.deepEqual(
      signature.outputs.map(({ labels }) => labels),
      [SPECIES, SPECIES],
    );
    assert.partialDeepStrictEqual(read(outputs), {
      kind: 'classes',
      ids: [0, 2],
      labels: ['setosa', 'virginica'],
      probabilities: { labels: SPECIES },
    });
  });
});
