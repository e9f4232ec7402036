import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { assertClose } from './close.ts';
import { iris, irisScores, manyTypes, regressor, SPECIES } from './models.ts';
import { type Served, serve } from './program.ts';

const cleanups: (() => unknown)[] = [];
const context = { after: (fn: () => unknown) => void cleanups.push(fn) };
after(async () => {
  for (const cleanup of cleanups.reverse()) await cleanup();
});

interface OutputHead {
  readonly name: string;
  readonly datatype: string;
  readonly shape: readonly number[];
  readonly data?: readonly unknown[];
  readonly parameters?: { readonly binary_data_size: number };
}

interface Reply {
  readonly status: number;
  readonly headers: Headers;
  readonly json: { readonly id?: string; readonly error?: string; readonly outputs: readonly OutputHead[] };
  /** By output. */
  readonly raw: ReadonlyMap<string, Buffer>;
}

interface Sent {
  readonly json: unknown;
  readonly raw?: readonly Uint8Array[];
  /** Said in the header instead of the truth. */
  readonly length?: string;
  readonly type?: string;
  /** Spaces before the JSON: moves the bytes behind it to another alignment. */
  readonly spaces?: number;
}

async function infer(
  server: Served,
  { json, raw = [], length, type = 'application/octet-stream', spaces = 0 }: Sent,
): Promise<Reply> {
  const head = Buffer.from(' '.repeat(spaces) + JSON.stringify(json));
  const headers = { 'content-type': type, 'inference-header-content-length': length ?? String(head.length) };
  const body = Buffer.concat([head, ...raw]);
  const response = await fetch(`${server.url}/v2/models/iris/infer`, { method: 'POST', headers, body });
  const bytes = Buffer.from(await response.arrayBuffer());
  const said = response.headers.get('inference-header-content-length');
  const end = said === null ? bytes.length : Number(said);
  const answer = JSON.parse(bytes.subarray(0, end).toString()) as Reply['json'];
  let at = end;
  const pieces = new Map<string, Buffer>();
  for (const { name, parameters } of answer.outputs ?? []) {
    if (!parameters) continue;
    pieces.set(name, bytes.subarray(at, at + parameters.binary_data_size));
    at += parameters.binary_data_size;
  }
  assert.equal(at, bytes.length, 'no byte of the answer is left over');
  return { status: response.status, headers: response.headers, json: answer, raw: pieces };
}

const bytesOf = (array: NodeJS.TypedArray): Uint8Array =>
  new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
const texts = (...values: readonly string[]): Buffer =>
  Buffer.concat(
    values.flatMap((value) => {
      const length = Buffer.alloc(4);
      length.writeUInt32LE(Buffer.byteLength(value));
      return [length, Buffer.from(value)];
    }),
  );
const floatsOf = (raw: Buffer | undefined): number[] =>
  Array.from(new Float32Array(Uint8Array.prototype.slice.call(raw ?? Buffer.alloc(0)).buffer));

const FLOWERS = [
  [5.1, 3.5, 1.4, 0.2],
  [7.7, 3.8, 6.7, 2.2],
];
const FLOATS = bytesOf(Float32Array.from(FLOWERS.flat()));
const features = (change: Record<string, unknown> = {}) => ({
  name: 'features',
  shape: [2, 4],
  datatype: 'FP32',
  parameters: { binary_data_size: FLOATS.length },
  ...change,
});
const BINARY_OUTPUT = { parameters: { binary_data_output: true } };

describe('the binary extension', () => {
  let server: Served;
  before(async () => {
    server = await serve(context, iris);
  });

  test('tensors go in and come out as bytes, wherever in the body they begin', async () => {
    for (const spaces of [0, 1, 2, 3, 4, 5, 6, 7]) {
      const reply = await infer(server, {
        json: { id: 'b-1', inputs: [features()], ...BINARY_OUTPUT },
        raw: [FLOATS],
        spaces,
      });
      assert.equal(reply.status, 200, reply.json.error);
      assert.equal(reply.headers.get('content-type'), 'application/octet-stream');
      assert.deepEqual(reply.json, {
        model_name: 'iris',
        model_version: '2',
        id: 'b-1',
        outputs: [
          { name: 'label', datatype: 'INT64', shape: [2], parameters: { binary_data_size: 16 } },
          { name: 'probabilities', datatype: 'FP32', shape: [2, 3], parameters: { binary_data_size: 24 } },
        ],
      });
      assert.deepEqual(
        FLOWERS.map((_, row) => reply.raw.get('label')?.readBigInt64LE(row * 8)),
        FLOWERS.map((row) => BigInt(irisScores(row).id)),
      );
      assertClose(
        floatsOf(reply.raw.get('probabilities')),
        FLOWERS.flatMap((row) => irisScores(row).probabilities),
      );
    }
  });

  test('each output comes as it was asked for, whatever the request says of all', async () => {
    const outputs = [
      { name: 'probabilities', parameters: { binary_data: true } },
      { name: 'label', parameters: { binary_data: false } },
    ];
    for (const all of [{}, BINARY_OUTPUT]) {
      const reply = await infer(server, { json: { inputs: [features()], outputs, ...all }, raw: [FLOATS] });
      assert.deepEqual(
        reply.json.outputs.map(({ name, parameters, data }) => [name, parameters, data]),
        [
          ['probabilities', { binary_data_size: 24 }, undefined],
          ['label', undefined, [0, 2]],
        ],
      );
    }
  });

  test('bytes in and JSON out, JSON in and bytes out, with any content type', async () => {
    for (const type of ['application/json', 'application/octet-stream']) {
      const asJson = await infer(server, { json: { inputs: [features()] }, raw: [FLOATS], type });
      assert.equal(asJson.headers.get('content-type'), 'application/json');
      assert.deepEqual(asJson.json.outputs[0]?.data, [0, 2]);
      const data = { ...features(), parameters: {}, data: FLOWERS };
      const asBytes = await infer(server, { json: { inputs: [data], ...BINARY_OUTPUT }, type });
      assert.equal(asBytes.raw.get('label')?.length, 16);
    }
  });

  test('the highest values with place and label, where they are asked for', async () => {
    const outputs = [{ name: 'probabilities', parameters: { classification: 2 } }];
    const { json } = await infer(server, { json: { inputs: [features()], outputs }, raw: [FLOATS] });
    const [output] = json.outputs;
    assert.deepEqual([output?.datatype, output?.shape], ['BYTES', [2, 2]]);
    const expected = FLOWERS.flatMap((row) =>
      irisScores(row)
        .probabilities.map((value, place) => ({ value, place }))
        .sort((a, b) => b.value - a.value)
        .slice(0, 2),
    );
    output?.data?.forEach((text, i) => {
      const [value, place, label] = String(text).split(':');
      assertClose([Number(value)], [expected[i]?.value as number]);
      assert.deepEqual([Number(place), label], [expected[i]?.place, SPECIES[expected[i]?.place as number]]);
    });
    const all = [{ name: 'probabilities', parameters: { classification: 99 } }];
    const wide = await infer(server, { json: { inputs: [features()], outputs: all }, raw: [FLOATS] });
    assert.deepEqual(wide.json.outputs[0]?.shape, [2, 3]);
  });

  const withNaN = bytesOf(Float32Array.from([1, 2, Number.NaN, 4, 1, 2, 3, 4]));
  const withInfinity = bytesOf(Float32Array.from([1, 2, 3, 4, 1, 2, 3, Number.NEGATIVE_INFINITY]));
  const sized = (size: unknown) => features({ parameters: { binary_data_size: size } });
  const asking = (parameters: unknown) => ({ inputs: [features()], outputs: [{ name: 'label', parameters }] });
  const refused: [name: string, sent: Sent, message: RegExp][] = [
    ['NaN', { json: { inputs: [features()] }, raw: [withNaN] }, /value 2 of its binary data: expected a finite number/],
    ['infinity', { json: { inputs: [features()] }, raw: [withInfinity] }, /value 7 of its binary data/],
    [
      'fewer bytes than said',
      { json: { inputs: [features()] }, raw: [FLOATS.subarray(1)] },
      /only 31 bytes of the body/,
    ],
    [
      'bytes left over',
      { json: { inputs: [features()] }, raw: [FLOATS, FLOATS] },
      /goes on for 32 bytes after the tensors/,
    ],
    [
      'bytes nobody asked for',
      { json: { inputs: [{ ...features(), parameters: {}, data: FLOWERS }] }, raw: [FLOATS] },
      /goes on for 32 bytes/,
    ],
    [
      'a size other than shape times datatype',
      { json: { inputs: [sized(28)] }, raw: [FLOATS.subarray(4)] },
      /is 28, its shape and datatype ask for 32/,
    ],
    ['another shape', { json: { inputs: [features({ shape: [1, 8] })] }, raw: [FLOATS] }, /expected shape \[-1,4\]/],
    [
      'another datatype',
      { json: { inputs: [features({ datatype: 'FP64' })] }, raw: [FLOATS] },
      /expected datatype FP32/,
    ],
    ['too many rows', { json: { inputs: [features({ shape: [5000, 4] })] }, raw: [FLOATS] }, /at most 4096 rows/],
    [
      'data twice',
      { json: { inputs: [features({ data: FLOWERS })] }, raw: [FLOATS] },
      /both "data" and "binary_data_size"/,
    ],
    [
      'a size that is none',
      { json: { inputs: [sized('secret')] }, raw: [FLOATS] },
      /^\/inputs\/0\/parameters\/binary_data_size: expected a number of bytes, got string/,
    ],
    [
      'a negative size',
      { json: { inputs: [sized(-32)] }, raw: [FLOATS] },
      /binary_data_size: expected a number of bytes, got number/,
    ],
    [
      'a huge size',
      { json: { inputs: [sized(2 ** 53)] }, raw: [FLOATS] },
      /binary_data_size: expected a number of bytes/,
    ],
    [
      'a length beyond the body',
      { json: { inputs: [features()] }, raw: [FLOATS], length: '99999' },
      /is said to have 99999 bytes/,
    ],
    [
      'a length that is none',
      { json: { inputs: [features()] }, raw: [FLOATS], length: 'secret' },
      /the number of bytes of the JSON/,
    ],
    [
      'a negative length',
      { json: { inputs: [features()] }, raw: [FLOATS], length: '-1' },
      /the number of bytes of the JSON/,
    ],
    [
      'a length that cuts the JSON',
      { json: { inputs: [features()] }, raw: [FLOATS], length: '20' },
      /first part of the body is not JSON/,
    ],
    [
      'no JSON at all',
      { json: { inputs: [features()] }, raw: [FLOATS], length: '0' },
      /first part of the body is not JSON/,
    ],
    [
      'shared memory',
      { json: { inputs: [features({ parameters: { shared_memory_region: 'secret' } })] } },
      /shared memory is not supported/,
    ],
    [
      'a flag that is none',
      { json: asking({ binary_data: 'secret' }), raw: [FLOATS] },
      /^\/outputs\/0\/parameters\/binary_data: expected true or false, got string/,
    ],
    [
      'a number of classes that is none',
      { json: asking({ classification: -1 }), raw: [FLOATS] },
      /^\/outputs\/0\/parameters\/classification: expected a number of classes/,
    ],
  ];
  for (const [name, sent, message] of refused) {
    test(`${name} is refused with 400 and the reason`, async () => {
      const { status, json } = await infer(server, sent);
      assert.equal(status, 400);
      assert.match(json.error as string, message);
      assert.ok(!(json.error as string).includes('secret'));
    });
  }

  test('a request without content type is read, one with a foreign type is not', async () => {
    const body = Buffer.from(JSON.stringify({ inputs: [{ ...features(), parameters: {}, data: FLOWERS }] }));
    const url = `${server.url}/v2/models/iris/infer`;
    assert.equal((await fetch(url, { method: 'POST', body })).status, 200);
    const foreign = await fetch(url, { method: 'POST', headers: { 'content-type': 'text/xml' }, body });
    assert.equal(foreign.status, 415);
    assert.deepEqual(await foreign.json(), {
      error: 'Unsupported content type; send application/json or application/octet-stream',
    });
  });

  test('the repository holds the one model; loading is decided elsewhere', async () => {
    const post = async (path: string): Promise<[number, unknown]> => {
      const response = await fetch(server.url + path, { method: 'POST', body: '{}' });
      return [response.status, await response.json()];
    };
    assert.deepEqual(await post('/v2/repository/index'), [
      200,
      [{ name: 'iris', version: '2', state: 'READY', reason: '' }],
    ]);
    for (const action of ['load', 'unload']) {
      const [status, answer] = await post(`/v2/repository/models/iris/${action}`);
      assert.equal(status, 403);
      assert.match((answer as { error: string }).error, /spec\.version of its InferenceService/);
      assert.equal((await post(`/v2/repository/models/other/${action}`))[0], 404);
    }
    assert.equal((await post('/v2/repository/models/iris/other'))[0], 404);
    assert.equal((await fetch(`${server.url}/v2/repository/index`)).status, 405);
  });
});

test('every datatype goes both ways, in bytes and in JSON, with every digit', async () => {
  const server = await serve(context, manyTypes);
  const columns: [name: string, datatype: string, values: NodeJS.TypedArray | Float16Array, json: string][] = [
    ['float16', 'FP16', Float16Array.from([1.5, -65504]), '[1.5,-65504]'],
    ['float32', 'FP32', Float32Array.from([0.5, -3e38]), '[0.5,-3e38]'],
    ['float64', 'FP64', Float64Array.from([0.1, 1e300]), '[0.1,1e300]'],
    ['int8', 'INT8', Int8Array.from([-128, 127]), '[-128,127]'],
    ['int16', 'INT16', Int16Array.from([-32768, 32767]), '[-32768,32767]'],
    ['int32', 'INT32', Int32Array.from([-(2 ** 31), 2 ** 31 - 1]), '[-2147483648,2147483647]'],
    [
      'int64',
      'INT64',
      BigInt64Array.from([-(2n ** 63n), 2n ** 63n - 1n]),
      '[-9223372036854775808,9223372036854775807]',
    ],
    ['uint8', 'UINT8', Uint8Array.from([0, 255]), '[0,255]'],
    ['uint16', 'UINT16', Uint16Array.from([0, 65535]), '[0,65535]'],
    ['uint32', 'UINT32', Uint32Array.from([0, 2 ** 32 - 1]), '[0,4294967295]'],
    ['uint64', 'UINT64', BigUint64Array.from([0n, 2n ** 64n - 1n]), '[0,18446744073709551615]'],
    ['bool', 'BOOL', Uint8Array.from([1, 0]), '[true,false]'],
  ];
  const words = texts('grün', '');
  const inputs = columns.map(([name, datatype, values]) => ({
    name,
    datatype,
    shape: [2],
    parameters: { binary_data_size: values.byteLength },
  }));
  const all = [
    ...inputs,
    { name: 'string', datatype: 'BYTES', shape: [2], parameters: { binary_data_size: words.length } },
  ];
  const raw = [...columns.map(([, , values]) => bytesOf(values as NodeJS.TypedArray)), words];
  // In another order than the model's: bytes follow the order of the request.
  const json = { inputs: all.toReversed(), ...BINARY_OUTPUT };
  const binary = await infer(server, { json, raw: raw.toReversed() });
  assert.equal(binary.status, 200, binary.json.error);
  for (const [i, [name]] of columns.entries()) {
    assert.deepEqual(Buffer.from(binary.raw.get(`${name}_out`) ?? []), Buffer.from(raw[i] ?? []), name);
  }
  assert.deepEqual(binary.raw.get('string_out'), words);

  const asText = columns.map(
    ([name, datatype, , data]) => `{"name":"${name}","datatype":"${datatype}","shape":[2],"data":${data}}`,
  );
  const response = await fetch(`${server.url}/v2/models/iris/infer`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: `{"inputs":[${asText.join(',')},{"name":"string","datatype":"BYTES","shape":[2],"data":["grün",""]}]}`,
  });
  const answer = await response.text();
  assert.equal(response.status, 200, answer);
  for (const [name, datatype, values, data] of columns) {
    const got = new RegExp(`"${name}_out","datatype":"${datatype}","shape":\\[2\\],"data":(\\[[^\\]]*\\])`).exec(
      answer,
    )?.[1];
    // The shortest text that is the same number again: for FP32 not the digits of a double.
    if (datatype.startsWith('FP')) {
      const round = datatype === 'FP32' ? Math.fround : Number;
      assert.deepEqual(JSON.parse(got ?? '').map(round), Array.from(values as Float64Array), name);
    } else assert.equal(got, data, name);
  }
  assert.match(answer, /"string_out","datatype":"BYTES","shape":\[2\],"data":\["grün",""\]/);

  const wrong: [name: string, bytes: Uint8Array, message: RegExp][] = [
    [
      'bool',
      Uint8Array.from([1, 2]),
      /^\/inputs\/11 \(input "bool"\): value 1 of its binary data: expected the byte 0 or 1/,
    ],
    [
      'float16',
      bytesOf(Uint16Array.from([0, 0x7c00]) as never),
      /^\/inputs\/\d+ \(input "float16"\): value 1 .* finite/,
    ],
    ['float64', bytesOf(Float64Array.from([1, Number.NaN])), /^\/inputs\/\d+ \(input "float64"\): value 1 .* finite/],
    ['string', texts('a'), /^\/inputs\/\d+ \(input "string"\): its shape asks for 2 values|runs past/],
    ['string', texts('a', 'b', 'c'), /goes on for 5 bytes after its values/],
    ['string', Buffer.concat([texts('a'), Buffer.from([255, 255, 255, 255])]), /value 1 .* runs past/],
    ['string', Buffer.concat([texts('a'), Buffer.from([1, 0, 0, 0, 255])]), /value 1 .* UTF-8/],
  ];
  for (const [name, bytes, message] of wrong) {
    const index = all.findIndex((input) => input.name === name);
    const change = all.with(index, {
      ...(all[index] as (typeof all)[0]),
      parameters: { binary_data_size: bytes.length },
    });
    const reply = await infer(server, { json: { inputs: change }, raw: raw.with(index, bytes) });
    assert.equal(reply.status, 400, name);
    assert.match(reply.json.error as string, message);
  }
});

test('a text the model does not know is refused in bytes as it is in JSON', async () => {
  const signature = regressor.signature;
  assert.ok(signature);
  const inputs = signature.inputs.map((column) =>
    column.name === 'sex' ? { ...column, categories: ['F', 'I', 'M'] } : column,
  );
  const server = await serve(context, { ...regressor, signature: { ...signature, inputs } });
  const ask = (text: string) => {
    const raw = texts(text);
    return infer(server, {
      json: {
        inputs: [
          { name: 'sex', shape: [1, 1], datatype: 'BYTES', parameters: { binary_data_size: raw.length } },
          { name: 'length', shape: [1, 1], datatype: 'FP32', data: [0.5] },
        ],
      },
      raw: [raw],
    });
  };
  assert.deepEqual((await ask('M')).json.outputs[0]?.data, [4]);
  const { status, json } = await ask('secret');
  assert.equal(status, 400);
  assert.equal(
    json.error,
    `/inputs/0 (input "sex"): value 0 of its binary data: expected one of 'F', 'I', 'M', got string`,
  );
});
