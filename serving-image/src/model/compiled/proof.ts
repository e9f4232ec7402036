/** Does the compiled scorer say what the runtime says? Only then may it answer. */
import { runtimeMessage, type Session } from '../session.ts';
import { elementCount, isFloat, sliceRows, type Tensor, type TensorSpec } from '../tensor.ts';
import { type Ground, proofRows } from './proof-rows.ts';

/** Scores may differ by this much, absolutely and relative to those that are larger than one. */
const TOLERANCE = 1e-6;
/** Rows are tried in parts of this size until the time is over; each has rows of every kind, and two are always tried. */
const PART = 64;
const LEAST_PARTS = 2;
const MOST_PARTS = 8;
const BUDGET_MS = 60;

/** The scorers differ; the message says where, for people. */
export class DiffersError extends Error {
  override readonly name = 'DiffersError';
}

export type Score = (inputs: readonly Tensor[]) => readonly Tensor[];

export interface ProofOptions extends Ground {
  readonly outputs: readonly TensorSpec[];
  /** The only number of rows the model takes at once; undefined: any. */
  readonly size: number | undefined;
}

/**
 * Compares on rows of every kind, together and one by one: labels must be equal and scores within 1e-6; where the
 * runtime says a little else of a row alone than of the same row among others, within that of either. A row for which
 * the runtime gives a number that is not finite must get one from `score` as well (neither is ever answered with), and
 * one that the runtime fails on must fail here. Throws DiffersError; gives the number of rows that were compared.
 */
export async function prove(score: Score, session: Pick<Session, 'run'>, options: ProofOptions): Promise<number> {
  const { size } = options;
  const part = size === undefined ? PART : Math.ceil(PART / size) * size;
  const started = performance.now();
  let rows = 0;
  for (let i = 0; i < MOST_PARTS && (i < LEAST_PARTS || performance.now() - started < BUDGET_MS); i++) {
    const inputs = proofRows(options, part, i + 1);
    const together = size === undefined ? await compareTogether(score, session, inputs, options.outputs) : undefined;
    const isFirst = i === 0 || size !== undefined;
    await compareApart(score, session, inputs, { ...options, step: size ?? 1, isFirst, together });
    rows += part;
  }
  return rows;
}

const rowsOf = (inputs: readonly Tensor[]): number => inputs[0]?.dims[0] ?? 0;

type Outcome = { readonly outputs: readonly Tensor[] } | { readonly failed: string };

const copied = (inputs: readonly Tensor[]): readonly Tensor[] =>
  inputs.map((tensor) => ({ ...tensor, data: tensor.data.slice() as Tensor['data'] }));

async function runtimeOutcome(session: Pick<Session, 'run'>, inputs: readonly Tensor[]): Promise<Outcome> {
  try {
    return { outputs: await session.run(copied(inputs)) };
  } catch (error) {
    return { failed: runtimeMessage(error) };
  }
}

function outcome(score: Score, inputs: readonly Tensor[]): Outcome {
  try {
    return { outputs: score(inputs) };
  } catch (error) {
    return { failed: error instanceof Error ? error.message : String(error) };
  }
}

/** All rows at once, and what the runtime says; where it fails on them, each row has to show for itself. */
async function compareTogether(
  score: Score,
  session: Pick<Session, 'run'>,
  inputs: readonly Tensor[],
  specs: readonly TensorSpec[],
): Promise<readonly Tensor[] | undefined> {
  const expected = await runtimeOutcome(session, inputs);
  if ('failed' in expected) return undefined;
  const got = outcome(score, inputs);
  compareOutcomes(expected, got, rowsOf(inputs), specs);
  // What a row gets alone goes another way through the trees.
  for (let row = 0; row < rowsOf(inputs); row++) {
    const alone = outcome(
      score,
      inputs.map((tensor) => sliceRows(tensor, row, row + 1)),
    );
    const own = { outputs: expected.outputs.map((tensor) => sliceRows(tensor, row, row + 1)) };
    compareOutcomes(own, alone, 1, specs);
  }
  return expected.outputs;
}

interface Apart extends ProofOptions {
  readonly step: number;
  readonly isFirst: boolean;
  /** What the runtime says of all rows at once. */
  readonly together: readonly Tensor[] | undefined;
}

/** As many rows at a time as a request may have at least, the runtime too: for a few of the rows, or where it fails. */
async function compareApart(
  score: Score,
  session: Pick<Session, 'run'>,
  inputs: readonly Tensor[],
  { outputs, step, isFirst, together }: Apart,
): Promise<void> {
  const until = isFirst ? rowsOf(inputs) : Math.min(rowsOf(inputs), 8 * step);
  for (let row = 0; row + step <= until; row += step) {
    const own = inputs.map((tensor) => sliceRows(tensor, row, row + step));
    const also = together?.map((tensor) => sliceRows(tensor, row, row + step));
    compareOutcomes(await runtimeOutcome(session, own), outcome(score, own), step, outputs, also);
  }
}

/** `also`: other numbers that would do. */
function compareOutcomes(
  expected: Outcome,
  got: Outcome,
  rows: number,
  specs: readonly TensorSpec[],
  also?: readonly Tensor[],
): void {
  if ('failed' in expected && 'failed' in got) return;
  if ('failed' in expected) throw new DiffersError(`onnxruntime fails on a row that it answers: ${expected.failed}`);
  if ('failed' in got) throw new DiffersError(`it fails on a row that onnxruntime answers: ${got.failed}`);
  for (const [i, output] of expected.outputs.entries()) sameShape(output, got.outputs[i], nameOf(specs, i));
  for (let row = 0; row < rows; row++) {
    if (!hasOnlyFinite(expected.outputs, row, rows) && !hasOnlyFinite(got.outputs, row, rows)) continue;
    for (const [i, output] of expected.outputs.entries()) {
      compareRow(output, got.outputs[i] as Tensor, { row, rows, name: nameOf(specs, i), also: also?.[i] });
    }
  }
}

const nameOf = (specs: readonly TensorSpec[], output: number): string => specs[output]?.name ?? String(output);

function sameShape(expected: Tensor, got: Tensor | undefined, name: string): void {
  if (expected.type === got?.type && expected.dims.join() === got.dims.join()) return;
  const say = (tensor: Tensor | undefined) => `${tensor?.type} [${tensor?.dims}]`;
  throw new DiffersError(`output ${name} is ${say(got)}, from onnxruntime ${say(expected)}`);
}

const widthOf = ({ dims, data }: Tensor, rows: number): number =>
  dims[0] === rows ? elementCount(dims.slice(1)) : data.length;

function hasOnlyFinite(outputs: readonly Tensor[], row: number, rows: number): boolean {
  return outputs.every((output) => {
    if (output.type !== 'float32' && output.type !== 'float64') return true;
    const width = widthOf(output, rows);
    for (let i = row * width; i < (row + 1) * width; i++) if (!Number.isFinite(output.data[i])) return false;
    return true;
  });
}

interface Where {
  readonly row: number;
  readonly rows: number;
  readonly name: string;
  readonly also: Tensor | undefined;
}

function compareRow(expected: Tensor, got: Tensor, { row, rows, name, also }: Where): void {
  const width = widthOf(expected, rows);
  const from = expected.dims[0] === rows ? row * width : 0;
  for (let i = from; i < from + width; i++) {
    if (isSame(expected.data[i], got.data[i])) continue;
    if (isFloat(got.type) && isSame(also?.data[i], got.data[i])) continue;
    const [was, is] = [expected.data[i], got.data[i]].map((value) => String(value).slice(0, 40));
    throw new DiffersError(`output ${name} is ${is}, from onnxruntime ${was}`);
  }
}

function isSame(expected: unknown, got: unknown): boolean {
  if (Object.is(expected, got) || expected === got) return true;
  if (typeof expected !== 'number' || typeof got !== 'number') return false;
  return Math.abs(expected - got) <= TOLERANCE * Math.max(1, Math.abs(expected));
}
