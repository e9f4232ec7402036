/** KServe's V1 protocol as its clients speak it. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { type InProcess, serveHere } from './in-process.ts';
import { iris, irisRow, irisScores, regressor } from './models.ts';

const cleanups: (() => unknown)[] = [];
const context = { after: (fn: () => unknown) => void cleanups.push(fn) };
after(async () => {
  for (const cleanup of cleanups.reverse()) await cleanup();
});

const FLOWERS = [
  [5.1, 3.5, 1.4, 0.2],
  [7.7, 3.8, 6.7, 2.2],
];
const IDS = FLOWERS.map((flower) => irisScores(flower).id);

describe('KServe V1', () => {
  let server: InProcess;
  before(async () => {
    server = await serveHere(context, iris);
  });
  const ask = async (path: string, body?: unknown): Promise<[status: number, answer: unknown]> => {
    const json = { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) };
    const response = await fetch(`${server.url}${path}`, body === undefined ? {} : json);
    return [response.status, await response.json()];
  };

  for (const [name, body] of Object.entries({
    'instances by position': { instances: FLOWERS },
    'instances by name': { instances: FLOWERS.map(irisRow) },
    'inputs by position': { inputs: FLOWERS },
    'fields beside them': { instances: FLOWERS, signature_name: 'serving_default' },
  })) {
    test(`${name} are answered with class ids`, async () => {
      assert.deepEqual(await ask('/v1/models/iris:predict', body), [200, { predictions: IDS }]);
    });
  }

  test('no rows, no predictions', async () => {
    assert.deepEqual(await ask('/v1/models/iris:predict', { instances: [] }), [200, { predictions: [] }]);
  });

  const missing = { ...irisRow([1, 2, 3, 4]), sepal_width: undefined };
  for (const [name, body, message] of [
    ['no rows at all', {}, /^Expected "instances" or "inputs" in the body, got neither$/],
    ['both', { instances: FLOWERS, inputs: FLOWERS }, /got both$/],
    ['a list', FLOWERS, /^Expected an object with "instances" or "inputs", got list$/],
    ['a missing column', { instances: [missing] }, /^\/instances\/0: column "sepal_width" is missing/],
    ['null', { instances: [[1, 2, 3, null]] }, /^\/instances\/0\/petal_width .*got null$/],
    ['a ragged row', { instances: [FLOWERS[0], [1]] }, /^\/instances\/1: expected 4 values/],
  ] as const) {
    test(`${name}: 400 with an error`, async () => {
      const [status, answer] = await ask('/v1/models/iris:predict', body);
      assert.equal(status, 400);
      assert.deepEqual(Object.keys(answer as object), ['error']);
      assert.match((answer as { error: string }).error, message);
    });
  }

  test('models are listed, and tell whether they are ready', async () => {
    assert.deepEqual(await ask('/v1/models'), [200, { models: ['iris'] }]);
    assert.deepEqual(await ask('/v1/models/iris'), [200, { name: 'iris', ready: true }]);
    server.state.isDraining = true;
    try {
      assert.deepEqual(await ask('/v1/models/iris'), [503, { error: 'Model with name iris is not ready.' }]);
    } finally {
      server.state.isDraining = false;
    }
  });

  test('another model does not exist', async () => {
    const gone = { error: 'Model with name digits does not exist.' };
    assert.deepEqual(await ask('/v1/models/digits'), [404, gone]);
    assert.deepEqual(await ask('/v1/models/digits:predict', { instances: FLOWERS }), [404, gone]);
    assert.deepEqual(await ask('/v1/models/digits:explain', { instances: FLOWERS }), [404, gone]);
    const [, strange] = await ask('/v1/models/%3Cscript%3E');
    assert.deepEqual(strange, { error: 'Model with that name does not exist.' });
  });

  test('explanations are not given, and it says so', async () => {
    const [status, answer] = await ask('/v1/models/iris:explain', { instances: FLOWERS });
    assert.equal(status, 501);
    assert.match((answer as { error: string }).error, /:predict/);
  });

  test('other methods are refused', async () => {
    assert.equal((await ask('/v1/models/iris:predict'))[0], 405);
    assert.equal((await ask('/v1/models', {}))[0], 405);
    assert.equal((await ask('/v1/elsewhere'))[0], 404);
  });

  test('a model that is still loading answers nothing', async () => {
    const { model } = server.state;
    server.state.model = undefined;
    try {
      assert.deepEqual((await ask('/v1/models/iris'))[0], 503);
      assert.deepEqual((await ask('/v1/models/iris:predict', { instances: FLOWERS }))[0], 503);
    } finally {
      server.state.model = model;
    }
  });

  test('a regressor answers values', async (t) => {
    const other = await serveHere(t, regressor);
    const response = await fetch(`${other.url}/v1/models/iris:predict`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ instances: [{ sex: 'I', length: 0.5 }] }),
    });
    assert.deepEqual(await response.json(), { predictions: [3] });
  });
});
