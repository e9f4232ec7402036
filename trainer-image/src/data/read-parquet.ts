/** Reads a Parquet file row group by row group, and of a row group one column at a time. */
import { type FileHandle, open } from 'node:fs/promises';
import { brotliDecompressSync, gunzipSync, zstdDecompressSync } from 'node:zlib';
import {
  type AsyncBuffer,
  type Compressors,
  type DecodedArray,
  type FileMetaData,
  parquetMetadataAsync,
  parquetScan,
  parquetSchema,
  type SchemaElement,
} from 'hyparquet';
import { FailureError, quoted } from '../failure.ts';
import type { ColumnBuilder } from './column-builder.ts';
import type { ReadOptions } from './read-csv.ts';

/** Snappy and uncompressed pages are understood by the library itself. */
const compressors: Compressors = {
  GZIP: (input) => gunzipSync(input),
  BROTLI: (input) => brotliDecompressSync(input),
  ZSTD: (input) => zstdDecompressSync(input),
};

/** A typed array of more is none. */
const MOST_ROWS = 2 ** 32 - 1;

/** What the library says of a file it cannot read, as a failure of the input. */
const unreadable = (error: unknown): FailureError =>
  error instanceof FailureError
    ? error
    : new FailureError(
        'InvalidCell',
        `the Parquet file cannot be read: ${(error as Error).message.slice(0, 300)}; write it again, or as CSV`,
        { cause: error },
      );

const encoder = new TextEncoder();

class CellWriter {
  private scratch = new Uint8Array(1024);
  private readonly builder: ColumnBuilder;
  constructor(builder: ColumnBuilder) {
    this.builder = builder;
  }

  private pushText(text: string, row: number): void {
    if (text.length * 3 > this.scratch.length) this.scratch = new Uint8Array(text.length * 3);
    const { written } = encoder.encodeInto(text, this.scratch);
    this.builder.push(this.scratch, 0, written, row);
  }

  /** One value as the library decodes it. Throws InvalidCell for dates, bytes and nested values. */
  push(value: unknown, row: number): void {
    if (value === null || value === undefined || Number.isNaN(value)) this.builder.pushMissing(row);
    else if (typeof value === 'number' || typeof value === 'bigint') this.pushNumber(Number(value), row);
    else if (typeof value === 'string' || typeof value === 'boolean') this.pushText(String(value), row);
    else throw this.refused(value, row);
  }

  private pushNumber(value: number, row: number): void {
    if (this.builder.rules.type === 'number') this.builder.pushNumber(value, row);
    else this.pushText(String(value), row);
  }

  private refused(value: unknown, row: number): FailureError {
    const what = value instanceof Date ? 'a date' : 'a nested value or bytes';
    return new FailureError(
      'InvalidCell',
      `row ${row}, column ${quoted(this.builder.rules.name)}: expected a number or text, got ${what}; leave the column ` +
        'out with features, or write it as a number',
    );
  }
}

const NUMBERS: ReadonlySet<string> = new Set(['INT32', 'INT64', 'FLOAT', 'DOUBLE']);

/** Dates and times lie in the file as numbers too; those are refused when their first value comes. */
const isNumber = ({ type, logical_type, converted_type }: SchemaElement): boolean =>
  NUMBERS.has(type ?? '') &&
  !/^(DATE|TIME|TIMESTAMP)/.test(logical_type?.type ?? '') &&
  !/^(DATE|TIME|TIMESTAMP)/.test(converted_type ?? '');

interface Span {
  readonly rowStart: number;
  readonly rowEnd: number;
}

/** What the file's last bytes say of it. They may say anything: throws what the library throws, or an Error. */
async function layoutOf(file: AsyncBuffer) {
  const metadata = await parquetMetadataAsync(file);
  const schema = parquetSchema(metadata).children.map(({ element }) => element);
  if (schema.some(({ name }) => typeof name !== 'string')) throw new Error('a column has no name');
  return { metadata, schema, groups: groupsOf(metadata) };
}

function groupsOf(metadata: FileMetaData): Span[] {
  let rowStart = 0;
  return metadata.row_groups.map(({ num_rows }) => {
    const count = Number(num_rows);
    if (!(count >= 0 && rowStart + count <= MOST_ROWS)) throw new Error(`it says that it has ${num_rows} rows`);
    const span = { rowStart, rowEnd: rowStart + count };
    rowStart = span.rowEnd;
    return span;
  });
}

async function readColumn(
  file: AsyncBuffer,
  metadata: FileMetaData,
  column: string,
  span: Span,
): Promise<DecodedArray> {
  // A scan keeps what it decoded, so every piece gets one of its own.
  const scan = await parquetScan({ file, metadata, columns: [column], compressors, ...span });
  return scan.readColumn({ column, ...span });
}

/** Pieces of the file, each read into memory of its own. */
async function bufferOf(handle: FileHandle): Promise<AsyncBuffer> {
  const { size } = await handle.stat();
  const slice = async (start: number, end = size): Promise<ArrayBuffer> => {
    const bytes = new Uint8Array(end - start);
    for (let at = 0; at < bytes.length; ) {
      const { bytesRead } = await handle.read(bytes, at, bytes.length - at, start + at);
      if (bytesRead === 0) throw new Error('the file ends too early');
      at += bytesRead;
    }
    return bytes.buffer;
  };
  return { byteLength: size, slice };
}

/** As `readCsv`, for a Parquet file; columns are those at the top of its schema, and places are rows from 1. */
export async function readParquet(path: string, options: ReadOptions): Promise<number> {
  const handle = await open(path);
  try {
    return await readGroups(await bufferOf(handle), options);
  } finally {
    await handle.close();
  }
}

async function readGroups(file: AsyncBuffer, { onHeader, onFraction }: ReadOptions): Promise<number> {
  const { metadata, schema, groups } = await layoutOf(file).catch((error) => {
    throw unreadable(error);
  });
  const names = schema.map(({ name }) => name);
  const rows = groups.at(-1)?.rowEnd ?? 0;
  const { columns } = onHeader({ names, areNumbers: schema.map(isNumber), expectedRows: rows });
  if (rows === 0) throw new FailureError('EmptyInput', 'the input has no rows; expected rows of data');
  const writers = columns.map((builder) => builder && new CellWriter(builder));
  for (const span of groups) {
    for (const [i, writer] of writers.entries()) {
      if (!writer || span.rowStart === span.rowEnd) continue;
      const values = await readColumn(file, metadata, names[i] as string, span).catch((error) => {
        throw unreadable(error);
      });
      for (let row = 0; row < values.length; row++) writer.push(values[row], span.rowStart + row + 1);
    }
    onFraction(span.rowEnd / rows);
  }
  return rows;
}
