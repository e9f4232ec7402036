import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { assertClose } from './close.ts';
import { ambiguous, echo, iris, irisOneRow, irisRow, irisScores, logarithm, regressor, SPECIES } from './models.ts';
import { type Served, serve } from './program.ts';

const cleanups: (() => unknown)[] = [];
const context = { after: (fn: () => unknown) => void cleanups.push(fn) };
after(async () => {
  for (const cleanup of cleanups.reverse()) await cleanup();
});

const post = (
  url: string,
  body: string | Buffer,
  headers: Record<string, string> = { 'content-type': 'application/json' },
) => fetch(url, { method: 'POST', body: body as string, headers });

interface Detail {
  loc: (string | number)[];
  msg: string;
  type: string;
}
async function detailOf(response: Response): Promise<Detail> {
  const { detail } = (await response.json()) as { detail: Detail[] };
  assert.equal(detail.length, 1, 'exactly the first error');
  return detail[0] as Detail;
}

const FLOWER = [5.1, 3.5, 1.4, 0.2];
const row = (change: Record<string, unknown> = {}): string =>
  JSON.stringify({ samples: [{ ...irisRow(FLOWER), ...change }] });
/** JSON with a number that JSON.stringify would not write. */
const rowWith = (literal: string): string => row({ sepal_length: 'HERE' }).replace('"HERE"', literal);

describe('POST /predict', () => {
  let server: Served;
  before(async () => {
    server = await serve(context, iris);
  });

  test('a classifier answers ids and labels, and says which version and bytes gave them', async () => {
    const response = await post(`${server.url}/predict`, row(), {
      'content-type': 'application/json; charset=UTF-8',
      'x-request-id': 'abc-1',
    });
    assert.equal(response.status, 200);
    assert.equal(await response.text(), '{"class_id":[0],"class_label":["setosa"]}');
    assert.equal(response.headers.get('x-model-version'), '2');
    assert.equal(response.headers.get('x-artifact-sha256'), server.folder.digest);
    assert.equal(response.headers.get('x-request-id'), 'abc-1');
  });

  test('names may be written in any of the usual ways', async () => {
    const body = {
      samples: [{ 'Sepal Length (cm)': 7.7, 'sepal-width': 3.8, petal_length: 6.7, 'PETAL_WIDTH (cm)': 2.2 }],
    };
    const response = await post(`${server.url}/predict`, JSON.stringify(body));
    assert.deepEqual(await response.json(), { class_id: [2], class_label: ['virginica'] });
  });

  const refused: [name: string, body: string, loc: (string | number)[], type: string][] = [
    ['a missing field', row({ sepal_width: undefined }), ['body', 'samples', 0, 'sepal_width'], 'missing'],
    ['an extra field', row({ colour: 'blue' }), ['body', 'samples', 0, 'colour'], 'extra_forbidden'],
    [
      'a field given twice',
      row({ 'sepal length (cm)': 1 }),
      ['body', 'samples', 0, 'sepal length (cm)'],
      'ambiguous_name',
    ],
    ['a string for a number', row({ petal_width: 'secret' }), ['body', 'samples', 0, 'petal_width'], 'float_type'],
    ['a boolean for a number', row({ petal_width: true }), ['body', 'samples', 0, 'petal_width'], 'float_type'],
    ['null for a number', row({ petal_width: null }), ['body', 'samples', 0, 'petal_width'], 'float_type'],
    ['a list for a number', row({ petal_width: [1] }), ['body', 'samples', 0, 'petal_width'], 'float_type'],
    ['1e999', rowWith('1e999'), ['body', 'samples', 0, 'sepal_length'], 'finite_number'],
    ['1e39, infinite as float32', rowWith('1e39'), ['body', 'samples', 0, 'sepal_length'], 'finite_number'],
    ['NaN, which is not JSON', rowWith('NaN'), ['body'], 'json_invalid'],
    ['half a document', '{"samples": [', ['body', 13], 'json_invalid'],
    ['no body', '', ['body'], 'missing'],
    ['a list', '[1]', ['body'], 'dict_type'],
    ['no samples', '{"rows":[]}', ['body', 'samples'], 'missing'],
    ['something beside samples', '{"samples":[],"x":1}', ['body', 'x'], 'extra_forbidden'],
    ['samples that are no list', '{"samples":{}}', ['body', 'samples'], 'list_type'],
    ['a sample that is no object', '{"samples":[[5.1,3.5,1.4,0.2]]}', ['body', 'samples', 0], 'dict_type'],
    ['a sample that is null', '{"samples":[null]}', ['body', 'samples', 0], 'dict_type'],
    ['no sample at all', '{"samples":[]}', ['body', 'samples'], 'too_short'],
    [
      'more samples than allowed',
      JSON.stringify({ samples: Array.from({ length: 4097 }, () => ({})) }),
      ['body', 'samples'],
      'too_long',
    ],
    [
      'names of the prototype',
      '{"samples":[{"__proto__":1,"constructor":2}]}',
      ['body', 'samples', 0, 'sepal_length'],
      'missing',
    ],
    ['49,000 brackets', `{"samples":${'['.repeat(49_000)}${']'.repeat(49_000)}}`, ['body', 'samples', 0], 'dict_type'],
  ];
  for (const [name, body, loc, type] of refused) {
    test(`${name} is refused where it stands, with 422 ${type}`, async () => {
      const response = await post(`${server.url}/predict`, body);
      const text = await response.clone().text();
      assert.equal(response.status, 422);
      const detail = await detailOf(response);
      assert.equal(detail.type, type);
      assert.deepEqual(detail.loc, loc);
      assert.ok(!text.includes('secret') && !text.includes('blue'), 'the value is not echoed');
      assert.ok(text.length < 1024);
    });
  }

  test('a key of megabytes is refused shortly and quickly', async () => {
    const body = JSON.stringify({ samples: [{ ...irisRow(FLOWER), ['('.repeat(4_000_000)]: 1 }] });
    const response = await post(`${server.url}/predict`, body);
    assert.equal(response.status, 422);
    assert.ok((await response.text()).length < 1024);
  });

  test('only JSON in UTF-8 is read', async () => {
    for (const type of [
      'text/plain',
      'application/x-www-form-urlencoded',
      'application/json; charset=latin1',
      'multipart/form-data',
    ]) {
      const response = await post(`${server.url}/predict`, row(), { 'content-type': type });
      assert.equal(response.status, 415, type);
      assert.match(((await response.json()) as { detail: string }).detail, /application\/json/);
    }
    const compressed = await post(`${server.url}/predict`, row(), {
      'content-type': 'application/json',
      'content-encoding': 'gzip',
    });
    assert.equal(compressed.status, 415);
    assert.equal((await post(`${server.url}/predict`, Buffer.from([0x22, 0xff, 0x22]))).status, 422);
  });

  test('other methods and paths are refused as JSON', async () => {
    const get = await fetch(`${server.url}/predict`);
    assert.equal(get.status, 405);
    assert.equal(get.headers.get('allow'), 'POST');
    for (const path of ['/predict/', '/nothing', '/..%2f..%2fetc%2fpasswd', '/%zz']) {
      const response = await fetch(server.url + path);
      assert.equal(response.status, 404, path);
      assert.deepEqual(await response.json(), { detail: 'Not found' });
      assert.ok(response.headers.get('x-request-id'));
    }
  });
});

test('requests answered together each get their own answer', async () => {
  const server = await serve(context, iris, { SERVE_SETTINGS: '{"engine":"onnxruntime"}' });
  const rows = Array.from({ length: 512 }, (_, i) => [
    4 + (i % 37) / 10,
    2 + (i % 23) / 10,
    1 + (i % 59) / 10,
    (i % 29) / 12,
  ]);
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < rows.length) {
      const values = rows[next++] as number[];
      const response = await post(`${server.url}/v2/models/iris/infer`, inferBody(values));
      const { outputs } = (await response.json()) as { outputs: { name: string; data: number[] }[] };
      const expected = irisScores(values);
      assert.equal(outputs[0]?.data[0], expected.id);
      assertClose(outputs[1]?.data, expected.probabilities);
    }
  };
  await Promise.all(Array.from({ length: 64 }, worker));
  const metrics = await (await fetch(`${server.url}/metrics`)).text();
  const runs = Number(/^slipway_run_rows_count.* (\d+)$/m.exec(metrics)?.[1]);
  const total = Number(/^slipway_rows_total.* (\d+)$/m.exec(metrics)?.[1]);
  assert.ok(runs < total, `${total} rows shared ${runs} runs`);
});

const inferBody = (values: readonly number[]): string =>
  JSON.stringify({ inputs: [{ name: 'features', shape: [1, 4], datatype: 'FP32', data: values }] });

test('a body over the limit is 413, whether it says so or not', async () => {
  const server = await serve(context, iris, { MAX_BODY_BYTES: '1000' });
  assert.equal((await post(`${server.url}/predict`, ' '.repeat(1001))).status, 413);
  const chunked = await fetch(`${server.url}/predict`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: new Blob([' '.repeat(3000)]).stream(),
    duplex: 'half',
  });
  assert.equal(chunked.status, 413);
  assert.equal((await post(`${server.url}/predict`, row())).status, 200, 'and the server goes on');
});

test('a regressor with a string column answers values', async () => {
  const server = await serve(context, regressor);
  const response = await post(
    `${server.url}/predict`,
    JSON.stringify({
      samples: [
        { sex: 'M', length: 1.5 },
        { length: 0, sex: 'F' },
      ],
    }),
  );
  assert.deepEqual(await response.json(), { prediction: [6, 1] });
  const wrong = await detailOf(await post(`${server.url}/predict`, '{"samples":[{"sex":1,"length":1}]}'));
  assert.deepEqual([wrong.loc.at(-1), wrong.type], ['sex', 'string_type']);
});

test('a model for one row at a time takes many samples all the same', async () => {
  const server = await serve(context, irisOneRow);
  const rows = [FLOWER, [7.7, 3.8, 6.7, 2.2]];
  const response = await post(`${server.url}/predict`, JSON.stringify({ samples: rows.map(irisRow) }));
  assert.deepEqual(await response.json(), { class_id: [0, 2], class_label: [SPECIES[0], SPECIES[2]] });
});

test('an ambiguous name is refused with the candidates', async () => {
  const server = await serve(context, ambiguous);
  const clear = await post(
    `${server.url}/predict`,
    JSON.stringify({ samples: [{ 'size (cm)': 1, 'size (in)': 2, weight: 3, age: 4 }] }),
  );
  assert.equal(clear.status, 200);
  const unclear = await post(
    `${server.url}/predict`,
    JSON.stringify({ samples: [{ size: 1, 'size (in)': 2, weight: 3, age: 4 }] }),
  );
  assert.equal(unclear.status, 422);
  const detail = await detailOf(unclear);
  assert.equal(detail.type, 'ambiguous_name');
  assert.match(detail.msg, /"size \(cm\)", "size \(in\)"/);
});

test('a prediction that is not a number is an error, never an answer', async () => {
  const server = await serve(context, logarithm);
  const body = (x: number) => JSON.stringify({ samples: [{ x_0: x, x_1: 1 }] });
  assert.deepEqual(await (await post(`${server.url}/predict`, body(1))).json(), { prediction: [[0, 0]] });
  const answers = await Promise.all([1, -1, 1, -1].map((x) => post(`${server.url}/predict`, body(x))));
  assert.deepEqual(
    answers.map(({ status }) => status),
    [200, 500, 200, 500],
    'and only for the request that caused it',
  );
  const text = await answers[1]?.text();
  assert.match(text ?? '', /not finite/);
});

test('integers and booleans are taken only as such', async () => {
  const server = await serve(context, echo);
  const ask = async (sample: string) => post(`${server.url}/predict`, `{"samples":[${sample}]}`);
  assert.deepEqual(await (await ask('{"count":7,"flag":true}')).json(), { class_id: [7], class_label: ['7'] });
  assert.equal((await detailOf(await ask('{"count":7.5,"flag":true}'))).type, 'int_from_float');
  assert.equal((await detailOf(await ask('{"count":"7","flag":true}'))).type, 'int_type');
  assert.equal((await detailOf(await ask('{"count":1e300,"flag":true}'))).type, 'less_than_equal');
  assert.equal((await detailOf(await ask('{"count":7,"flag":1}'))).type, 'bool_type');
});
