/** `answer`: asks one foreign model about all held-out rows. Whatever happens, only this process dies. */
import { readFile } from 'node:fs/promises';
import type { HeldOutAnswers } from '@slipway/contract';
import { asFailure, FailureError } from '../failure.ts';
import { type LoadedModel, loadModel } from '../model/load.ts';
import { RowError } from '../model/row-error.ts';
import { fixedRows, runInParts } from '../model/rows.ts';
import { runtimeMessage } from '../model/session.ts';
import { firstNonFinite, sliceRows, type Tensor } from '../model/tensor.ts';
import { AnswerRequest } from './answer-protocol.ts';
import { HeldOutError, heldOutRows, type Row } from './held-out.ts';
import { type Answers, bindAnswers, joinAnswers } from './read-answers.ts';

/** Answers the one request of the parent over the channel between them. */
export async function answer(): Promise<void> {
  const request = await new Promise<unknown>((resolve) => process.once('message', resolve));
  const answers = await answersFor(AnswerRequest.parse(request));
  await new Promise((resolve) => process.send?.(answers, resolve));
  process.disconnect();
}

async function answersFor(request: AnswerRequest): Promise<HeldOutAnswers> {
  try {
    return await ask(request);
  } catch (error) {
    if (error instanceof HeldOutError) return { problem: error.message };
    return { problem: asFailure(error).message };
  }
}

/** Rows of one run: memory stays the same however many rows there are. */
const BATCH = 1024;
/** Answers are kept whole until they are written. */
const MOST_NUMBERS = 5_000_000;

async function ask({ dir, files, signature, heldOut }: AnswerRequest): Promise<HeldOutAnswers> {
  const model = await loadModel(dir, files, 1, { described: signature });
  const read = bindAnswers(model.signature, model.session.outputs, model.classes);
  const parts: Answers[] = [];
  let [count, numbers] = [0, 0];
  for (const rows of inBatches(heldOutRows(await readFile(heldOut), model.signature.inputs))) {
    const part = read(await outputsFor(model, rows, count));
    parts.push(part);
    count += rows.length;
    numbers += 'values' in part ? part.values.length : part.labels.length * Math.max(1, part.classes.length);
    if (numbers > MOST_NUMBERS) {
      throw new HeldOutError(`more than ${MOST_NUMBERS} answers; hold out fewer rows`);
    }
  }
  await model.session.release();
  return joinAnswers(parts);
}

function* inBatches(rows: Iterable<Row>): Generator<readonly Row[]> {
  let batch: Row[] = [];
  for (const row of rows) {
    batch.push(row);
    if (batch.length < BATCH) continue;
    yield batch;
    batch = [];
  }
  if (batch.length > 0) yield batch;
}

/** One tensor row for every row. Throws FailureError for what the model cannot take or does not give. */
async function outputsFor(
  { session, encode }: LoadedModel,
  rows: readonly Row[],
  from: number,
): Promise<readonly Tensor[]> {
  const size = fixedRows(session.inputs) ?? rows.length;
  // A model for a fixed number of rows gets the last ones more than once.
  const padded = Array.from(
    { length: Math.ceil(rows.length / size) * size },
    (_, i) => rows[i] ?? (rows.at(-1) as Row),
  );
  const outputs = await runInParts(session.run, encoded(encode, padded, from), size).catch((error: unknown) => {
    throw new FailureError('InvalidModel', `it cannot predict: ${runtimeMessage(error)}`, { cause: error });
  });
  return outputs.map((output, i) => {
    const own = sliceRows(output, 0, rows.length);
    const bad = firstNonFinite(own);
    if (bad === -1 && own.data.length % rows.length === 0 && (output.dims[0] ?? 0) >= rows.length) return own;
    const name = session.outputs[i]?.name;
    if (bad === -1) throw new FailureError('SignatureMismatch', `output ${name} has no value for every row`);
    const row = from + Math.floor(bad / (own.data.length / rows.length));
    throw new FailureError('InvalidModel', `output ${name} is not finite for held-out row ${row}`);
  });
}

function encoded(encode: LoadedModel['encode'], rows: readonly Row[], from: number): readonly Tensor[] {
  try {
    return encode(rows);
  } catch (error) {
    if (!(error instanceof RowError)) throw error;
    throw new HeldOutError(`held-out row ${from + error.row}, ${error.field}: ${error.message}`);
  }
}
