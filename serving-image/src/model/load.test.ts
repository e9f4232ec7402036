import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { filesOf, modelFolder } from '../../test/folder.ts';
import { centering, echo, iris, irisOneRow, regressor, type TestModel } from '../../test/models.ts';
import { loadModel } from './load.ts';

const load = async (t: TestContext, model: TestModel) => {
  const { dir, files } = await modelFolder(t, filesOf(model));
  const loaded = await loadModel(dir, files, 1);
  t.after(() => loaded.session.release());
  return loaded;
};

test('requests share runs only where rows do not influence each other', async (t) => {
  assert.equal((await load(t, iris)).canCoalesce, true);
  assert.equal((await load(t, regressor)).canCoalesce, true);
  assert.equal((await load(t, echo)).canCoalesce, true);
  assert.equal((await load(t, centering)).canCoalesce, false, 'a mean over the batch');
  assert.equal((await load(t, irisOneRow)).canCoalesce, false, 'one row at a time');
});

test('a model without signature takes its columns from its tensors', async (t) => {
  const { signature, isDerived } = await load(t, echo);
  assert.equal(isDerived, true);
  assert.deepEqual(signature, {
    inputs: [
      { name: 'count', type: 'int64' },
      { name: 'flag', type: 'bool' },
    ],
    outputs: [
      { name: 'count_out', type: 'int64' },
      { name: 'flag_out', type: 'bool' },
    ],
  });
});

test('loading and releasing a model again and again does not grow the process', async (t) => {
  const { dir, files } = await modelFolder(t, filesOf(iris));
  const cycle = async (times: number): Promise<number> => {
    for (let i = 0; i < times; i++) await (await loadModel(dir, files, 1)).session.release();
    return process.memoryUsage().rss / 1024 ** 2;
  };
  const warm = await cycle(20);
  const later = await cycle(60);
  assert.ok(later - warm < 40, `grew from ${warm.toFixed(0)} to ${later.toFixed(0)} MiB`);
});
