/** What a model must show before it is called ready. */
import type { Examples, InputColumn, ModelSignature } from '@slipway/contract';
import { FailureError } from '../failure.ts';
import type { EncodeRows } from './binding.ts';
import { checkParity } from './parity.ts';
import { RowError } from './row-error.ts';
import { fixedRows, rowsAreOpen, runInParts } from './rows.ts';
import { runtimeMessage, type Session } from './session.ts';
import type { Tensor } from './tensor.ts';

type Row = Readonly<Record<string, unknown>>;

/** What the tests work with. */
export interface TestRows {
  readonly examples: Examples | undefined;
  /** Made-up rows: the first is used when there are no examples. */
  readonly probes: readonly Row[];
}

/** Predicts the examples and compares, or, without examples, predicts one row. Throws ParityFailed or InvalidModel. */
export async function selfTest(
  session: Session,
  encode: EncodeRows,
  signature: ModelSignature,
  { examples, probes }: TestRows,
): Promise<void> {
  const given: readonly Row[] = examples && examples.inputs.length > 0 ? examples.inputs : probes.slice(0, 1);
  const size = fixedRows(session.inputs) ?? given.length;
  const count = Math.ceil(given.length / size) * size;
  const rows = Array.from({ length: count }, (_, i) => given[i % given.length] as Row);
  const outputs = await predict(session, encode, rows, size);
  const missing = outputs.findIndex(({ dims }) => (dims[0] ?? 1) < given.length);
  if (missing !== -1) {
    const name = session.outputs[missing]?.name;
    throw new FailureError(
      'SignatureMismatch',
      `output ${name} has ${outputs[missing]?.dims[0] ?? 1} rows for ${count}`,
    );
  }
  if (!examples) return;
  const named = session.outputs.map(({ name }, i) => ({ name, tensor: outputs[i] as Tensor }));
  checkParity(examples, signature, named);
}

async function predict(
  session: Session,
  encode: EncodeRows,
  rows: readonly Row[],
  size: number,
): Promise<readonly Tensor[]> {
  try {
    return await runInParts(session.run, encode(rows), size);
  } catch (error) {
    if (error instanceof RowError) {
      throw new FailureError('ParityFailed', `examples.json, row ${error.row}, ${error.field}: ${error.message}`);
    }
    throw new FailureError('InvalidModel', `it cannot predict: ${runtimeMessage(error)}`, { cause: error });
  }
}

const PROBES = 5;

/** True when rows predicted together get what each gets alone: only then may requests share a run. */
export async function batchEqualsSingles(
  session: Session,
  encode: EncodeRows,
  { examples, probes }: TestRows,
): Promise<boolean> {
  if (!rowsAreOpen(session.inputs) || session.outputs.some(({ dims }) => dims[0] !== -1)) return false;
  const rows: readonly Row[] = [...(examples?.inputs.slice(0, PROBES) ?? []), ...probes];
  const inputs = encode(rows);
  try {
    const together = await session.run(inputs);
    const apart = await runInParts(session.run, inputs, 1);
    return together.every((tensor, i) => agree(tensor, apart[i] as Tensor));
  } catch {
    return false;
  }
}

/** Sums may be formed in another order in a larger batch. */
const BATCH_TOLERANCE = 1e-5;

function agree(a: Tensor, b: Tensor): boolean {
  if (a.data.length !== b.data.length || a.dims.join() !== b.dims.join()) return false;
  for (let i = 0; i < a.data.length; i++) {
    const [x, y] = [a.data[i], b.data[i]];
    if (Object.is(x, y) || x === y) continue;
    if (typeof x !== 'number' || typeof y !== 'number') return false;
    if (!(Math.abs(x - y) <= BATCH_TOLERANCE * Math.max(1, Math.abs(x)))) return false;
  }
  return true;
}

/**
 * Rows made up from the columns' types and known texts; the first is all zero, in the last one nothing optional is there,
 * and no two are alike if columns allow it.
 */
export const probeRows = (
  { inputs }: ModelSignature,
  textsOf: (column: string) => readonly string[] | undefined,
): readonly Row[] =>
  Array.from({ length: PROBES }, (_, row) =>
    Object.fromEntries(inputs.map((column, i) => [column.name, probe(column, textsOf(column.name), row, i)])),
  );

function probe(
  { type, optional, categories }: InputColumn,
  derived: readonly string[] | undefined,
  row: number,
  column: number,
): unknown {
  if (optional && row === PROBES - 1) return null;
  const texts = categories ?? derived;
  if (type === 'string') return texts?.[row % Math.max(1, texts.length)] ?? '';
  if (type === 'bool') return (row + column) % 2 === 1 && row > 0;
  const step = row * (1 + (column % 7));
  return type === 'float32' || type === 'float64' ? step * 0.37 : step;
}
