/** What Open Inference Protocol V2 lets a client say twice, it must say alike: rows, shapes, members left out. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { type InProcess, serveHere } from './in-process.ts';
import { echo, iris, regressor } from './models.ts';

const cleanups: (() => unknown)[] = [];
const context = { after: (fn: () => unknown) => void cleanups.push(fn) };
after(async () => {
  for (const cleanup of cleanups.reverse()) await cleanup();
});

interface Told {
  readonly status: number;
  readonly error: string | undefined;
  readonly outputs: readonly { readonly shape: readonly number[]; readonly data: readonly unknown[] }[];
}

const infer = async ({ url }: InProcess, body: unknown): Promise<Told> => {
  const response = await fetch(`${url}/v2/models/iris/infer`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  return { status: response.status, ...((await response.json()) as Omit<Told, 'status'>) };
};

describe('inputs that bring different numbers of rows', () => {
  const column = (name: string, datatype: string, data: readonly unknown[], dims: readonly number[] = []) => ({
    name,
    datatype,
    shape: [data.length, ...dims],
    data,
  });

  for (const engine of ['onnxruntime', 'compiled'] as const) {
    test(`are refused, ${engine}`, async (t) => {
      const server = await serveHere(t, regressor, { engine });
      const { status, error } = await infer(server, {
        inputs: [column('sex', 'BYTES', ['F', 'I'], [1]), column('length', 'FP32', [1], [1])],
      });
      assert.equal(status, 400);
      assert.match(error ?? '', /^\/inputs\/\d\/shape \(input "length"\): expected 2 rows like "sex", got 1/);
    });
  }

  test('never get the rows of a request they share a run with', async (t) => {
    const server = await serveHere(t, echo);
    const ask = (counts: number, flags: number) =>
      infer(server, {
        inputs: [
          column('count', 'INT64', new Array(counts).fill(counts)),
          column('flag', 'BOOL', new Array(flags).fill(flags === 1)),
        ],
      });
    const answers = await Promise.all(Array.from({ length: 32 }, (_, i) => (i % 2 === 0 ? ask(2, 1) : ask(1, 2))));
    assert.deepEqual([...new Set(answers.map(({ status }) => status))], [400]);
  });
});

describe('lists of data', () => {
  let server: InProcess;
  before(async () => {
    server = await serveHere(context, iris);
  });
  const ROW = [5.1, 3.5, 1.4, 0.2];
  const OTHER = [7.7, 3.8, 6.7, 2.2];
  const MANY = 200;
  const flat = [...ROW, ...OTHER];
  const ask = (data: unknown, rows: number) =>
    infer(server, { inputs: [{ name: 'features', datatype: 'FP32', shape: [rows, 4], data }] });
  /** The same with so many rows that the numbers are read from the bytes. */
  const more = (data: readonly unknown[], rest: readonly unknown[]): unknown[] => [
    ...data,
    ...Array.from({ length: MANY - 2 }, () => rest).flat(),
  ];

  test('are flat, or lists of lists as the shape says', async () => {
    assert.equal((await ask(flat, 2)).status, 200);
    assert.equal((await ask([ROW, OTHER], 2)).status, 200);
    assert.equal((await ask(more(flat, ROW), MANY)).status, 200);
    assert.equal((await ask(more([ROW, OTHER], [ROW]), MANY)).status, 200);
  });

  const wrong: [name: string, data: readonly unknown[]][] = [
    ['rows and single values', [ROW, ...OTHER]],
    ['single values and a row', [...ROW, OTHER]],
    ['rows of different length', [[...ROW, 7.7], OTHER.slice(1)]],
    ['rows of another length', [ROW.slice(0, 2), ROW.slice(2), OTHER.slice(0, 2), OTHER.slice(2)]],
    ['all values in one row', [flat]],
    ['an empty row too many', [ROW, OTHER, []]],
  ];
  for (const [name, data] of wrong) {
    test(`${name} are refused, few and many`, async () => {
      for (const told of [await ask(data, 2), await ask(more(data, [ROW]), MANY)]) {
        assert.equal(told.status, 400);
        assert.match(told.error ?? '', /^\/inputs\/0\/data\S* \(input "features"\): /);
      }
    });
  }
});

describe('members', () => {
  let server: InProcess;
  before(async () => {
    server = await serveHere(context, iris);
  });
  const ask = (request: object, input: object = {}) =>
    infer(server, {
      inputs: [{ name: 'features', datatype: 'FP32', shape: [1, 4], data: [1, 2, 3, 4], ...input }],
      ...request,
    });

  test('that are null are left out, as clients write what they do not set', async () => {
    const told = await ask({ id: null, parameters: null, outputs: null }, { parameters: null });
    assert.equal(told.status, 200);
    assert.equal(told.outputs.length, 2);
    assert.equal('id' in told, false);
    assert.equal((await ask({ outputs: [{ name: 'label', parameters: null }] })).status, 200);
  });

  test('called parameters are objects', async () => {
    for (const parameters of [[], 'secret', 7, true]) {
      for (const [told, where] of [
        [await ask({ parameters }), /^\/parameters: /],
        [await ask({}, { parameters }), /^\/inputs\/0\/parameters/],
        [await ask({ outputs: [{ name: 'label', parameters }] }), /^\/outputs\/0\/parameters: /],
      ] as const) {
        assert.equal(told.status, 400);
        assert.match(told.error ?? '', where);
        assert.match(told.error ?? '', /parameters: expected an object, got (list|string|number|boolean)$/);
      }
    }
  });
});
