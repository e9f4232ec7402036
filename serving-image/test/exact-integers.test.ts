/** 64-bit integers keep every digit on their way in and out, in every protocol. */
import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import { serveHere } from './in-process.ts';
import { echo } from './models.ts';

/** No two of them are told apart by a double. */
const LARGE = ['9007199254740993', '9007199254740992', '-9223372036854775808', '9223372036854775807'];

describe('integers beyond 2^53', () => {
  let url: string;
  const closing: (() => unknown)[] = [];
  before(async () => {
    ({ url } = await serveHere({ after: (close: () => unknown) => void closing.push(close) } as never, echo));
  });
  test.after(async () => {
    for (const close of closing) await close();
  });

  const post = async (path: string, body: string, type = 'application/json') => {
    const response = await fetch(`${url}${path}`, { method: 'POST', headers: { 'content-type': type }, body });
    return { status: response.status, text: await response.text() };
  };
  const records = LARGE.map((count) => `{"count":${count},"flag":true}`).join(',');
  const rows = LARGE.map((count) => `[${count},false]`).join(',');
  const digits = LARGE.join(',');

  const asked: [what: string, path: string, body: string, type?: string][] = [
    ['samples', '/predict', `{"samples":[${records}]}`],
    ['MLflow records', '/invocations', `{"dataframe_records":[${records}]}`],
    ['an MLflow table', '/invocations', `{"dataframe_split":{"columns":["count","flag"],"data":[${rows}]}}`],
    ['MLflow columns', '/invocations', `{"inputs":{"count":[${digits}],"flag":[true,true,true,true]}}`],
    ['CSV', '/invocations', `count,flag\n${LARGE.map((count) => `${count},true`).join('\n')}\n`, 'text/csv'],
    ['KServe V1', '/v1/models/iris:predict', `{"instances":[${records}]}`],
    ['KServe V1 by position', '/v1/models/iris:predict', `{"instances":[${rows}]}`],
    [
      'V2',
      '/v2/models/iris/infer',
      `{"inputs":[{"name":"count","datatype":"INT64","shape":[4],"data":[${digits}]},` +
        '{"name":"flag","datatype":"BOOL","shape":[4],"data":[true,true,true,true]}]}',
    ],
  ];
  for (const [what, path, body, type] of asked) {
    test(`${what}: what goes in comes out`, async () => {
      const { status, text } = await post(path, body, type);
      assert.equal(status, 200, text);
      assert.ok(text.includes(`[${digits}]`), text);
    });
  }

  test('one record', async () => {
    const { text } = await post('/predict', `{"count":${LARGE[0]},"flag":true}`);
    assert.equal(text, `{"status":"success","prediction":"${LARGE[0]}"}`);
  });

  test('written with an exponent or a point it is the same integer', async () => {
    const written = ['1e18', '9.007199254740993e15', '9007199254740993.0'];
    const { text } = await post(
      '/invocations',
      `{"instances":[${written.map((count) => `[${count},true]`).join(',')}]}`,
    );
    assert.equal(text, '{"predictions":[1000000000000000000,9007199254740993,9007199254740993]}');
  });

  const refused: [count: string, words: RegExp][] = [
    ['9223372036854775808', /less than or equal to 9223372036854775807/],
    ['-9223372036854775809', /greater than or equal to -9223372036854775808/],
    ['1e300', /less than or equal to 9223372036854775807/],
    ['1e999', /finite/],
    ['9007199254740993.5', /integer/],
    [`1${'0'.repeat(100_000)}`, /finite/],
  ];
  for (const [count, words] of refused) {
    test(`${count.slice(0, 24)} is refused, and where it stands is said`, async () => {
      const named = await post('/predict', `{"samples":[{"count":1,"flag":true},{"count":${count},"flag":true}]}`);
      assert.equal(named.status, 422, named.text);
      assert.match(named.text, words);
      assert.match(named.text, /"loc":\["body","samples",1,"count"\]/);
      const v1 = await post('/v1/models/iris:predict', `{"instances":[[1,true],[${count},true]]}`);
      assert.equal(v1.status, 400);
      assert.match(v1.text, /^\{"error":"\/instances\/1\/count /);
      const v2 = await post(
        '/v2/models/iris/infer',
        `{"inputs":[{"name":"flag","datatype":"BOOL","shape":[2],"data":[true,true]},` +
          `{"name":"count","datatype":"INT64","shape":[2],"data":[1,${count}]}]}`,
      );
      assert.equal(v2.status, 400, v2.text);
      assert.match(v2.text, /^\{"error":"\/inputs\/1\/data\/1 /);
    });
  }
});
