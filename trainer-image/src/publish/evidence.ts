/** Reads what gates are judged by: the trainer's metrics, its held-out rows, and what the models answered for them. */
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { type Gate, HELD_OUT_FILE, HeldOutAnswers, TARGET_COLUMN } from '@slipway/contract';
import { parse } from 'csv-parse';
import { Json } from '../environment.ts';
import { FailureError } from '../failure.ts';
import { openRegular, readRegular } from './collect.ts';
import type { Comparison, Evidence } from './gates.ts';
import { lastValues, type Points } from './metrics.ts';

/** `predict` reads no more either. */
export const MOST_HELD_OUT_BYTES = 64 * 1024 ** 2;
const MOST_ANSWER_BYTES = 16 * 1024 ** 2;
/** No model's answers to more rows fit into MOST_ANSWER_BYTES. */
const MOST_ROWS = 5_000_000;
/** A line of nothing but commas makes a cell of every byte. */
const LONGEST_LINE = 1024 ** 2;
const NEWLINE = 10;

/** The bytes as they are. Throws when a line is longer than anybody's row. */
async function* shortLines(chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let length = 0;
  for await (const chunk of chunks) {
    let start = 0;
    while (start < chunk.length) {
      const end = chunk.indexOf(NEWLINE, start);
      length += (end === -1 ? chunk.length : end) - start;
      if (length > LONGEST_LINE) throw new RangeError(`a line has more than ${LONGEST_LINE} bytes`);
      if (end === -1) break;
      length = 0;
      start = end + 1;
    }
    yield chunk;
  }
}

/** The cells of the target's column; nothing else of the file is kept. Undefined when there is no file. */
export async function targetsIn(outputDir: string): Promise<Comparison['targets']> {
  const file = await openRegular(join(outputDir, HELD_OUT_FILE), HELD_OUT_FILE);
  if (!file) return undefined;
  const { size } = await file.stat();
  if (size > MOST_HELD_OUT_BYTES) {
    await file.close();
    return { problem: `it has ${size} bytes, at most ${MOST_HELD_OUT_BYTES} are read` };
  }
  let column: number | undefined;
  const targets: string[] = [];
  try {
    const cells = parse({ bom: true, skip_empty_lines: true });
    await pipeline(file.createReadStream(), shortLines, cells, async (rows: AsyncIterable<string[]>) => {
      for await (const row of rows) {
        if (column === undefined) column = row.indexOf(TARGET_COLUMN);
        else if (targets.push(row[column] ?? '') > MOST_ROWS) throw new RangeError(`more than ${MOST_ROWS} rows`);
      }
    });
  } catch (error) {
    if (error instanceof RangeError) return { problem: `${error.message}: it is not read` };
    return { problem: `it is not CSV (${(error as Error).message})` };
  }
  if (column === undefined) return { problem: 'it is empty' };
  return column === -1 ? { problem: `its header has no column ${TARGET_COLUMN}` } : targets;
}

async function answersIn(answersDir: string, name: string): Promise<HeldOutAnswers> {
  try {
    const text = await readRegular(join(answersDir, `${name}.json`), `${name}.json`, MOST_ANSWER_BYTES);
    if (text === undefined) return { problem: 'it was not asked' };
    return Json.pipe(HeldOutAnswers).safeParse(text).data ?? { problem: 'its answers cannot be read' };
  } catch (error) {
    if (!(error instanceof FailureError)) throw error;
    return { problem: `its answers have more than ${MOST_ANSWER_BYTES} bytes: hold out fewer rows` };
  }
}

async function comparisonFor(
  gates: readonly Gate[],
  outputDir: string,
  answersDir: string,
): Promise<Comparison | undefined> {
  const numbers = gates.map(({ notWorseThan }) => notWorseThan?.reference).filter((number) => number !== undefined);
  if (numbers.length === 0) return undefined;
  const references: HeldOutAnswers[] = [];
  for (let number = 0; number <= Math.max(...numbers); number++) {
    references.push(await answersIn(answersDir, String(number)));
  }
  return { targets: await targetsIn(outputDir), candidate: await answersIn(answersDir, 'candidate'), references };
}

/** Throws InvalidModel when the held-out rows are no plain file; all else is for the gates to say. */
export async function evidenceFor(
  gates: readonly Gate[],
  { metrics, outputDir, answersDir }: { metrics: Points; outputDir: string; answersDir: string },
): Promise<Evidence> {
  const comparison = await comparisonFor(gates, outputDir, answersDir);
  return { metrics: lastValues(metrics), ...(comparison && { comparison }) };
}
