import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parse } from 'csv-parse/sync';
import { randomFrom } from '../learn/random.ts';
import { textOf } from './cells.ts';
import { CsvScanner } from './csv-scanner.ts';

/** Records as a reader gets them that is given `piece` more bytes at a time; each with the line it begins at. */
function scanned(text: string, piece: number): { line: number; cells: string[] }[] {
  const all = Buffer.from(text);
  const scanner = new CsvScanner();
  const found: { line: number; cells: string[] }[] = [];
  let rest = Buffer.alloc(0);
  for (let read = 0; ; read += piece) {
    rest = Buffer.concat([rest, all.subarray(read, read + piece)]);
    const isLast = read >= all.length;
    scanner.feed(rest, rest.length, isLast);
    while (scanner.next()) {
      const { bytes, starts, ends, line } = scanner;
      const cell = (i: number) => textOf(bytes, starts[i] as number, ends[i] as number);
      found.push({ line, cells: Array.from({ length: scanner.cells }, (_, i) => cell(i)) });
    }
    rest = Buffer.from(rest.subarray(scanner.at));
    if (isLast) return found;
  }
}

const quote = (cell: string) => `"${cell.replaceAll('"', '""')}"`;

/** Cells of every kind that RFC 4180 knows, with line ends of every kind. */
function randomCsv(seed: number): string {
  const random = randomFrom(seed);
  const one = <T>(of: readonly T[]): T => of[Math.floor(random() * of.length)] as T;
  const parts = ['a', '1.5', 'é', '\u{1f600}', ' ', '', 'long text'];
  const inQuotes = [...parts, ',', '"', '\n', '\r\n', '\r'];
  const cell = () => (random() < 0.5 ? one(parts) : quote(one(inQuotes) + one(inQuotes) + one(inQuotes)));
  const record = () => Array.from({ length: 1 + Math.floor(random() * 4) }, cell).join(',');
  const end = one(['\n', '\r\n', '\r']);
  return Array.from({ length: 1 + Math.floor(random() * 6) }, record).join(end) + (random() < 0.5 ? end : '');
}

test('however a file is cut into pieces, its records are those that csv-parse finds', () => {
  for (let seed = 0; seed < 400; seed++) {
    const text = randomCsv(seed);
    const expected = parse(text, {
      ...{ record_delimiter: ['\r\n', '\n', '\r'], relax_column_count: true, skip_empty_lines: true },
    });
    for (const piece of [1, 2, 3, 7, 1000]) {
      const cells = scanned(text, piece).map((record) => record.cells);
      assert.deepEqual(cells, expected, `${JSON.stringify(text)} in pieces of ${piece}`);
    }
  }
});

test('a record begins at the line an editor shows, whatever line ends lie inside cells before it', () => {
  const records = scanned('a,b\r\n\n"x\r\ny\n",1\r2,"\r"\n3,4', 1);
  assert.deepEqual(records, [
    { line: 1, cells: ['a', 'b'] },
    { line: 3, cells: ['x\r\ny\n', '1'] },
    { line: 6, cells: ['2', '\r'] },
    { line: 8, cells: ['3', '4'] },
  ]);
});
