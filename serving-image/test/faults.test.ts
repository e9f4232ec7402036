/** What is said of a body that is wrong: the same faults are refused everywhere, with their place, and in few bytes. */
import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import { serveHere } from './in-process.ts';
import { iris, type TestModel } from './models.ts';

const post = async (url: string, path: string, body: string) => {
  const response = await fetch(`${url}${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body,
  });
  return { status: response.status, text: await response.text() };
};

const serving = (model: TestModel) => {
  const told = { url: '' };
  const closing: (() => unknown)[] = [];
  before(async () => {
    ({ url: told.url } = await serveHere(
      { after: (close: () => unknown) => void closing.push(close) } as never,
      model,
    ));
  });
  test.after(async () => {
    for (const close of closing) await close();
  });
  return told;
};

describe('a name that is given twice in one object', () => {
  const server = serving(iris);
  const row = '"sepal_length":1,"sepal_width":1,"petal_length":1,"petal_width":1';
  const tensor = (more: string) =>
    `{"inputs":[{"name":"features","datatype":"FP32","shape":[1,4],${more}"data":[1,1,1,1]}]}`;
  const rows = Array.from({ length: 200 }, () => '[5.1,3.5,1.4,0.2]').join(',');

  const asked: [what: string, path: string, body: string, where: string][] = [
    [
      'a record of MLflow',
      '/invocations',
      `{"dataframe_records":[{${row}},{${row},"sepal_width":9}]}`,
      '/dataframe_records/1/sepal_width',
    ],
    ['the form of MLflow', '/invocations', '{"inputs":[[1,1,1,1]],"inputs":[[2,2,2,2]]}', '/inputs'],
    ['a table', '/invocations', '{"dataframe_split":{"data":[[1,1,1,1]],"data":[[2,2,2,2]]}}', '/dataframe_split/data'],
    ['a column', '/invocations', `{"inputs":{"sepal_length":[1],"sepal_length":[2]}}`, '/inputs/sepal_length'],
    ['parameters', '/invocations', '{"inputs":[[1,1,1,1]],"params":{"x":{"a:":1,"a:":2}}}', '/params/x/a:'],
    [
      'a letter as an escape',
      '/invocations',
      '{"params":null,"inputs":[[1,1,1,1]],"\\u0069nputs":[[2,2,2,2]]}',
      '/inputs',
    ],
    [
      'a record of V1',
      '/v1/models/iris:predict',
      `{"instances":[{${row},"petal_width":2}]}`,
      '/instances/0/petal_width',
    ],
    ['the form of V1', '/v1/models/iris:predict', '{"instances":[[1,1,1,1]],"instances":[[2,2,2,2]]}', '/instances'],
    ['a tensor of V2', '/v2/models/iris/infer', tensor('"data":[2,2,2,2],'), '/inputs/0/data'],
    ['the shape of V2', '/v2/models/iris/infer', tensor('"shape":[1,4],'), '/inputs/0/shape'],
    ['the id of V2', '/v2/models/iris/infer', tensor('').replace('{', '{"id":"a","id":"b",'), '/id'],
    ['a parameter of V2', '/v2/models/iris/infer', tensor('"parameters":{"a":1,"a":2},'), '/inputs/0/parameters/a'],
    [
      'a parameter of a large request of V2',
      '/v2/models/iris/infer',
      `{"parameters":{"a/b":1,"a/b":2},"inputs":[{"name":"features","datatype":"FP32","shape":[200,4],"data":[${rows}]}]}`,
      '/parameters/a~1b',
    ],
  ];
  for (const [what, path, body, where] of asked) {
    test(`${what}: 400 at ${where}`, async () => {
      const { status, text } = await post(server.url, path, body);
      assert.equal(status, 400, text);
      const { message, error } = JSON.parse(text) as { message?: string; error?: string };
      assert.equal(message ?? error, `${where}: the same name is given twice in one object; give it once`);
    });
  }

  test('colons in texts are no names', async () => {
    const { status } = await post(server.url, '/invocations', '{"inputs":[[1,1,1,1]],"params":{"a":"b:c","d":["e:"]}}');
    assert.equal(status, 200);
  });
});

describe('a fault takes at most 1 KB', () => {
  const WIDE = ['\u{1F339}', '\u0001', '漢', '"', '\\', '\ud800'];
  /** Columns whose own names are long, in letters of three bytes. */
  const names = [0, 1, 2, 3].map((i) => `${'漢'.repeat(100)}${i}`);
  const wordy = serving({
    ...iris,
    signature: { inputs: names.map((name) => ({ name, type: 'float32' })), outputs: iris.signature?.outputs ?? [] },
    examples: undefined as never,
  });
  const server = serving(iris);

  for (const letter of WIDE) {
    test(`whatever the names are made of: ${JSON.stringify(letter)}`, async () => {
      const name = letter.repeat(5_000);
      const [key, deep] = [JSON.stringify(name), '{"a":'.repeat(300)];
      const bodies: [path: string, body: string][] = [
        ['/predict', `{"samples":[{${key}:1}]}`],
        ['/predict', `{"samples":[],${key}:1}`],
        ['/predict', `{"samples":[{${key}:1,${key}:2}]}`],
        ['/invocations', `{"dataframe_records":[{${key}:1}]}`],
        ['/invocations', `{${key}:{${key}:1,${key}:2}}`],
        ['/invocations', `{"inputs":${deep}{${key}:1,${key}:2}${'}'.repeat(300)}}`],
        ['/v1/models/iris:predict', `{"inputs":{${key}:[1]}}`],
        ['/v2/models/iris/infer', `{"inputs":[{"name":${key}}],"outputs":[{"name":${key}}]}`],
        ['/v2/models/iris/infer', `{"inputs":[],"parameters":{${key}:{${key}:1,${key}:2}}}`],
      ];
      for (const { url } of [server, wordy]) {
        for (const [path, body] of bodies) {
          const { status, text } = await post(url, path, body);
          assert.ok(status === 400 || status === 422, `${path} ${body.slice(0, 40)} ${text}`);
          assert.ok(Buffer.byteLength(text) <= 1024, `${Buffer.byteLength(text)} bytes: ${text}`);
          assert.ok(Buffer.byteLength(text) > 40, text);
        }
      }
    });
  }
});
