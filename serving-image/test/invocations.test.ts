/** MLflow's scoring protocol as its clients speak it. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { assertClose } from './close.ts';
import { type InProcess, serveHere } from './in-process.ts';
import { iris, irisRow, irisScores, regressor, SPECIES, type TestModel } from './models.ts';
import { FLOAT, ML, model, node, STRING, tensorValue } from './onnx.ts';

const cleanups: (() => unknown)[] = [];
const context = { after: (fn: () => unknown) => void cleanups.push(fn) };
after(async () => {
  for (const cleanup of cleanups.reverse()) await cleanup();
});

const FLOWERS = [
  [5.1, 3.5, 1.4, 0.2],
  [6.0, 2.7, 5.1, 1.6],
  [7.7, 3.8, 6.7, 2.2],
];
const COLUMNS = ['sepal_length', 'sepal_width', 'petal_length', 'petal_width'];
const RECORDS = FLOWERS.map(irisRow);
const IDS = FLOWERS.map((flower) => irisScores(flower).id);
const byColumn = Object.fromEntries(COLUMNS.map((name, i) => [name, FLOWERS.map((flower) => flower[i])]));

const invoke = (server: InProcess, body: unknown, type = 'application/json'): Promise<Response> =>
  fetch(`${server.url}/invocations`, {
    method: 'POST',
    headers: { 'content-type': type },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });

async function predictions(response: Response): Promise<unknown> {
  const text = await response.text();
  assert.equal(response.status, 200, text);
  assert.equal(response.headers.get('content-type'), 'application/json');
  return JSON.parse(text).predictions;
}

describe('POST /invocations of a classifier', () => {
  let server: InProcess;
  before(async () => {
    server = await serveHere(context, iris);
  });

  const turned = [3, 2, 1, 0];
  const accepted: [name: string, body: unknown, type?: string][] = [
    ['dataframe_split', { dataframe_split: { columns: COLUMNS, data: FLOWERS } }],
    ['dataframe_split with an index', { dataframe_split: { index: [7, 8, 9], columns: COLUMNS, data: FLOWERS } }],
    [
      'dataframe_split in another order, with a column the model does not take',
      {
        dataframe_split: {
          columns: ['colour', ...turned.map((i) => COLUMNS[i])],
          data: FLOWERS.map((flower) => ['red', ...turned.map((i) => flower[i])]),
        },
      },
    ],
    [
      'dataframe_split in another order',
      {
        dataframe_split: {
          columns: turned.map((i) => COLUMNS[i]),
          data: FLOWERS.map((flower) => turned.map((i) => flower[i])),
        },
      },
    ],
    ['dataframe_split without names', { dataframe_split: { data: FLOWERS } }],
    ['dataframe_records', { dataframe_records: RECORDS }],
    [
      'dataframe_records with more keys than the model takes',
      { dataframe_records: RECORDS.map((r) => ({ id: 1, ...r })) },
    ],
    [
      'dataframe_records, each in its own order',
      { dataframe_records: RECORDS.map((r, i) => (i === 1 ? Object.fromEntries(Object.entries(r).reverse()) : r)) },
    ],
    [
      'dataframe_records under similar names',
      {
        dataframe_records: RECORDS.map((r) =>
          Object.fromEntries(Object.entries(r).map(([k, v]) => [`${k.replace('_', ' ')} (cm)`, v])),
        ),
      },
    ],
    ['instances by position', { instances: FLOWERS }],
    ['instances by name', { instances: RECORDS }],
    ['instances by column', { instances: byColumn }],
    ['inputs by position against named columns', { inputs: FLOWERS }],
    ['inputs by name', { inputs: RECORDS }],
    ['inputs by column', { inputs: byColumn }],
    ['inputs by the name of the tensor', { inputs: { features: FLOWERS } }],
    ['fields MLflow knows nothing of', { inputs: FLOWERS, signature_name: 'x', params: { temperature: 1 } }],
    ['a table as text', `${COLUMNS}\n${FLOWERS.join('\n')}\n`, 'text/csv'],
    [
      'the text of to_csv(), with its index and Windows line ends',
      [`,${COLUMNS}`, ...FLOWERS.map((flower, i) => `${i},${flower}`)].join('\r\n'),
      'text/csv; charset=UTF-8',
    ],
  ];
  for (const [name, body, type] of accepted) {
    test(`${name} is answered with class ids`, async () => {
      assert.deepEqual(await predictions(await invoke(server, body, type)), IDS);
    });
  }

  test('a body is answered alike however it is spaced and whatever stands beside its rows', async () => {
    for (const form of [
      { inputs: FLOWERS },
      { instances: FLOWERS },
      { dataframe_split: { columns: COLUMNS, data: FLOWERS } },
    ]) {
      const texts = [JSON.stringify(form), JSON.stringify(form, undefined, 2), JSON.stringify({ ...form, params: {} })];
      for (const text of texts) assert.deepEqual(await predictions(await invoke(server, text)), IDS, text);
    }
    for (const text of ['{"inputs":[[1,2,3,4]]}}', '{"inputs":[[1,2,3,4]],}', '{"inputs":[[1,2,3,04]]}']) {
      assert.equal((await invoke(server, text)).status, 400, text);
    }
  });

  for (const [name, body, type] of [
    ['no instances', { instances: [] }],
    ['no records', { dataframe_records: [] }],
    ['a table without rows', { dataframe_split: { columns: COLUMNS, data: [] } }],
    ['empty columns', { inputs: { ...byColumn, ...Object.fromEntries(COLUMNS.map((column) => [column, []])) } }],
    ['a header without rows', `${COLUMNS}\n`, 'text/csv'],
  ] as const) {
    test(`${name}: no predictions`, async () => {
      assert.deepEqual(await predictions(await invoke(server, body, type)), []);
    });
  }

  test('probabilities are answered when they are asked for', async () => {
    const asked = { inputs: FLOWERS, params: { probabilities: true } };
    const rows = (await predictions(await invoke(server, asked))) as number[][];
    assert.equal(rows.length, 3);
    for (const [i, row] of rows.entries()) assertClose(row, irisScores(FLOWERS[i] as number[]).probabilities);
    assert.deepEqual(
      await predictions(await invoke(server, { inputs: FLOWERS, params: { probabilities: false } })),
      IDS,
    );
  });

  const split = (columns: unknown, data: unknown) => ({ dataframe_split: { columns, data } });
  const exactlyOne =
    "The input must be a JSON dictionary with exactly one of the input fields {'dataframe_split', 'dataframe_records', 'instances', 'inputs'}. Received";
  const refused: [name: string, body: unknown, message: string | RegExp, type?: string][] = [
    [
      'two forms',
      { inputs: FLOWERS, instances: FLOWERS },
      `${exactlyOne} dictionary with input fields: ['instances', 'inputs'].`,
    ],
    ['no form', { samples: [] }, `${exactlyOne} dictionary with input fields: [].`],
    ['a list', FLOWERS, `${exactlyOne} a list.`],
    ['a number', 7, `${exactlyOne} a number.`],
    ['half a document', '{"inputs": [', 'Ensure that input is a valid JSON formatted string (at character 12)'],
    ['nothing', '', /^Ensure that input is a valid JSON/],
    [
      'a missing column',
      split(COLUMNS.slice(1), [[1, 2, 3]]),
      'the table: column "sepal_length" is missing; the model takes "sepal_length", "sepal_width", "petal_length", "petal_width"',
    ],
    [
      'a record without a column',
      { dataframe_records: [RECORDS[0], { ...irisRow([1, 2, 3, 4]), petal_width: undefined }] },
      /^\/dataframe_records\/1: column "petal_width" is missing/,
    ],
    [
      'null',
      { dataframe_records: [{ ...RECORDS[0], sepal_width: null }] },
      '/dataframe_records/0/sepal_width (column "sepal_width"): Input should be a valid number, got null',
    ],
    [
      'null by position',
      { instances: [FLOWERS[0], [1, 2, 3, null]] },
      '/instances/1/petal_width (column "petal_width"): Input should be a valid number, got null',
    ],
    ['a text', { inputs: [[1, 'x', 3, 4]] }, /column "sepal_width"\): Input should be a valid number, got string$/],
    [
      'a number beyond float32',
      { inputs: [[1e39, 2, 3, 4]] },
      /column "sepal_length"\): Input should be a finite number$/,
    ],
    ['a row too short', { inputs: [[1, 2, 3]] }, '/inputs/0: expected 4 values, one for each column, got 3'],
    ['a row too long', { inputs: [FLOWERS[0], [1, 2, 3, 4, 5]] }, /^\/inputs\/1: expected 4 values/],
    ['a row that is none', { inputs: [1, 2, 3, 4] }, '/inputs/0: expected a list of 4 values, got number'],
    [
      'a record among lists',
      { inputs: [FLOWERS[0], RECORDS[0]] },
      '/inputs/1: expected a list of 4 values, got object',
    ],
    [
      'a list among records',
      { inputs: [RECORDS[0], FLOWERS[0]] },
      '/inputs/1: expected an object of columns, got list',
    ],
    [
      'columns of unequal length',
      { inputs: { ...byColumn, petal_width: [1] } },
      /^\/inputs\/petal_width: expected 3 values/,
    ],
    [
      'a column that is no list',
      { inputs: { ...byColumn, sepal_length: 5 } },
      /^\/inputs\/sepal_length: expected a list/,
    ],
    ['rows that are none', { instances: 'secret' }, '/instances: expected a list of rows, got string'],
    [
      'a table that is none',
      { dataframe_split: FLOWERS },
      /^\/dataframe_split: expected an object with "columns" and "data"/,
    ],
    ['columns that are no names', split([1, 2], []), '/dataframe_split/columns: expected a list of names'],
    [
      'records that are none',
      { dataframe_records: RECORDS[0] },
      '/dataframe_records: expected a list of records, got object',
    ],
    ['params that are none', { inputs: FLOWERS, params: [] }, '/params: expected an object, got list'],
    [
      'a text for true',
      { inputs: FLOWERS, params: { probabilities: 'yes' } },
      /^\/params\/probabilities: expected true or false/,
    ],
    [
      'an empty cell',
      `${COLUMNS}\n1,2,,4\n`,
      'line 2 (column "petal_length"): Input should be a valid number, got null',
      'text/csv',
    ],
    ['a word in a table of numbers', `${COLUMNS}\n1,2,3,4\n1,x,3,4\n`, /^line 3 \(column "sepal_width"\)/, 'text/csv'],
    ['a short line', `${COLUMNS}\n1,2,3\n`, 'line 2: expected 4 cells like the header, got 3', 'text/csv'],
    ['an open quote', `${COLUMNS}\n"1,2,3,4\n`, /never closed/, 'text/csv'],
    ['a text without a header', '\n', /^The body is empty/, 'text/csv'],
    [
      'a column twice in a table',
      split([...COLUMNS, 'petal_width'], [[1, 2, 3, 4, 5]]),
      'the table: column "petal_width" is given more than once; give it once',
    ],
    [
      'a column twice in the header',
      `${COLUMNS},sepal_width\n1,2,3,4,5\n`,
      'the table: column "sepal_width" is given more than once; give it once',
      'text/csv',
    ],
    [
      'two names for one column',
      split([...COLUMNS.slice(0, 3), 'Petal Width', 'petal-width'], [[1, 2, 3, 4, 5]]),
      /"petal_width" is given more than once/,
    ],
  ];
  for (const [name, body, message, type] of refused) {
    test(`${name}: 400 in MLflow's form, saying what and where`, async () => {
      const response = await invoke(server, body, type);
      const answer = (await response.json()) as { error_code: string; message: string };
      assert.equal(response.status, 400, JSON.stringify(answer));
      assert.deepEqual(Object.keys(answer), ['error_code', 'message']);
      assert.equal(answer.error_code, 'BAD_REQUEST');
      if (typeof message === 'string') assert.equal(answer.message, message);
      else assert.match(answer.message, message);
      assert.ok(answer.message.length < 1024 && !answer.message.includes('secret'));
    });
  }

  test('other media types are refused as plain text, other methods as FastAPI does', async () => {
    const parquet = await invoke(server, 'PAR1', 'application/vnd.apache.parquet');
    assert.equal(parquet.status, 415);
    assert.match(parquet.headers.get('content-type') ?? '', /^text\/plain/);
    assert.match(await parquet.text(), /application\/json or text\/csv/);
    assert.equal((await invoke(server, { inputs: FLOWERS }, 'application/json; charset=latin-1')).status, 415);
    const got = await fetch(`${server.url}/invocations`);
    assert.equal(got.status, 405);
    assert.equal(got.headers.get('allow'), 'POST');
    assert.deepEqual(await got.json(), { detail: 'Method Not Allowed' });
  });

  test('GET /ping and GET /version answer as MLflow’s server does', async () => {
    const ping = await fetch(`${server.url}/ping`);
    assert.deepEqual([ping.status, await ping.text()], [200, '\n']);
    const version = await fetch(`${server.url}/version`);
    assert.deepEqual([version.status, version.headers.get('content-type')], [200, 'text/plain; charset=utf-8']);
    assert.match(await version.text(), /^\d+\.\d+\.\d+$/);
  });
});

describe('POST /invocations', () => {
  test('a regressor with a text column answers values, from records, by position and from text', async (t) => {
    const server = await serveHere(t, regressor);
    const bodies: [body: unknown, type?: string][] = [
      [
        {
          dataframe_records: [
            { sex: 'I', length: 0.5 },
            { length: 1, sex: 'F' },
          ],
        },
      ],
      [
        {
          inputs: [
            ['I', 0.5],
            ['F', 1],
          ],
        },
      ],
      [{ inputs: { length: [0.5, 1], sex: ['I', 'F'] } }],
      ['length,sex\n0.5,I\n1,F\n', 'text/csv'],
    ];
    for (const [body, type] of bodies) {
      assertClose((await predictions(await invoke(server, body, type))) as number[], [3, 3]);
    }
    const refused = await invoke(server, { inputs: [['I', 0.5]], params: { probabilities: true } });
    assert.equal(refused.status, 400);
    assert.match(await refused.text(), /gives no probabilities/);
  });

  test('a model that gives names answers names', async (t) => {
    const server = await serveHere(t, named);
    assert.deepEqual(
      await predictions(await invoke(server, { inputs: FLOWERS })),
      IDS.map((id) => SPECIES[id]),
    );
  });

  test('a missing value is let through where the model was trained with them', async (t) => {
    const server = await serveHere(t, gappy);
    const text = await (await invoke(server, '{"inputs": [{"x": NaN, "y": 1}, {"y": 2}, {"x": null, "y": 3}]}')).text();
    assert.deepEqual(JSON.parse(text), { predictions: [9, 9, 9] });
    assert.deepEqual(await predictions(await invoke(server, 'y,x\n1,\n1,2\n', 'text/csv')), [9, 2]);
  });

  test('more rows than the server takes are refused before they are read', async (t) => {
    const server = await serveHere(t, iris, { limits: { maxRows: 2 } });
    const rows = [
      { inputs: FLOWERS },
      { dataframe_records: RECORDS },
      { inputs: byColumn },
      `${COLUMNS}\n${FLOWERS.join('\n')}\n`,
    ];
    for (const body of rows) {
      const response = await invoke(server, body, typeof body === 'string' ? 'text/csv' : undefined);
      assert.equal(response.status, 400);
      assert.match(await response.text(), /2 rows|3 rows.*2/);
    }
  });
});

/** The iris classifier that gives names instead of numbers. */
const named: TestModel = {
  onnx: model({
    nodes: [
      node({
        op: 'LinearClassifier',
        domain: ML,
        inputs: ['features'],
        outputs: ['label', 'probabilities'],
        attributes: {
          classlabels_strings: { strings: SPECIES },
          coefficients: { floats: [-0.42, 0.97, -2.52, -1.08, 0.53, -0.32, -0.2, -0.94, -0.11, -0.65, 2.72, 2.02] },
          intercepts: { floats: [9.85, 2.24, -12.09] },
          multi_class: { int: 1 },
          post_transform: { string: 'SOFTMAX' },
        },
      }),
    ],
    inputs: [tensorValue('features', FLOAT, ['N', 4])],
    outputs: [tensorValue('label', STRING, ['N']), tensorValue('probabilities', FLOAT, ['N', 3])],
  }),
};

/** Gives its first column, and 9 where it is missing. */
const gappy: TestModel = {
  onnx: model({
    nodes: [
      node({
        op: 'Imputer',
        domain: ML,
        inputs: ['in'],
        outputs: ['filled'],
        attributes: { imputed_value_floats: { floats: [9, 9] }, replaced_value_float: { float: Number.NaN } },
      }),
      node({
        op: 'LinearRegressor',
        domain: ML,
        inputs: ['filled'],
        outputs: ['out'],
        attributes: { coefficients: { floats: [1, 0] }, intercepts: { floats: [0] } },
      }),
    ],
    inputs: [tensorValue('in', FLOAT, ['N', 2])],
    outputs: [tensorValue('out', FLOAT, ['N', 1])],
  }),
  signature: {
    inputs: [
      { name: 'x', type: 'float32', optional: true },
      { name: 'y', type: 'float32' },
    ],
    outputs: [{ name: 'out', type: 'float32' }],
  },
};
