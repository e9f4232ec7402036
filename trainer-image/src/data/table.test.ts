import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import type { Algorithm } from '@slipway/contract';
import type { FeatureColumn, Table } from '../model.ts';
import { readTable } from './table.ts';

const folder = mkdtempSync(join(tmpdir(), 'slipway-table-'));
after(() => rmSync(folder, { recursive: true, force: true }));

type Over = Partial<Algorithm> & { maxCategories?: number; onWarning?: (message: string) => void };

function read(content: string | Uint8Array, { maxCategories = 255, onWarning, ...over }: Over = {}): Promise<Table> {
  const path = join(folder, 'input');
  writeFileSync(path, content);
  const algorithm = { name: 'random-forest', target: 'class', ...over };
  return readTable(path, algorithm, { maxCategories, ...(onWarning && { onWarning }) });
}

/** Cells as a person would write them; undefined where missing. */
const cells = (column: FeatureColumn | undefined): (number | string | undefined)[] =>
  column?.kind === 'number'
    ? Array.from(column.values, (value) => (Number.isNaN(value) ? undefined : value))
    : Array.from(column?.ids ?? [], (id) => column?.categories[id]);

const targets = ({ target }: Table) =>
  target.task === 'regression' ? [...target.values] : Array.from(target.ids, (id) => target.labels[id]);

test('quoted cells, a byte order mark, Windows line ends and empty lines are CSV like any other', async () => {
  const table = await read('\ufeff"width, cm",class\r\n"1.5","a ""b"", c"\r\n\r\n-2e-1,"d\r\ne"\r\n');
  assert.deepEqual(
    table.features.map(({ name }) => name),
    ['width, cm'],
  );
  assert.deepEqual(cells(table.features[0]), [1.5, Math.fround(-0.2)]);
  assert.deepEqual(targets(table), ['a "b", c', 'd\r\ne']);
});

test('records end with LF, CRLF or CR, the last one also with the file', async () => {
  for (const end of ['\n', '\r\n', '\r']) {
    const table = await read(['a,class', '1,x', '2,y'].join(end));
    assert.deepEqual(
      [cells(table.features[0]), targets(table)],
      [
        [1, 2],
        ['x', 'y'],
      ],
      JSON.stringify(end),
    );
  }
});

test('cells keep commas, quotes, line ends and characters beyond ASCII; spaces around them do not count', async () => {
  const table = await read('a,b,class\n"x,y", grün ,1\n"""q""",é日本,2\n"",\u{1f600},1\n');
  assert.deepEqual(cells(table.features[0]), ['x,y', '"q"', undefined]);
  assert.deepEqual(cells(table.features[1]), ['grün', 'é日本', '\u{1f600}']);
});

test('a file much larger than the buffer is read as a whole, records across its borders too', async () => {
  const rows = Array.from(
    { length: 60_000 },
    (_, i) => `${i},"say ""${'ü'.repeat(i % 40)}""\n${i % 7}",${i % 2 ? 'yes' : 'no'}`,
  );
  const fractions: number[] = [];
  const path = join(folder, 'large.csv');
  writeFileSync(path, `a,b,class\n${rows.join('\n')}`);
  const table = await readTable(
    path,
    { name: 'logistic-regression', target: 'class' },
    { maxCategories: 1024, onFraction: (fraction) => fractions.push(fraction) },
  );
  assert.equal(table.rows, 60_000);
  const [a, b] = table.features.map(cells);
  assert.ok(a?.every((value, i) => value === i));
  assert.ok(b?.every((value, i) => value === `say "${'ü'.repeat(i % 40)}"\n${i % 7}`));
  assert.ok(fractions.length > 2 && fractions.at(-1) === 1, `${fractions.length} reports`);
  assert.deepEqual(fractions, fractions.toSorted());
});

test('numbers are those the language reads, to the last digit that float32 has', async () => {
  const texts = ['0', '-0.0', '+7', '.5', '5.', '1e3', '1.5E-7', '123456789012345', '0.1', '3.3999999521443642e38'];
  const more = [
    '1234567890123456789',
    '0.000000000000000000001234',
    '-1e-400',
    '9007199254740993',
    '16777217',
    '0.30000001',
  ];
  const all = [...texts, ...more];
  const table = await read(`a,class\n${all.map((text, i) => `${text},${i % 2}`).join('\n')}\n`);
  assert.deepEqual(
    cells(table.features[0]),
    all.map((text) => Math.fround(Number(text))),
  );
});

test('without features every column but the target is one; with them only those, in that order', async () => {
  const csv = 'a,class,b,c\n1,x,2,3\n1,y,2,3\n';
  const names = (table: Table) => table.features.map(({ name }) => name);
  assert.deepEqual(names(await read(csv)), ['a', 'b', 'c']);
  assert.deepEqual(names(await read(csv, { features: ['c', 'a'] })), ['c', 'a']);
});

test('a name that differs only in case, spaces and units finds its column', async () => {
  const over: Over = { features: ['whole_weight'], featureTypes: { whole_weight: 'category' }, target: 'the class' };
  const table = await read('Whole weight (g),The Class,\n1,x,0\n2,y,0\n', over);
  assert.deepEqual(
    table.features.map(({ name, kind }) => [name, kind]),
    [['Whole weight (g)', 'category']],
  );
});

test('empty cells and the words for them are missing, in numbers and in categories', async () => {
  const missing = ['', 'NA', 'NaN', 'nan', 'null', 'None', '?', '""', '  '];
  const table = await read(`a,b,class\n1,red,x\n${missing.map((word) => `${word},${word},y`).join('\n')}\n2,NAN,x\n`);
  const none = missing.map(() => undefined);
  assert.deepEqual(cells(table.features[0]), [1, ...none, 2]);
  assert.deepEqual(cells(table.features[1]), ['red', ...none, 'NAN']);
  assert.deepEqual(
    table.features.map((column) => column.missing),
    [9, 9],
  );
});

test('a column is a number when every cell is one, else a category; types that are given win', async () => {
  const csv = 'a,b,c,class\n1,1,7,x\n2,x,8,y\n3,3,7,x\n';
  const kinds = (table: Table) => table.features.map(({ kind }) => kind);
  const inferred = await read(csv);
  assert.deepEqual(kinds(inferred), ['number', 'category', 'number']);
  assert.deepEqual(cells(inferred.features[1]), ['1', 'x', '3']);
  const given = await read(csv, { featureTypes: { c: 'category' } });
  assert.deepEqual(cells(given.features[2]), ['7', '8', '7']);
  await assert.rejects(read(csv, { featureTypes: { b: 'number' } }), {
    reason: 'InvalidCell',
    message:
      'line 3, column "b": expected a number, got "x"; mend the cell, or take the column as a category (featureTypes)',
  });
});

test('a text after more numbers than there may be categories is a mistake, not a category', async () => {
  const numbers = Array.from({ length: 300 }, (_, i) => `${i / 4},${i % 2}`).join('\n');
  await assert.rejects(read(`a,class\n${numbers}\nabc,1\n`), {
    reason: 'InvalidCell',
    message: /line 302, column "a": expected a number as in the rows before, got "abc"/,
  });
});

test('a few texts among many numbers are told, with the first of them', async () => {
  const warnings: string[] = [];
  const rows = Array.from({ length: 100 }, (_, i) => `${i},${i % 2}`);
  const table = await read(`a,class\n${rows.join('\n')}\n12 kg,1\n`, {
    onWarning: (message) => warnings.push(message),
  });
  assert.equal(table.features[0]?.kind, 'category');
  assert.match(warnings.join(), /column "a" is taken for categories because of 1 cells .* "12 kg" in line 102/);
});

test('a column that never varies is kept, and told', async () => {
  const warnings: string[] = [];
  const table = await read('a,b,class\n5,1,x\n5,2,y\n', { onWarning: (message) => warnings.push(message) });
  assert.equal(table.features.length, 2);
  assert.deepEqual(warnings, [
    'column "a" is 5 in every row and tells a model nothing; it may be left out with features',
  ]);
});

const column = (values: readonly (string | number)[]) =>
  `a,class\n${values.map((value, i) => `${i},${value}`).join('\n')}\n`;
const repeated = (count: number, of: number, scale = 1) => Array.from({ length: count }, (_, i) => (i % of) * scale);

for (const [what, csv, over, task] of [
  ['text', column(['x', 'y']), {}, 'classification'],
  ['few whole numbers', column(repeated(60, 20)), {}, 'classification'],
  ['more whole numbers', column(repeated(60, 21)), {}, 'regression'],
  ['fractions', column(repeated(60, 3, 0.5)), {}, 'regression'],
  ['more numbers than there are classes', column(repeated(3000, 3000)), {}, 'regression'],
  ['few whole numbers, told otherwise', column(repeated(60, 20)), { task: 'regression' }, 'regression'],
  ['many whole numbers, told otherwise', column(repeated(60, 30)), { task: 'classification' }, 'classification'],
  ['few whole numbers for ridge', column(repeated(60, 3)), { name: 'ridge' }, 'regression'],
  [
    'many whole numbers for logistic regression',
    column(repeated(60, 30)),
    { name: 'logistic-regression' },
    'classification',
  ],
] as const) {
  test(`a target of ${what} is learnt by ${task}`, async () => {
    assert.equal((await read(csv, over)).target.task, task);
  });
}

test('classes that are numbers go by value, all others by code point', async () => {
  const numeric = await read(column(['10', '9', '-1', '010', '9.0']));
  assert.deepEqual(numeric.target.task === 'classification' && numeric.target.labels, ['-1', '9', '10']);
  assert.deepEqual(targets(numeric), ['10', '9', '-1', '10', '9']);
  const named = await read(column(['b', 'Z', 'é', '\u{1f600}', '\uffee', 'a', '1']));
  assert.deepEqual(named.target.task === 'classification' && named.target.labels, [
    ...['1', 'Z', 'a', 'b', 'é', '\uffee', '\u{1f600}'],
  ]);
});

test('quantities keep the digits that float32 would lose, and are read to the last one of a double', async () => {
  const texts = [
    '16777217',
    '0.1',
    '1e30',
    '0.10276579841889205',
    '0.21846955072481550',
    '-123456.789',
    '4.35',
    '0.000001',
  ];
  const table = await read(column(texts), { name: 'ridge' });
  assert.deepEqual(targets(table), texts.map(Number));
});

const bytes = (...parts: (string | number[])[]) =>
  Buffer.concat(parts.map((part) => (typeof part === 'string' ? Buffer.from(part) : Buffer.from(part))));
const categories = (count: number) =>
  `a,class\n${Array.from({ length: count }, (_, i) => `c${i},${i % 2}`).join('\n')}\n`;
const logistic = { name: 'logistic-regression' };
const ridge = { name: 'ridge' };

const refusals: readonly (readonly [
  what: string,
  csv: string | Uint8Array,
  reason: string,
  message: RegExp,
  over?: Over,
])[] = [
  ['infinity', 'a,class\n1,x\ninf,x\n2,y\n', 'InvalidCell', /line 3, column "a": expected a finite number, got "inf"/],
  [
    '-Infinity after many numbers',
    `${column(repeated(300, 300))}\n`.replace('\n299,', '\n-Infinity,'),
    'InvalidCell',
    /line 301, column "a": expected a finite/,
  ],
  [
    '1e999',
    'a,class\n1,x\n1e999,y\n',
    'InvalidCell',
    /line 3, column "a": expected a number below 3.4e38, got "1e999"/,
  ],
  ['what float32 cannot hold', 'a,class\n1e39,x\n1,y\n', 'InvalidCell', /line 2, column "a": .* below 3.4e38/],
  [
    'hexadecimal for a number',
    'a,class\n0x10,x\n',
    'InvalidCell',
    /expected a number, got "0x10"/,
    { featureTypes: { a: 'number' } },
  ],
  ['no class', 'a,class\n1,x\n1,\n', 'InvalidCell', /line 3, target column "class": expected a class, got nothing; /],
  [
    'no quantity',
    'a,class\n1,1\n1,NA\n',
    'InvalidCell',
    /line 3, target column "class": expected a number, got nothing/,
    ridge,
  ],
  [
    'a class for a quantity',
    'a,class\n1,1\n1,x\n',
    'InvalidCell',
    /line 3, target column "class": expected a number, got "x"/,
    ridge,
  ],
  [
    'an infinite quantity',
    'a,class\n1,1\n1,inf\n',
    'InvalidCell',
    /line 3, target column "class": expected a finite number/,
    ridge,
  ],
  [
    'a quantity that no model can answer',
    'a,class\n1,1\n1,1e39\n',
    'InvalidCell',
    /line 3, target column "class": .* below 3.4e38/,
    ridge,
  ],
  [
    'a column named like that of the held-out rows',
    'a,__target__,class\n1,2,x\n',
    'InvalidCell',
    /line 1, column 2: .*"__target__" is taken/,
  ],
  [
    'a name as long as a letter',
    `${'x'.repeat(257)},class\n1,x\n`,
    'InvalidCell',
    /line 1, column 1: expected a name of at most 256/,
  ],
  [
    'a cell too many',
    'a,class\n1,x\n1,x,2\n',
    'InvalidCell',
    /line 3: expected 2 cells as in the header, got 3; a cell with a comma/,
  ],
  ['a cell too few', 'a,b,class\n1,2,x\n1,x\n', 'InvalidCell', /line 3: expected 3 cells as in the header, got 2/],
  ['a ragged row after a quoted line end', 'a,class\n"1\n",x\n1\n', 'InvalidCell', /line 4: expected 2 cells/],
  ['an open quote', 'a,class\n1,x\n"1,x\n2,y\n', 'InvalidCell', /line 3: expected a closing quote/],
  [
    'text behind a closing quote',
    'a,class\n"1"2,x\n',
    'InvalidCell',
    /line 2: expected a comma or the end of the line/,
  ],
  ['a quote inside a cell', 'a,class\n1"2,x\n', 'InvalidCell', /line 2: expected a quote only at the beginning/],
  ['a name twice', 'a,a,class\n1,2,x\n', 'InvalidCell', /line 1, column 2: .*"a" a second time/],
  ['a column without a name', ',a,class\n0,1,x\n', 'InvalidCell', /line 1, column 1: .* got none; .*index=False/],
  ['no such target', 'a,b\n1,2\n', 'TargetNotFound', /target "class" is not a column; the columns are "a", "b"$/],
  ['another separator', 'a;class\n1;x\n', 'TargetNotFound', /seems to be separated by ";": separate it by commas/],
  ['no such feature', 'a,class\n1,x\n', 'FeatureNotFound', /feature "z" is not a column/, { features: ['z'] }],
  [
    'a type for no feature',
    'a,b,class\n1,1,x\n',
    'FeatureNotFound',
    /featureTypes: "b" is not one of the features/,
    { features: ['a'], featureTypes: { b: 'number' } },
  ],
  ['the target as a feature', 'a,class\n1,x\n', 'FeatureNotFound', /is the target/, { features: ['class'] }],
  ['only a target', 'class\nx\n', 'FeatureNotFound', /no column besides the target/],
  [
    'more features than a signature lists',
    `${Array.from({ length: 1025 }, (_, i) => `c${i}`)},class\n`,
    'InvalidConfiguration',
    /at most 1024 columns, got 1025/,
  ],
  [
    'a column without any value',
    'a,b,class\n1,,x\n2,NA,y\n',
    'InvalidCell',
    /column "b": expected values, but all 2 cells are missing; leave/,
  ],
  ['an empty file', '', 'EmptyInput', /is empty; expected a header/],
  ['empty lines alone', '\n\r\n\n', 'EmptyInput', /is empty; expected a header/],
  ['a header alone', 'a,class\n', 'EmptyInput', /only a header/],
  [
    'one class',
    'a,class\n1,x\n2,x\n',
    'InvalidTarget',
    /target column "class": expected at least two classes, got only "x"/,
  ],
  ['one number for classes', 'a,class\n1,3\n2,3.0\n', 'InvalidTarget', /got only "3"/, logistic],
  [
    'a quantity that does not vary',
    'a,class\n1,3\n2,3\n',
    'InvalidTarget',
    /expected a quantity that varies, got 3/,
    ridge,
  ],
  [
    'too many classes',
    column(repeated(1025, 1025)),
    'InvalidTarget',
    /line 1026, target column "class": expected at most 1024 classes/,
    logistic,
  ],
  [
    'too many categories',
    categories(256),
    'TooManyCategories',
    /line 257, column "a": expected at most 255 different texts.*features, or raise max_categories/,
  ],
  [
    'ten thousand categories',
    categories(10_000),
    'TooManyCategories',
    /at most 1024 different/,
    { maxCategories: 1024 },
  ],
  [
    'a category as long as a letter',
    `a,class\n${'x'.repeat(257)},1\n`,
    'InvalidCell',
    /line 2, column "a": expected a text of at most 256/,
  ],
  [
    'bytes that are no text',
    bytes('a,class\n1,x\n2,', [0xe4], '\n3,y\n'),
    'InvalidCell',
    /line 3: expected text in UTF-8/,
  ],
  ['half a character at the end', bytes('a,class\n1,x\n2,', [0xc3]), 'InvalidCell', /line 3: expected text in UTF-8/],
  ['NUL bytes', bytes('a,class\n1,x\n', [0, 0, 0], ',y\n'), 'InvalidCell', /line 3: expected text in UTF-8/],
  ['gzip', bytes([0x1f, 0x8b, 8, 0, 0, 0, 0]), 'InvalidCell', /line 1: expected CSV text, got a gzip file; unpack/],
  ['an Excel workbook', bytes('PK', [3, 4, 0, 0, 0xff]), 'InvalidCell', /an Excel workbook; save the sheet as CSV/],
  ['UTF-16', bytes([0xff, 0xfe, 0x61, 0, 0x2c, 0]), 'InvalidCell', /UTF-16 text; save it as UTF-8/],
  [
    'junk',
    bytes(Array.from({ length: 4000 }, (_, i) => (i * 7919 + 131) % 256)),
    'InvalidCell',
    /line 1: expected text in UTF-8/,
  ],
  [
    'half a Parquet file',
    bytes('PAR1', [1, 2, 3, 4, 5, 6, 7, 8, 9]),
    'InvalidCell',
    /the Parquet file cannot be read: /,
  ],
  [
    'a task the algorithm cannot do',
    'a,class\n1,x\n',
    'InvalidConfiguration',
    /task regression: logistic-regression can do classification only/,
    { ...logistic, task: 'regression' },
  ],
];

for (const [what, csv, reason, message, over] of refusals) {
  test(`${what} is refused as ${reason}`, async () => {
    await assert.rejects(read(csv, over), { name: 'FailureError', reason, message });
  });
}

const parquet = (file: string, over: Over = {}) =>
  readTable(
    join(import.meta.dirname, 'testing', file),
    { name: 'random-forest', target: 'class', ...over },
    { maxCategories: 255 },
  );

for (const codec of ['snappy', 'gzip', 'zstd', 'brotli']) {
  test(`a Parquet file compressed by ${codec} is read row group by row group`, async () => {
    const table = await parquet(`${codec}.parquet`);
    assert.deepEqual(table.features.map(cells), [
      [1.5, undefined, 2.5, undefined, 4, 0.25],
      [1, 2, 3, 4, 5, undefined],
      ['red', 'blue', undefined, 'red', 'é', 'blue'],
      ['true', 'false', 'true', undefined, 'true', 'false'],
    ]);
    assert.deepEqual(targets(table), ['a', 'b', 'a', 'b', 'a', 'b']);
  });
}

test('columns of a Parquet file can be given a type, and a target can be a number', async () => {
  const table = await parquet('snappy.parquet', { featureTypes: { count: 'category' }, features: ['count'] });
  assert.deepEqual(cells(table.features[0]), ['1', '2', '3', '4', '5', undefined]);
  await assert.rejects(parquet('snappy.parquet', { target: 'count' }), {
    reason: 'InvalidCell',
    message: /row 6, target column "count": expected a class, got nothing/,
  });
  await assert.rejects(parquet('dates.parquet'), {
    reason: 'InvalidCell',
    message: /row 1, column "when": .* got a date/,
  });
});

test('whatever one byte of a Parquet file has become, it is read or refused in words', async () => {
  const whole = readFileSync(join(import.meta.dirname, 'testing', 'snappy.parquet'));
  for (let at = 0; at < whole.length; at++) {
    const broken = Buffer.from(whole);
    broken[at] = 0xff - (whole[at] as number);
    const error = await read(broken).catch((reason: unknown) => reason);
    assert.ok(!(error instanceof Error) || error.name === 'FailureError', `byte ${at}: ${error}`);
  }
});
