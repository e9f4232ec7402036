/** Does the loaded model say what the trainer's model said for the same rows? */
import type { Examples, ModelSignature } from '@slipway/contract';
import { FailureError } from '../failure.ts';
import { elementCount, type Tensor } from './tensor.ts';

/** Numbers may differ by this much, relative to the larger of them and absolutely. */
export const PARITY_TOLERANCE = 1e-4;

interface Difference {
  readonly output: string;
  readonly row: number;
  readonly expected: unknown;
  readonly got: unknown;
  /** In tolerances; infinite where there is nothing to measure. */
  readonly size: number;
}

/** Throws ParityFailed naming the worst row and output. Outputs without an example are not compared. */
export function checkParity(
  examples: Examples,
  signature: ModelSignature,
  outputs: readonly { readonly name: string; readonly tensor: Tensor }[],
): void {
  const rows = examples.inputs.length;
  let worst: Difference | undefined;
  let differing = 0;
  for (const [name, expected] of Object.entries(examples.outputs)) {
    const output = outputs.find((candidate) => candidate.name === name);
    if (!output) throw failed(`examples.json has output ${JSON.stringify(name)}, which the model does not have`);
    if (expected.length !== rows) {
      throw failed(`examples.json has ${rows} rows but ${expected.length} of output ${JSON.stringify(name)}`);
    }
    const labels = signature.outputs.find((column) => column.name === name)?.labels;
    for (const difference of differences(name, expected, output.tensor, labels)) {
      differing++;
      if (!worst || difference.size > worst.size) worst = difference;
    }
  }
  if (!worst) return;
  throw failed(
    `${differing} values of ${rows} example rows differ; the worst is row ${worst.row} of output ` +
      `${JSON.stringify(worst.output)}: expected ${shown(worst.expected)}, got ${shown(worst.got)}`,
  );
}

function differences(
  output: string,
  expected: readonly unknown[],
  tensor: Tensor,
  labels: readonly string[] | undefined,
): Difference[] {
  const width = elementCount(tensor.dims.slice(1));
  const found: Difference[] = [];
  expected.forEach((value, row) => {
    const wanted = [value].flat(8);
    if (wanted.length !== width) {
      found.push({ output, row, expected: `${wanted.length} values`, got: `${width} values`, size: Infinity });
      return;
    }
    wanted.forEach((one, column) => {
      const got = plain(tensor.data[row * width + column], tensor.type);
      const size = distance(one, got, labels);
      if (!(size <= 1)) found.push({ output, row, expected: one, got, size: Number.isNaN(size) ? Infinity : size });
    });
  });
  return found;
}

const plain = (value: unknown, type: string): unknown =>
  type === 'bool' ? value === 1 : typeof value === 'bigint' ? Number(value) : value;

/** How many tolerances apart; a class may be written as its name. */
function distance(expected: unknown, got: unknown, labels: readonly string[] | undefined): number {
  if (typeof expected === 'number' && typeof got === 'number') {
    if (expected === got) return 0;
    return Math.abs(expected - got) / (PARITY_TOLERANCE * Math.max(1, Math.abs(expected), Math.abs(got)));
  }
  if (expected === got) return 0;
  return typeof expected === 'string' && typeof got === 'number' && labels?.[got] === expected ? 0 : Infinity;
}

const shown = (value: unknown): string => (JSON.stringify(value) ?? String(value)).slice(0, 80);

const failed = (message: string): FailureError => new FailureError('ParityFailed', message);
