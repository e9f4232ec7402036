/** Rows of named values out of a stored CSV, JSON Lines or Parquet file, a few at a time, in their order. */
import type { Readable } from 'node:stream';
import { brotliDecompressSync, gunzipSync, zstdDecompressSync } from 'node:zlib';
import type { StreamingObjectStore } from '@slipway/object-store';
import { parse } from 'csv-parse';
import { type AsyncBuffer, type Compressors, parquetMetadataAsync, parquetReadObjects } from 'hyparquet';
import { FailureError } from '../failure.ts';

export type Row = Readonly<Record<string, unknown>>;

export const INPUT_FORMATS = ['csv', 'jsonl', 'parquet'] as const;
export type InputFormat = (typeof INPUT_FORMATS)[number];

export interface StoredInput {
  readonly store: Pick<StreamingObjectStore, 'get' | 'open'>;
  readonly key: string;
  readonly size: number;
  readonly format: InputFormat;
  /** Of a Parquet file, how many are decoded at a time. */
  readonly rowsAtOnce?: number;
}

/** Every row of the file. Throws InvalidCell naming the line that cannot be read; errors of the store pass through. */
export function readRows(input: StoredInput): AsyncIterable<Row> {
  if (input.format === 'csv') return readCsv(input);
  return input.format === 'jsonl' ? readJsonLines(input) : readParquet(input);
}

const unreadable = (where: string, what: string): FailureError =>
  new FailureError('InvalidCell', `${where}: ${what}; mend the input and start a batch with another output`);

/** A record longer than this is no record but a file without line ends. */
const MAX_RECORD = 1024 * 1024;

async function* readCsv({ store, key }: StoredInput): AsyncGenerator<Row> {
  const source = await store.get(key);
  const parser = parse({ columns: uniqueNames, bom: true, skip_empty_lines: true, max_record_size: MAX_RECORD });
  // The pipe hands on bytes only: an outage has to end the rows too.
  source.once('error', (error) => parser.destroy(error));
  source.pipe(parser);
  try {
    for await (const row of parser) yield row as Row;
  } catch (error) {
    const { code, lines } = error as { code?: string; lines?: number };
    if (code?.startsWith('CSV_')) throw unreadable(`line ${lines}`, `no record of the CSV file (${code})`);
    throw error;
  } finally {
    source.destroy();
  }
}

function uniqueNames(names: string[]): string[] {
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice === undefined) return names;
  throw unreadable('line 1', `the column ${JSON.stringify(twice.slice(0, 64))} is named twice`);
}

async function* readJsonLines({ store, key }: StoredInput): AsyncGenerator<Row> {
  let line = 0;
  for await (const text of linesOf(await store.get(key))) {
    line++;
    if (text.trim() !== '') yield objectIn(text, line);
  }
}

function objectIn(text: string, line: number): Row {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw unreadable(`line ${line}`, 'expected a JSON object, got no JSON');
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Row;
  throw unreadable(`line ${line}`, `expected a JSON object, got ${Array.isArray(value) ? 'a list' : typeof value}`);
}

async function* linesOf(source: Readable): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = '';
  for await (const chunk of source) {
    const pieces = (rest + decoder.decode(chunk as Buffer, { stream: true })).split('\n');
    rest = pieces.pop() as string;
    if (rest.length > MAX_RECORD) throw unreadable('the input', 'a line is longer than 1 MiB');
    yield* pieces;
  }
  yield rest + decoder.decode();
}

/** Snappy and uncompressed pages are understood by the library itself. */
const compressors: Compressors = {
  GZIP: (input) => gunzipSync(input),
  BROTLI: (input) => brotliDecompressSync(input),
  ZSTD: (input) => zstdDecompressSync(input),
};
/** So many rows are decoded at a time. */
const PARQUET_ROWS = 8192;

async function* readParquet({ store, key, size, rowsAtOnce = PARQUET_ROWS }: StoredInput): AsyncGenerator<Row> {
  const file = remoteFile(store, key, size);
  const metadata = await parquetMetadataAsync(file).catch((error: Error) => {
    throw error.name === 'ObjectStoreError' ? error : unreadable('the input', 'it is no Parquet file');
  });
  let groupStart = 0;
  for (const { num_rows } of metadata.row_groups) {
    const groupEnd = groupStart + Number(num_rows);
    // A group is fetched once, and decoded a few rows at a time: its columns lie apart, and every part needs all of them.
    const group = remembering(file);
    for (let rowStart = groupStart; rowStart < groupEnd; rowStart += rowsAtOnce) {
      const rowEnd = Math.min(groupEnd, rowStart + rowsAtOnce);
      const rows = await parquetReadObjects({ file: group, metadata, compressors, rowStart, rowEnd });
      for (const row of rows)
        yield Object.fromEntries(Object.entries(row).map(([name, value]) => [name, plain(value)]));
    }
    groupStart = groupEnd;
  }
}

/** The file, of which no part is fetched twice. */
function remembering(file: AsyncBuffer): AsyncBuffer {
  const known = new Map<string, Promise<ArrayBuffer>>();
  const slice = (start: number, end?: number): Promise<ArrayBuffer> => {
    const part = `${start}-${end}`;
    const bytes = known.get(part) ?? Promise.resolve(file.slice(start, end));
    known.set(part, bytes);
    return bytes;
  };
  return { byteLength: file.byteLength, slice };
}

function remoteFile(store: StoredInput['store'], key: string, byteLength: number): AsyncBuffer {
  const slice = async (start: number, end = byteLength): Promise<ArrayBuffer> => {
    const { body } = await store.open(key, { start, end: end - 1 });
    const chunks: Buffer[] = [];
    for await (const chunk of body) chunks.push(chunk as Buffer);
    return new Uint8Array(Buffer.concat(chunks)).buffer;
  };
  return { byteLength, slice };
}

/** An integer that JSON.stringify writes with all of these digits, which a JavaScript number would lose. */
export const exactly = (digits: string): object =>
  (JSON as unknown as { rawJSON(text: string): object }).rawJSON(digits);

/** What JSON can carry. */
function plain(value: unknown): unknown {
  if (typeof value === 'bigint') return Number.isSafeInteger(Number(value)) ? Number(value) : exactly(String(value));
  return value instanceof Date ? value.toISOString() : value;
}
