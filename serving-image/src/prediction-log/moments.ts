/** Mean and population deviation of columns of numbers. */
import type { TensorData } from '../model/tensor.ts';
import { rounded } from './numbers.ts';

type Numbers = Float32Array | Float64Array;

/**
 * `mean,"std":deviation}` of every `step`-th value from `from` on, as it goes on from `{"mean":`; missing values do not
 * count. Deviations are counted from the first value, because squares of large numbers would drown small differences.
 */
export function moments(data: TensorData, from: number, step: number): string {
  const numbers = (typeof data[0] === 'bigint' ? Float64Array.from(data as BigInt64Array, Number) : data) as Numbers;
  const first = numbers[from] as number;
  let sum = 0;
  let squares = 0;
  for (let i = from; i < numbers.length; i += step) {
    const value = (numbers[i] as number) - first;
    sum += value;
    squares += value * value;
  }
  // Looking for missing values at every step would cost everybody what few need.
  if (Number.isNaN(sum)) return withoutMissing(numbers, from, step);
  return written(sum, squares, Math.ceil((numbers.length - from) / step), first);
}

function withoutMissing(numbers: Numbers, from: number, step: number): string {
  const present: number[] = [];
  for (let i = from; i < numbers.length; i += step) {
    if (!Number.isNaN(numbers[i])) present.push(numbers[i] as number);
  }
  // Where none is missing, infinite ones or ones too large to be added have no mean.
  const isMissing = present.length > 0 && present.length < Math.ceil((numbers.length - from) / step);
  return isMissing ? moments(Float64Array.from(present), 0, 1) : 'null,"std":null}';
}

function written(sum: number, squares: number, count: number, first: number): string {
  const mean = sum / count;
  const variance = Math.max(0, squares / count - mean * mean);
  return `${rounded(mean + first)},"std":${rounded(Math.sqrt(variance))}}`;
}
