import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { ServedModel } from '../model/served-model.ts';
import type { Tensor, TensorSpec } from '../model/tensor.ts';
import { Refusal } from '../request/refusal.ts';
import type { InferRequest } from './open-inference-form.ts';
import { readInferRequest } from './open-inference-request.ts';

const INPUTS: TensorSpec[] = [
  { name: 'x', type: 'float32', dims: [-1, 2] },
  { name: 'n', type: 'int64', dims: [-1] },
];
const OUTPUTS: TensorSpec[] = [
  { name: 'label', type: 'int64', dims: [-1] },
  { name: 'shares', type: 'float32', dims: [-1, 2] },
];

/** Every one has learnt nothing yet. */
const fresh = (inputs = INPUTS): ServedModel =>
  ({ inputs, outputs: OUTPUTS, rules: inputs.map(() => []), maxRows: 100 }) as unknown as ServedModel;
/** With rules, though they allow everything, each value is looked at and nothing is learnt. */
const careful = (): ServedModel =>
  ({ ...fresh(), rules: INPUTS.map(() => [{ isOptional: false, known: undefined }]) }) as unknown as ServedModel;

interface Sent {
  readonly body: Buffer;
  readonly headers: Readonly<Record<string, string>>;
}

const outcome = ({ body, headers }: Sent, model: ServedModel): unknown => {
  try {
    return readInferRequest(Buffer.from(body), headers, model);
  } catch (error) {
    assert.ok(error instanceof Refusal, String((error as Error).stack));
    return [error.status, error.message];
  }
};
const json = (text: string): Sent => ({ body: Buffer.from(text), headers: {} });
function binary(text: string, raw: Buffer): Sent {
  const headers = { 'inference-header-content-length': String(Buffer.byteLength(text)) };
  return { body: Buffer.concat([Buffer.from(text), raw]), headers };
}

const numbersIn = ({ inputs }: InferRequest): readonly number[] => [...((inputs[0] as Tensor).data as Float32Array)];

let seed = 7;
const random = (below: number): number => {
  seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31;
  return seed % below;
};
const one = <T>(...of: readonly T[]): T => of[random(of.length)] as T;
const many = <T>(count: number, make: () => T): T[] => Array.from({ length: count }, make);

const NUMBERS = ['1', '-2.5', '3e2', '0.1', ' 7', '12345678901234567890', '0.30000000000000004'];
const ODD = ['1e39', 'null', '"1"', '01', '[1]', ''];
const number = (): string => (random(60) === 0 ? one(...ODD) : one(...NUMBERS));
const whole = (): string => (random(40) === 0 ? one('1.5', '9007199254740993', '1e30') : String(random(1000) - 500));
const list = (values: readonly string[], width: number): string => {
  if (random(3) > 0) return `[${values}]`;
  const rows = many(values.length / width, () => '').map(
    (_, row) => `[${values.slice(row * width, (row + 1) * width)}]`,
  );
  return `[${rows}]`;
};

function sent(): Sent {
  const rows = one(1, 1, 1, 2, 3);
  const names = random(4) === 0 ? ['n', 'x'] : ['x', 'n'];
  const x = list(many(rows * 2, number), 2);
  const n = list(many(rows, whole), 1);
  const shape = random(30) === 0 ? rows + 1 : rows;
  const id = one('', '', `"id":"${random(100)}",`, '"id":null,', '"id":"\\n",');
  const end = one('', ',"outputs":[{"name":"label"}]', ',"parameters":{"binary_data_output":true}', ' ');
  const member = (name: string, value: string) =>
    name === 'x'
      ? `{"name":"x","datatype":"FP32","shape":[${shape},2],${value}}`
      : `{"name":"n","shape":[${rows}],"datatype":"INT64",${value}}`;
  const close = random(50) === 0 ? '' : '}';
  if (random(3) > 0) {
    const inputs = names.map((name) => member(name, `"data":${name === 'x' ? x : n}`));
    return json(`{${id}"inputs":[${inputs}]${end}${close}`);
  }
  const floats = Float32Array.from(many(rows * 2, () => (random(50) === 0 ? Number.NaN : random(100) / 8)));
  const size = random(30) === 0 ? 8 : floats.byteLength;
  const inputs = names.map((name) =>
    member(name, name === 'x' ? `"parameters":{"binary_data_size":${size}}` : `"data":${n}`),
  );
  const raw = Buffer.from(floats.buffer);
  return binary(`{${id}"inputs":[${inputs}]${end}${close}`, random(40) === 0 ? raw.subarray(1) : raw);
}

describe('a request that is written like one before it', () => {
  test('is read as if it were the first: thousands, of many forms, good and bad', () => {
    const model = fresh();
    let good = 0;
    for (let i = 0; i < 2500; i++) {
      const request = sent();
      const expected = outcome(request, careful());
      if (!Array.isArray(expected)) good++;
      assert.deepEqual(outcome(request, model), expected, request.body.toString('latin1'));
    }
    assert.ok(good > 800, `only ${good} were good`);
  });

  test('has its own id and its own numbers', () => {
    const model = fresh([INPUTS[0] as TensorSpec]);
    const ask = (id: string, data: string) =>
      json(`{"id":"${id}","inputs":[{"name":"x","shape":[1,2],"datatype":"FP32","data":${data}}]}`);
    const read = (request: Sent) => readInferRequest(request.body, request.headers, model);
    const [first, second] = [read(ask('a', '[1,2]')), read(ask('b', '[[3,4.5]]'))];
    assert.deepEqual([first.id, ...numbersIn(first)], ['a', 1, 2]);
    assert.deepEqual([second.id, ...numbersIn(second)], ['b', 3, 4.5]);
  });

  test('is not answered with what the memory of the first holds by now', () => {
    const model = fresh([INPUTS[0] as TensorSpec]);
    const text = '{"inputs":[{"name":"x","shape":[1,2],"datatype":"FP32","data":[1,2]}]}';
    const memory = Buffer.from(text);
    readInferRequest(memory, {}, model);
    memory.fill(0);
    assert.deepEqual(outcome(json(text), model), outcome(json(text), fresh([INPUTS[0] as TensorSpec])));
    assert.notDeepEqual(outcome({ body: memory, headers: {} }, model), outcome(json(text), model));
  });
});
