import assert from 'node:assert/strict';

/** Asserts that two lists of numbers agree within `tolerance`. */
export function assertClose(
  actual: readonly number[] | undefined,
  expected: readonly number[],
  tolerance = 1e-4,
): void {
  assert.equal(actual?.length, expected.length);
  for (const [i, value] of expected.entries()) {
    assert.ok(Math.abs((actual?.[i] as number) - value) < tolerance, `${i}: expected ${value}, got ${actual?.[i]}`);
  }
}
