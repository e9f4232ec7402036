/** The four shapes of `POST /predict`, each answered in its own. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { serveHere } from './in-process.ts';
import { echo, iris, irisRow, irisScores, regressor, SPECIES, type TestModel } from './models.ts';

const cleanups: (() => unknown)[] = [];
const context = { after: (fn: () => unknown) => void cleanups.push(fn) };
after(async () => {
  for (const cleanup of cleanups.reverse()) await cleanup();
});

const FLOWER = [5.1, 3.5, 1.4, 0.2];
const record = irisRow(FLOWER);
const spaced = Object.fromEntries(
  Object.entries(record).map(([name, value]) => [`${name.replace('_', ' ')} (cm)`, value]),
);
const { probabilities } = irisScores(FLOWER);
const rounded = Math.round((probabilities[0] as number) * 10_000) / 10_000;

type Ask = (body: string, query?: string) => Promise<[status: number, text: string]>;
async function asking(model: TestModel): Promise<Ask> {
  const { url } = await serveHere(context, model);
  return async (body, query = '') => {
    const headers = { 'content-type': 'application/json' };
    const response = await fetch(`${url}/predict${query}`, { method: 'POST', headers, body });
    return [response.status, await response.text()];
  };
}
const fault = ([status, text]: [number, string]): unknown[] => {
  const [{ loc, type }] = (JSON.parse(text) as { detail: [{ loc: unknown[]; type: string }] }).detail;
  return [status, loc, type];
};

describe('a classifier', () => {
  let ask: Ask;
  before(async () => {
    ask = await asking(iris);
  });

  test('answers samples, a record and a record with spaced names each as its stack did', async () => {
    assert.deepEqual(await ask(JSON.stringify({ samples: [record] })), [
      200,
      '{"class_id":[0],"class_label":["setosa"]}',
    ]);
    const flat = `{"status":"success","prediction":"setosa","probability":${rounded}}`;
    assert.deepEqual(await ask(JSON.stringify(record)), [200, flat]);
    assert.deepEqual(await ask(JSON.stringify(spaced)), [200, '{"prediction":[0]}']);
  });

  test('one key with a space is enough, and values and white space change nothing', async () => {
    const { sepal_length, ...rest } = record;
    assert.deepEqual(await ask(JSON.stringify({ ...rest, 'sepal length (cm)': sepal_length })), [
      200,
      '{"prediction":[0]}',
    ]);
    assert.equal((await ask(JSON.stringify(record, undefined, 2)))[1], (await ask(JSON.stringify(record)))[1]);
    assert.equal(
      (await ask(JSON.stringify({ 'Sepal-Length': 5.1, ...rest })))[1],
      (await ask(JSON.stringify(record)))[1],
    );
  });

  test('probabilities stand beside the answer when they are asked for', async () => {
    const shares = (object: unknown): void => {
      const given = object as Record<string, number>;
      assert.deepEqual(Object.keys(given), SPECIES);
      Object.values(given).forEach((share, i) => {
        assert.ok(Math.abs(share - (probabilities[i] as number)) < 1e-5);
      });
    };
    const samples = JSON.parse((await ask(JSON.stringify({ samples: [record, record] }), '?probabilities=true'))[1]);
    assert.deepEqual(Object.keys(samples), ['class_id', 'class_label', 'probabilities']);
    assert.equal(samples.probabilities.length, 2);
    for (const row of samples.probabilities) shares(row);
    shares(JSON.parse((await ask(JSON.stringify(record), '?probabilities=true'))[1]).probabilities);
    shares(JSON.parse((await ask(JSON.stringify(spaced), '?probabilities=true'))[1]).probabilities[0]);
    assert.ok(!(await ask(JSON.stringify(record), '?probabilities=false'))[1].includes('probabilities'));
  });

  test('questions nobody knows are refused', async () => {
    const body = JSON.stringify(record);
    assert.deepEqual(fault(await ask(body, '?probabilities=yes')), [422, ['query', 'probabilities'], 'bool_parsing']);
    assert.deepEqual(fault(await ask(body, '?probability=true')), [422, ['query', 'probability'], 'extra_forbidden']);
  });

  test('what is wrong with a record is named where it stands', async () => {
    const { petal_width: _, ...less } = record;
    const faults: [body: unknown, loc: string[], type: string][] = [
      [less, ['petal_width'], 'missing'],
      [{ ...record, petal_width: 'x' }, ['petal_width'], 'float_type'],
      [{ ...record, petal_width: null }, ['petal_width'], 'float_type'],
      [{ ...record, colour: 1 }, ['colour'], 'extra_forbidden'],
      [{ ...record, 'sepal length': 1 }, ['sepal length'], 'ambiguous_name'],
      [{ ...record, samples: 1 }, ['samples'], 'list_type'],
      [{ samples: [record], sepal_length: 1 }, ['sepal_length'], 'extra_forbidden'],
      [{}, ['samples'], 'missing'],
      [{ rows: [record] }, ['samples'], 'missing'],
    ];
    for (const [body, loc, type] of faults) {
      const given = fault(await ask(JSON.stringify(body)));
      if (type === 'list_type') assert.equal(given[0], 422);
      else assert.deepEqual(given, [422, ['body', ...loc], type]);
    }
  });

  test('rows written in many ways within one request', async () => {
    const flowers = Array.from({ length: 50 }, (_, i) => [4 + i / 12, 2 + (i % 5) / 2, 1 + (i % 13) / 2, (i % 7) / 3]);
    const rows = flowers.map((flower, i) => {
      const entries = Object.entries(irisRow(flower));
      const turned = [...entries.slice(i % 4), ...entries.slice(0, i % 4)];
      return Object.fromEntries(turned.map(([name, value]) => [i % 3 === 0 ? name.toUpperCase() : name, value]));
    });
    const [, text] = await ask(JSON.stringify({ samples: rows }, undefined, 1));
    assert.deepEqual(
      JSON.parse(text).class_id,
      flowers.map((flower) => irisScores(flower).id),
    );
  });
});

test('a regressor answers the value, also for a record with a string', async () => {
  const ask = await asking(regressor);
  assert.deepEqual(await ask('{"sex":"M","length":1.5}'), [200, '{"prediction":6}']);
  assert.deepEqual(await ask('{"length":0.05,"sex":"F"}'), [200, '{"prediction":1.1}']);
  assert.deepEqual(await ask('{"samples":[{"sex":"M","length":1.5},{"sex":"F","length":0.05}]}'), [
    200,
    '{"prediction":[6,1.1]}',
  ]);
  assert.deepEqual(await ask('{"Sex (letter)":"M","length (mm)":1.5}'), [200, '{"prediction":[6]}']);
  assert.deepEqual(await ask('{"s\\u0065x":"\\u004d","length":1.5}'), [200, '{"prediction":6}']);
  assert.deepEqual(fault(await ask('{"sex":1,"length":1}')), [422, ['body', 'sex'], 'string_type']);
  assert.deepEqual(fault(await ask('{"sex":"M","length":1}', '?probabilities=true')), [
    ...[422, ['query', 'probabilities'], 'value_error'],
  ]);
});

test('a classifier without probabilities or names leaves them out', async () => {
  const ask = await asking(echo);
  assert.deepEqual(await ask('{"count":7,"flag":true}'), [200, '{"status":"success","prediction":"7"}']);
  assert.deepEqual(await ask('{"count":9007199254740991,"flag":false}'), [
    ...[200, '{"status":"success","prediction":"9007199254740991"}'],
  ]);
  assert.deepEqual(fault(await ask('{"count":7,"flag":1}')), [422, ['body', 'flag'], 'bool_type']);
});
