import assert from 'node:assert/strict';
import { test } from 'node:test';
import { rowsText, shortSingle, singlesText } from './singles.ts';

/** The same numbers every time. */
function numbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

const single = new Float32Array(1);
const bits = new Uint32Array(single.buffer);
function fromBits(pattern: number): number {
  bits[0] = pattern >>> 0;
  return single[0] as number;
}

/** Found by trying every length, slowly and surely. */
function shortest(value: number): string {
  for (let digits = 1; digits < 9; digits++) {
    const short = Number(value.toPrecision(digits));
    if (Math.fround(short) === value) return String(short);
  }
  return String(Number(value.toPrecision(9)));
}

const NASTY = [
  ...[0, 1, 0.1, 0.3, 0.5, 100, 1e-6, 1e-7, 9.999999e-7, 1.5e-9, 1e9, 1e10, 16_777_216, 16_777_217, 33_554_432],
  ...[0.99999994, 1.0000001, 999_999.94, 99_999.99, 1e21, 3.4028235e38, 1.17549435e-38, 1e-45, 1e-13, 9.99e-14],
  ...[4_294_967_296, 8_388_607.5, 0.000_012_345_678, 123_456.79, 12_345_679, 999_999_999, 5e-324],
].map(Math.fround);

test('a float32 is written as the shortest text that is read as the same float32', () => {
  const next = numbers(1);
  const values = NASTY.flatMap((value) => [value, -value]);
  for (let i = 0; i < 40_000; i++) {
    const any = fromBits(next() * 2 ** 32);
    if (Number.isFinite(any)) values.push(any);
    values.push(Math.fround(next()), Math.fround(next() * 10 ** (next() * 14 - 10)), Math.fround(-next() * 1000));
    values.push(Math.fround(Math.round(next() * 1e4) / 1e3));
  }
  for (const text of [
    singlesText(Float32Array.from(values)),
    values.map((v) => singlesText(Float32Array.of(v))).join(),
  ])
    text.split(',').forEach((word, i) => {
      const value = values[i] as number;
      // Large integers may keep their last digits instead of zeros: no text is shorter.
      if (Math.abs(value) < 1e6) assert.equal(word, shortest(value), `float32 ${value}`);
      assert.ok(word.length <= shortest(value).length);
      assert.equal(Math.fround(JSON.parse(word)) + 0, value + 0);
    });
  for (const value of values) assert.equal(singlesText(Float32Array.of(value)), String(shortSingle(value)));
});

test('rows are lists, and a part of an array can be written', () => {
  const data = Float32Array.of(0.1, 0.9, 3e-9, 1, -2.5, 0);
  assert.equal(rowsText(data, 2), '[0.1,0.9],[3e-9,1],[-2.5,0]');
  assert.equal(rowsText(data, 1), '[0.1],[0.9],[3e-9],[1],[-2.5],[0]');
  assert.equal(rowsText(new Float32Array(0), 3), '');
  assert.equal(singlesText(data, 1, 3), '0.9,3e-9');
  assert.equal(singlesText(data, 3, 3), '');
});

test('more numbers than fit the first page', () => {
  const data = new Float32Array(300_000).fill(-1.1754945e-38);
  assert.equal(singlesText(data), Array.from(data, shortest).join());
});
