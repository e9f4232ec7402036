/** Streams a CSV file through the scanner. Only one buffer of it is in memory at any time. */
import { isUtf8 } from 'node:buffer';
import { type FileHandle, open } from 'node:fs/promises';
import { FailureError } from '../failure.ts';
import { textOf } from './cells.ts';
import type { ColumnBuilder } from './column-builder.ts';
import { CsvScanner } from './csv-scanner.ts';

const BUFFER_BYTES = 1 << 20;
const LONGEST_RECORD = 1 << 25;

export interface Sink {
  /** For every column of the header its builder; undefined: the column is not wanted. */
  readonly columns: readonly (ColumnBuilder | undefined)[];
}

export interface Header {
  readonly names: readonly string[];
  /** Which columns the file itself says are numbers; CSV says nothing. */
  readonly areNumbers: readonly boolean[];
  /** About how many rows follow. */
  readonly expectedRows: number;
}

export interface ReadOptions {
  /** Told what the beginning of the file says; answers what becomes of the columns. */
  readonly onHeader: (header: Header) => Sink;
  /** Told after every piece of the file how much of it was read, 0 … 1. */
  readonly onFraction: (fraction: number) => void;
}

const LF = 0x0a;

/** The line of the first bytes that are not UTF-8, in a block that begins at `line`. */
function lineOfBadBytes(bytes: Uint8Array, from: number, to: number, line: number): number {
  let start = from;
  for (let number = line; ; number++) {
    const lineEnd = bytes.indexOf(LF, start);
    const end = lineEnd < 0 || lineEnd >= to ? to : lineEnd + 1;
    const text = bytes.subarray(start, end);
    if (end === to || !isUtf8(text) || text.includes(0)) return number;
    start = end;
  }
}

const KNOWN_BEGINNINGS: readonly (readonly [bytes: readonly number[], what: string])[] = [
  [[0x1f, 0x8b], 'a gzip file; unpack it first'],
  [[0x50, 0x4b, 0x03, 0x04], 'a ZIP archive or an Excel workbook; save the sheet as CSV (UTF-8)'],
  [[0xff, 0xfe], 'UTF-16 text; save it as UTF-8'],
  [[0xfe, 0xff], 'UTF-16 text; save it as UTF-8'],
  [[0x28, 0xb5, 0x2f, 0xfd], 'a zstd file; unpack it first'],
];

/** Where the last character begins; where a buffer ends it may be cut. */
function lastCharacter(bytes: Uint8Array, end: number): number {
  let at = end - 1;
  while (at > end - 4 && at > 0 && ((bytes[at] as number) & 0xc0) === 0x80) at--;
  return at;
}

function checkText(bytes: Uint8Array, from: number, to: number, line: number): void {
  const block = bytes.subarray(from, to);
  if (isUtf8(block) && !block.includes(0)) return;
  const known =
    line === 1 ? KNOWN_BEGINNINGS.find(([start]) => start.every((byte, i) => bytes[from + i] === byte)) : undefined;
  if (known) throw new FailureError('InvalidCell', `line 1: expected CSV text, got ${known[1]}`);
  throw new FailureError(
    'InvalidCell',
    `line ${lineOfBadBytes(bytes, from, to, line)}: expected text in UTF-8, got bytes that are none; save the file as CSV in UTF-8`,
  );
}

/** Takes records from the scanner and cells to the builders. */
class Reader {
  rows = 0;
  private readonly scanner = new CsvScanner();
  private readonly options: ReadOptions;
  private readonly size: number;
  private sink: Sink | undefined;

  /** `size`: bytes of the whole file. */
  constructor(options: ReadOptions, size: number) {
    this.options = options;
    this.size = size;
  }

  get hasHeader(): boolean {
    return this.sink !== undefined;
  }

  /** Takes the complete records of `bytes[0, end)`; the offset of what is left. */
  take(bytes: Uint8Array, end: number, isLast: boolean): number {
    const { scanner } = this;
    scanner.feed(bytes, end, isLast);
    checkText(bytes, 0, isLast ? end : lastCharacter(bytes, end), scanner.nextLine);
    while (scanner.next()) {
      if (this.sink) this.takeRow(this.sink.columns);
      else this.sink = this.options.onHeader(this.header(bytes.subarray(0, end)));
    }
    return scanner.at;
  }

  private header(beginning: Uint8Array): Header {
    const { bytes, starts, ends, cells } = this.scanner;
    const cell = (i: number) => textOf(bytes, starts[i] as number, ends[i] as number).trim();
    let lines = 1;
    for (const byte of beginning) if (byte === LF) lines++;
    // A little more, so that the last rows need no larger room.
    const expectedRows = Math.ceil((this.size / beginning.length) * lines * 1.02);
    return { names: Array.from({ length: cells }, (_, i) => cell(i)), areNumbers: [], expectedRows };
  }

  private takeRow(columns: Sink['columns']): void {
    const { bytes, starts, ends, cells, line } = this.scanner;
    if (cells !== columns.length) {
      const hint = cells > columns.length ? '; a cell with a comma needs quotes around it' : '';
      throw new FailureError(
        'InvalidCell',
        `line ${line}: expected ${columns.length} cells as in the header, got ${cells}${hint}`,
      );
    }
    for (let i = 0; i < cells; i++) columns[i]?.push(bytes, starts[i] as number, ends[i] as number, line);
    this.rows++;
  }
}

const BOM = [0xef, 0xbb, 0xbf];

/**
 * Reads `path` and gives the number of rows beneath the header. Throws EmptyInput, InvalidCell naming the line, and what
 * `onHeader` and the builders throw.
 */
export async function readCsv(path: string, options: ReadOptions): Promise<number> {
  const file = await open(path);
  try {
    const rows = await readRecords(file, options);
    if (rows > 0) return rows;
  } finally {
    await file.close();
  }
  throw new FailureError('EmptyInput', 'the input has only a header; expected rows of data below it');
}

async function readRecords(file: FileHandle, options: ReadOptions): Promise<number> {
  const { size } = await file.stat();
  const reader = new Reader(options, size);
  let bytes = new Uint8Array(BUFFER_BYTES);
  let filled = 0;
  let total = 0;
  for (;;) {
    const { bytesRead } = await file.read(bytes, filled, bytes.length - filled);
    const isFirst = total === 0;
    total += bytesRead;
    filled += bytesRead;
    if (isFirst && BOM.every((byte, i) => bytes[i] === byte)) filled = drop(bytes, BOM.length, filled);
    const isLast = bytesRead === 0;
    if (filled > 0) filled = drop(bytes, reader.take(bytes, filled, isLast), filled);
    if (isLast) break;
    if (filled === bytes.length) bytes = enlarged(bytes);
    options.onFraction(size > 0 ? Math.min(1, total / size) : 1);
  }
  if (!reader.hasHeader) {
    throw new FailureError('EmptyInput', 'the input is empty; expected a header and rows of data');
  }
  return reader.rows;
}

function drop(bytes: Uint8Array, count: number, filled: number): number {
  bytes.copyWithin(0, count, filled);
  return filled - count;
}

function enlarged(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  if (bytes.length >= LONGEST_RECORD) {
    throw new FailureError(
      'InvalidCell',
      `a record is longer than ${LONGEST_RECORD >> 20} MB; expected CSV (RFC 4180): is a quote not closed?`,
    );
  }
  const larger = new Uint8Array(bytes.length * 2);
  larger.set(bytes);
  return larger;
}
