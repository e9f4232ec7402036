/** A CSV file (RFC 4180, with a header) as numbers: read as a stream, kept in typed arrays. */
import { createReadStream } from 'node:fs';
import type { Readable } from 'node:stream';
import { type Algorithm, TRAINING_INPUT } from '@slipway/contract';
import { CsvError, parse } from 'csv-parse';
import { FailureError, quoted } from '../failure.ts';
import { type Columns, chooseColumns } from './columns.ts';

export interface Table {
  readonly featureNames: readonly string[];
  /** Row by row. */
  readonly features: Float64Array;
  /** The target's cell of every row, without surrounding spaces. */
  readonly targets: readonly string[];
  readonly rows: number;
}

const decimal = /^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/;

interface Place {
  readonly row: number;
  readonly line: number;
  readonly column: string;
}

const refused = ({ row, line, column }: Place, expected: string, got: string): FailureError =>
  new FailureError(
    'InvalidCell',
    `row ${row} (line ${line}), column ${quoted(column)}: expected ${expected}, got ${got === '' ? 'nothing' : quoted(got)}`,
  );

/** The model takes float32, so that is what must hold the value. */
function numberIn(cell: string, place: Place): number {
  const text = cell.trim();
  const value = decimal.test(text) ? Number(text) : Number.NaN;
  if (Number.isFinite(Math.fround(value))) return value;
  throw refused(place, Number.isNaN(value) ? 'a number' : 'a number below 3.4e38', text);
}

/** Grows by doubling, so that a file of any length is copied a bounded number of times. */
class Numbers {
  private values = new Float64Array(1024);
  private length = 0;
  push(value: number): void {
    if (this.length === this.values.length) {
      const larger = new Float64Array(this.values.length * 2);
      larger.set(this.values);
      this.values = larger;
    }
    this.values[this.length++] = value;
  }
  taken = (): Float64Array => this.values.subarray(0, this.length);
}

interface Record {
  readonly record: string[];
  readonly info: { readonly lines: number };
}

/** Throws EmptyInput, TargetNotFound, FeatureNotFound and, for the first cell that is wrong, InvalidCell naming it. */
export async function readTable(source: Readable, algorithm: Algorithm): Promise<Table> {
  const parser = parse({ bom: true, info: true, skip_empty_lines: true });
  source.on('error', (error) => parser.destroy(error));
  source.pipe(parser);
  const features = new Numbers();
  const targets: string[] = [];
  let header: readonly string[] = [];
  let columns: Columns | undefined;
  try {
    for await (const { record, info } of parser as AsyncIterable<Record>) {
      if (!columns) {
        header = record.map((name) => name.trim());
        columns = chooseColumns(header, algorithm);
        continue;
      }
      const at = (column: number): Place => ({
        row: targets.length + 1,
        line: info.lines,
        column: header[column] as string,
      });
      for (const column of columns.features) features.push(numberIn(record[column] as string, at(column)));
      const target = (record[columns.target] as string).trim();
      if (target === '') throw refused(at(columns.target), 'a class', target);
      targets.push(target);
    }
  } catch (error) {
    throw csvFailure(error);
  }
  if (!columns || targets.length === 0) {
    const what = columns ? 'only a header' : 'an empty file';
    throw new FailureError('EmptyInput', `input ${TRAINING_INPUT}: expected a header and rows of data, got ${what}`);
  }
  return { featureNames: columns.featureNames, features: features.taken(), targets, rows: targets.length };
}

const csvProblems: Readonly<globalThis.Record<string, string>> = {
  CSV_RECORD_INCONSISTENT_FIELDS_LENGTH: 'as many cells as the header has columns',
  CSV_QUOTE_NOT_CLOSED: 'a closing quote',
  CSV_INVALID_CLOSING_QUOTE: 'a comma or the end of the line after a closing quote',
  INVALID_OPENING_QUOTE: 'a quote only at the beginning of a cell',
};

/** What csv-parse adds to its errors. The parser is ahead of whoever reads its rows, so only it knows where it stands. */
interface CsvPosition {
  readonly lines?: number;
  /** How many were complete before, the header among them. */
  readonly records?: number;
  readonly record?: readonly unknown[];
}

function csvFailure(error: unknown): unknown {
  if (!(error instanceof CsvError)) return error;
  const { lines = '?', records, record } = error as CsvPosition;
  const expected = csvProblems[error.code] ?? `CSV as in RFC 4180 (${error.code})`;
  const got = record === undefined ? '' : `, got ${record.length}`;
  return new FailureError('InvalidCell', `row ${records ?? '?'} (line ${lines}): expected ${expected}${got}`);
}

/** As `readTable`, for a file. */
export const readTableFile = (path: string, algorithm: Algorithm): Promise<Table> =>
  readTable(createReadStream(path), algorithm);
