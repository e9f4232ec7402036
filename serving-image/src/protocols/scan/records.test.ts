import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { InputColumn } from '@slipway/contract';
import { bindInputs, type EncodeRows } from '../../model/binding.ts';
import type { TensorSpec } from '../../model/tensor.ts';
import { createRecordScanner, type ScanRecords } from './records.ts';

/** The same numbers every time. */
function numbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

function bound(columns: readonly InputColumn[], inputs: readonly TensorSpec[]): [EncodeRows, ScanRecords] {
  const encode = bindInputs({ inputs: [...columns], outputs: [{ name: 'y', type: 'float32' }] }, inputs);
  assert.ok(encode.layout);
  return [encode, createRecordScanner(encode.layout, 100)];
}

const floats = ['a', 'b c', 'ä "d"'].map((name): InputColumn => ({ name, type: 'float32' }));
const plain = () => bound(floats, [{ name: 'x', type: 'float32', dims: [-1, 3] }]);
const mixedColumns: InputColumn[] = [
  { name: 'sex', type: 'string', categories: ['F', 'M'] },
  { name: 'n', type: 'int64' },
  { name: 'w', type: 'float32', optional: true },
  { name: 'ok', type: 'bool' },
];
const mixed = () =>
  bound(mixedColumns, [
    { name: 'sex', type: 'string', dims: [-1, 1] },
    { name: 'n', type: 'int64', dims: [-1] },
    { name: 'w', type: 'float32', dims: [-1, 1] },
    { name: 'ok', type: 'bool', dims: [-1] },
  ]);

/** What the careful way makes of a body; undefined when it refuses it. */
function carefully(encode: EncodeRows, body: string): { tensors: unknown; isRecord: boolean } | undefined {
  try {
    const value = JSON.parse(body) as Record<string, unknown>;
    const isRecord = !Array.isArray(value['samples']);
    if (!isRecord && Object.keys(value).length > 1) return undefined;
    return { tensors: encode(isRecord ? [value] : (value['samples'] as unknown[])), isRecord };
  } catch {
    return undefined;
  }
}

function compare([encode, scan]: [EncodeRows, ScanRecords], body: string): boolean {
  const scanned = scan(Buffer.from(body));
  if (!scanned) return false;
  const careful = carefully(encode, body);
  assert.ok(careful, `${body} is refused by the careful way`);
  assert.deepEqual({ tensors: scanned.inputs, isRecord: scanned.isRecord }, careful, body);
  return true;
}

test('usual rows are read as JSON.parse and the checks read them', () => {
  const both = plain();
  const row = '{"a":1.5,"b c":-2e1,"ä \\"d\\"":0.1}';
  assert.ok(compare(both, row));
  assert.ok(compare(both, `{"samples":[${row}]}`));
  assert.ok(compare(both, `{"samples": [${new Array(100).fill(row).join(', ')}]}`));
  assert.ok(compare(both, ` { "samples" :\n[ ${row.replaceAll(':', ': ').replaceAll(',', ',\n\t')} ] } `));
  assert.equal(both[1](Buffer.from(`{"samples":[${new Array(101).fill(row).join()}]}`)), undefined, 'too many');
  assert.equal(both[1](Buffer.from(row))?.hasSpaces, true);
  const turned = mixed();
  assert.ok(compare(turned, '{"samples":[{"sex":"F","n":3,"w":1,"ok":true},{"ok":false,"n":-4,"sex":"M"}]}'));
  assert.ok(compare(turned, '{"w":null,"SEX":"F","N":0,"ok":true}'));
  assert.equal(turned[1](Buffer.from('{"ok":false,"n":-4,"sex":"M"}'))?.hasSpaces, false);
});

test('whatever is to be refused is left to those who refuse it', () => {
  const [, scan] = plain();
  const rest = '"b c":2,"ä \\"d\\"":3';
  for (const body of [
    ...['', '{}', '[]', 'null', '{"samples":[]}', '{"samples":[{}]}', '{"samples":{}}', '{"samples":[[1,2,3]]}'],
    ...[`{"a":1,${rest},"a":1}`, `{"a":1,${rest},"A":1}`, `{${rest}}`, `{"a":1,${rest},"x":1}`, `{"a":1,${rest}}}`],
    ...[`{"a":1e39,${rest}}`, `{"a":null,${rest}}`, `{"a":"1",${rest}}`, `{"a":01,${rest}}`, `{"a":NaN,${rest}}`],
    ...[`{"samples":[{"a":1,${rest}},]}`, `{"samples":[{"a":1,${rest}}`, `{"samples":[{"a":1,${rest}}],"x":1}`],
    ...[`{"samples":[{"a":1,${rest}}]}{}`, `{"__proto__":1,${rest}}`, `{"\\u0061":1,${rest}}`, `{"a" 1,${rest}}`],
    ...[`{"${'a'.repeat(2_000_000)}":1}`, `{"a":1 ${rest}}`, `\ufeff{"a":1,${rest}}`],
  ]) {
    assert.equal(scan(Buffer.from(body)), undefined, body.slice(0, 80));
  }
});

/** A change or two anywhere. */
function broken(text: string, next: () => number): string {
  const alphabet = '{}[]",:0123456789.-eE \\ntruefalsenu\u00e4';
  let body = text;
  for (let change = 0; change <= next() * 2; change++) {
    const at = Math.floor(next() * body.length);
    const by = next() < 0.5 ? '' : (alphabet[Math.floor(next() * alphabet.length)] as string);
    body = body.slice(0, at) + by + body.slice(at + Math.floor(next() * 3));
  }
  return body;
}

test('bodies that are broken at random are never read otherwise than by the careful way', () => {
  const next = numbers(3);
  const seeds = [
    '{"samples":[{"sex":"F","n":3,"w":1,"ok":true},{"ok":false,"n":-4,"sex":"M"},{"sex":"M","n":1e2,"w":null,"ok":true}]}',
    '{"sex":"F","n":3,"w":1.25,"ok":true}',
  ];
  let read = 0;
  const both = mixed();
  for (let i = 0; i < 30_000; i++) if (compare(both, broken(seeds[i % 2] as string, next))) read++;
  assert.ok(read > 300, `${read} were still usual`);
});

test('so are large ones, of which keys are compared otherwise', () => {
  const next = numbers(5);
  const row = '{"a":1.5,"b c":-2e1,"ä \\"d\\"":0.1}';
  // Nothing but keys at the end: a comparison must not look beyond it.
  const seeds = [`{"samples":[${new Array(40).fill(row).join()}]}`, `${' '.repeat(1100)}{"samples":[${row}]}`];
  let read = 0;
  const both = plain();
  for (let i = 0; i < 4000; i++) {
    const body = broken(seeds[i % 2] as string, next);
    if (compare(both, i % 3 === 0 ? body.slice(0, body.length - Math.floor(next() * 40)) : body)) read++;
  }
  assert.ok(read > 300, `${read} were still usual`);
});

test('rows under another name are read with exactly their columns, in any order, and not as one record', () => {
  const [encode] = plain();
  assert.ok(encode.layout);
  const form = { list: 'rows', takesRecord: false, isExact: true };
  const scan = createRecordScanner(encode.layout, 3, form);
  const row = '{"b c":2,"a":1,"ä \\"d\\"":3}';
  const read = (body: string) => scan(Buffer.from(body))?.inputs;
  const [first, second] = [JSON.parse(row), { a: 4, 'b c': 5, 'ä "d"': 6 }];
  assert.equal(read(`{"rows":[${row}]}`), undefined, 'a name with an escape is for others to learn');
  assert.deepEqual(read(`{"rows":[${JSON.stringify(second)}]}`), encode([second]));
  assert.deepEqual(encode([first])[0]?.data, Float32Array.from([1, 2, 3]));
  for (const body of [JSON.stringify(second), `{"samples":[${JSON.stringify(second)}]}`]) {
    assert.equal(read(body), undefined, body);
  }
  const [encodeMixed] = mixed();
  assert.ok(encodeMixed.layout);
  const scanMixed = createRecordScanner(encodeMixed.layout, 3, form);
  const readMixed = (body: string) => scanMixed(Buffer.from(body))?.inputs;
  const turned = { ok: true, w: null, n: 3, sex: 'F' };
  assert.deepEqual(readMixed(`{"rows":[${JSON.stringify(turned)}]}`), encodeMixed([turned]));
  for (const other of ['{"OK":true,"w":1,"n":3,"sex":"F"}', '{"ok":true,"n":3,"sex":"F"}']) {
    assert.equal(readMixed(`{"rows":[${other}]}`), undefined, other);
  }
});
