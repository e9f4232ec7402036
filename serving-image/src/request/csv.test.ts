import assert from 'node:assert/strict';
import { test } from 'node:test';
import { csvRows } from './csv.ts';

const cellsOf = (text: string) => [...csvRows(text)].map(({ cells }) => cells);

const read: [name: string, text: string, rows: string[][]][] = [
  [
    'cells and lines',
    'a,b\n1,2\n',
    [
      ['a', 'b'],
      ['1', '2'],
    ],
  ],
  ['no newline at the end', 'a\n1', [['a'], ['1']]],
  [
    'CRLF',
    'a,b\r\n1,\r\n',
    [
      ['a', 'b'],
      ['1', ''],
    ],
  ],
  ['quotes, commas and newlines inside quotes', '"a""b","c,d","e\r\nf"\n', [['a"b', 'c,d', 'e\r\nf']]],
  ['empty quoted cells', '"",""\n', [['', '']]],
  ['a return that ends no line is part of the cell', 'a\rb,c\n', [['a\rb', 'c']]],
  ['an empty line is one empty cell', 'a\n\nb\n', [['a'], [''], ['b']]],
  ['a cell behind the last comma', 'a,', [['a', '']]],
  ['nothing', '', []],
];
for (const [name, text, rows] of read) {
  test(`${name}: read`, () => {
    // A text that ends with a comma has one more cell, which only the end tells.
    assert.deepEqual(cellsOf(text), rows);
  });
}

const refused: [name: string, text: string, message: RegExp][] = [
  ['a quote that is never closed', 'a\n"b\nc\n', /^line 2: a quote that is never closed$/],
  ['a quote inside a plain cell', 'a\nb"c\n', /^line 2: a quote inside/],
  ['something behind a quoted cell', '"a\nb"\n"c" ,d\n', /^line 3: something behind/],
];
for (const [name, text, message] of refused) {
  test(`${name} is refused with its line`, () => {
    assert.throws(() => cellsOf(text), { name: 'CsvError', message });
  });
}
