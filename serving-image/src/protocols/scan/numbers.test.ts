import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Cursor, cursorOf, isAtEnd, keyBytes, peek, readString, takeKey } from './cursor.ts';
import { type NumberType, readNumber, readSingle, scanNumbers } from './numbers.ts';

/** The same numbers every time. */
function numbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

const NASTY = [
  ...['0', '-0', '0.0', '-0.0', '1', '-1', '10', '0.1', '1e0', '1E5', '1e+5', '1e-5', '0e0', '0e999', '1e22', '1e23'],
  ...['9007199254740991', '9007199254740992', '9007199254740993', '9007199254740995', '12345678901234567890'],
  ...['1e39', '3.4028235e38', '3.4028236e38', '340282356779733661637539395458142568447.9', '1e308', '1e309', '1e999'],
  ...['-1e999', '5e-324', '2e-324', '1e-400', '1.17549435e-38', '1e-45', '7e-46', '8e-46', '123456789012345678e-10'],
  // Half way between two float32, and the nearest doubles on either side of that.
  ...['1.000000059604644775390625', '1.00000005960464499743', '1.00000005960464455335', '16777217', '16777219'],
  ...['0.000000000000000000000000000000000001', '0.1000000000000000055511151231257827', '8.5899346e9'],
  ...['2.2250738585072011e-308', '5.099999904632568', '0.30000000000000004', '4.35', '0.000001', '123456.789e3'],
  ...['100000000000000000000000', '0.00000000000000000000001', '1.7976931348623157e308', '1.7976931348623159e308'],
];

function literals(count: number): string[] {
  const next = numbers(7);
  const digits = (most: number) =>
    Array.from({ length: 1 + Math.floor(next() * most) }, () => Math.floor(next() * 10)).join('');
  const made: string[] = [];
  for (let i = 0; i < count; i++) {
    const whole = String(Number(digits(3)));
    made.push(`${whole}.${digits(20)}`, `${whole}.${digits(6)}`, `-${BigInt(digits(25))}`, `${whole}e${digits(2)}`);
    made.push(String(next()), String(Math.fround(next() * 100)), `${whole}.${digits(30)}E-${digits(2)}`);
    made.push(String((next() - 0.5) * 10 ** (next() * 80 - 40)));
  }
  return made;
}

test('every number is read exactly as JSON.parse reads it', () => {
  for (const literal of [...NASTY, ...literals(5000)]) {
    const expected = JSON.parse(literal) as number;
    for (const text of [literal, ` ${literal},`, `${literal}]`, `\n\t${literal} `]) {
      const cursor = cursorOf(Buffer.from(text));
      assert.ok(Object.is(readNumber(cursor), expected), `${literal}: ${readNumber(cursorOf(Buffer.from(text)))}`);
      assert.equal(cursor.at, text.indexOf(literal) + literal.length, 'and the cursor stands behind it');
      const asSingle = Math.fround(readSingle(cursorOf(Buffer.from(text))));
      assert.ok(Object.is(asSingle, Math.fround(expected)), `${literal} as float32: ${asSingle}`);
    }
  }
});

test('what is no JSON number is none here', () => {
  const wrong = [
    '',
    '-',
    '+1',
    '.5',
    '1.',
    '-.5',
    '01',
    '-01',
    '00',
    '1e',
    '1e+',
    '1.e5',
    'NaN',
    'Infinity',
    '--1',
    'x',
  ];
  for (const text of [...wrong, '"1"', 'null', 'true', '[1]']) {
    assert.ok(Number.isNaN(readNumber(cursorOf(Buffer.from(text)))), text);
  }
  // The number ends; whoever reads on sees that something is wrong.
  for (const [text, at] of [
    ['0x10', 1],
    ['1.5.2', 3],
    ['1-2', 1],
    ['1_000', 1],
  ] as const) {
    const cursor = cursorOf(Buffer.from(text));
    readNumber(cursor);
    assert.equal(cursor.at, at, text);
    assert.ok(!isAtEnd(cursor));
  }
});

test('and so in lists, whatever stands before and after it', () => {
  for (const literal of [...NASTY, ...literals(3000)]) {
    const expected = Math.fround(JSON.parse(literal) as number);
    const list = scan(`[${literal},1, ${literal} ,2,${literal}]`);
    if (!Number.isFinite(expected)) assert.equal(list, undefined, literal);
    else assert.deepEqual(list?.values, [expected, 1, expected, 2, expected], literal);
    const exact = scan(`[${literal},${literal} ]`, 'float64')?.values;
    if (Number.isFinite(JSON.parse(literal))) assert.deepEqual(exact, [JSON.parse(literal), JSON.parse(literal)]);
  }
});

const scan = (text: string, type: NumberType = 'float32', most = 1000) => {
  const cursor = cursorOf(Buffer.from(text));
  const result = scanNumbers(cursor, type, most);
  return result && isAtEnd(cursor) ? { dims: result.dims, values: Array.from(result.data as Float32Array) } : undefined;
};

test('lists of numbers come as one array with their shape', () => {
  assert.deepEqual(scan('[1,2,3]'), { dims: [3], values: [1, 2, 3] });
  assert.deepEqual(scan(' [ [1, 2],\n[3 ,4] , [5,6]\t] '), { dims: [3, 2], values: [1, 2, 3, 4, 5, 6] });
  assert.deepEqual(scan('[[[1],[2]]]'), { dims: [1, 2, 1], values: [1, 2] });
  assert.deepEqual(scan('[1,2.0,-3]', 'int64'), { dims: [3], values: [1n, 2n, -3n] as unknown as number[] });
  assert.deepEqual(scan('[1,2e1]', 'int8'), { dims: [2], values: [1, 20] });
  assert.deepEqual(scan('[0.1]', 'float64'), { dims: [1], values: [0.1] });
  assert.deepEqual(scan('[9007199254740991]', 'int64')?.values, [9007199254740991n]);
});

test('more numbers than first thought of', () => {
  const many = Array.from({ length: 5000 }, (_, i) => i % 10);
  assert.deepEqual(scan(JSON.stringify(many), 'float32', 5000)?.values, many);
  assert.equal(scan(JSON.stringify(many), 'float32', 4999), undefined);
});

test('anything out of the ordinary is left to others', () => {
  const left = ['[]', '[[]]', '[[1],[]]', '[[1,2],[3]]', '[[1],2]', '[1,[2]]', '[1,]', '[,1]', '[1', '[1,2', '1', '{}'];
  for (const text of [
    ...left,
    '[null]',
    '["1"]',
    '[true]',
    '[1e39]',
    '[-1e999]',
    '[NaN]',
    '[1 2]',
    '[1]]',
    '[1],',
    '[01]',
  ]) {
    assert.equal(scan(text), undefined, text);
  }
  for (const text of ['[1.5]', '[128]', '[-129]', '[1e999]']) assert.equal(scan(text, 'int8'), undefined, text);
  for (const text of ['[9007199254740993]', '[9223372036854775807]'])
    assert.equal(scan(text, 'int64'), undefined, text);
  assert.equal(scan('[-1]', 'uint64'), undefined);
  assert.equal(scan('['.repeat(100_000)), undefined);
  assert.equal(scan(`${'['.repeat(9)}1${']'.repeat(9)}`), undefined);
});

test('whatever the bytes, the answer is that of JSON.parse or none', () => {
  const next = numbers(99);
  const alphabet = '[]1230.-eE, +\n"xn';
  let agreed = 0;
  for (let i = 0; i < 60_000; i++) {
    const length = 1 + Math.floor(next() * 9);
    const inner = Array.from({ length }, () => alphabet[Math.floor(next() * alphabet.length)]).join('');
    const text = `[${inner}]`;
    const got = scan(text, 'float64');
    if (got === undefined) continue;
    agreed++;
    assert.deepEqual((JSON.parse(text) as unknown[]).flat(8), got.values, text);
  }
  assert.ok(agreed > 1000, `${agreed} of the texts were lists of numbers`);
});

test('keys and strings', () => {
  const at = (text: string): Cursor => cursorOf(Buffer.from(text));
  const key = keyBytes('länge "x"');
  assert.ok(takeKey(at(' "länge \\"x\\"" : 1'), key));
  for (const text of ['"länge \\"y\\"":1', '"länge \\"x\\"" 1', '"l', '', '{'])
    assert.ok(!takeKey(at(text), key), text);
  const cursor = at('"a":1');
  assert.ok(!takeKey(cursor, keyBytes('b')));
  assert.ok(takeKey(cursor, keyBytes('a')), 'another key may be tried');
  assert.equal(peek(cursor), 0x31);
  assert.equal(readString(at(' "M"')), 'M');
  assert.equal(readString(at('""')), '');
  for (const text of ['"a\\n"', '"é"', '"a\n"', '"a', 'M', '1', '"\u007f"'])
    assert.equal(readString(at(text)), undefined, text);
});
