/** Running any number of rows through a model, whatever size of batch it was exported for. */
import type { Session } from './session.ts';
import { joinRows, sliceRows, type Tensor, type TensorSpec } from './tensor.ts';

/** The one number of rows the model takes, or undefined when it takes any. */
export function fixedRows(inputs: readonly TensorSpec[]): number | undefined {
  const size = inputs.find(({ dims }) => dims[0] !== undefined && dims[0] !== -1)?.dims[0];
  return size;
}

/** True when the first dimension, and only that, is open everywhere: rows can then be put together and taken apart. */
export const rowsAreOpen = (specs: readonly TensorSpec[]): boolean =>
  specs.every(({ dims }) => dims[0] === -1 && dims.slice(1).every((dim) => dim !== -1));

const rowCount = (inputs: readonly Tensor[]): number => inputs[0]?.dims[0] ?? 0;

/** Runs the rows `size` at a time; their number must be a multiple of it. Outputs that have no rows cannot be joined. */
export async function runInParts(
  run: Session['run'],
  inputs: readonly Tensor[],
  size: number,
): Promise<readonly Tensor[]> {
  const parts: (readonly Tensor[])[] = [];
  for (let from = 0; from < rowCount(inputs); from += size) {
    parts.push(await run(inputs.map((input) => sliceRows(input, from, from + size))));
  }
  return (parts[0] ?? []).map((_, output) => joinRows(parts.map((part) => part[output] as Tensor)));
}
