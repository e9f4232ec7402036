/**
 * A data set from a file: CSV (RFC 4180, with a header) or Parquet, told apart by the file's first bytes. It is read once
 * and kept by column in typed arrays; its text is never in memory as a whole.
 */
import { open } from 'node:fs/promises';
import type { Algorithm } from '@slipway/contract';
import { quoted } from '../failure.ts';
import type { CategoryColumn, FeatureColumn, NumberColumn, Table } from '../model.ts';
import { type Columns, chooseColumns, chosenTypes } from './choose-columns.ts';
import { type BuiltColumn, ColumnBuilder, type ColumnRules } from './column-builder.ts';
import { type Header, readCsv } from './read-csv.ts';
import { readParquet } from './read-parquet.ts';
import { MOST_CLASSES, targetFrom, taskOf } from './target.ts';

export interface TableOptions {
  /** A text feature with more different values is refused. */
  readonly maxCategories: number;
  /** Told how much of the file was read, 0 … 1. */
  readonly onFraction?: (fraction: number) => void;
  /** Told of what works but may not be what is meant, as a sentence that names the column. */
  readonly onWarning?: (message: string) => void;
}

export interface Builders {
  readonly columns: Columns;
  readonly target: ColumnBuilder;
  readonly features: readonly ColumnBuilder[];
  /** For every column of the header its builder; undefined: the column is not wanted. */
  readonly byColumn: readonly (ColumnBuilder | undefined)[];
}

/** A header and what is wanted of it become one builder for every column that is. Throws as `chooseColumns` does. */
function buildersFor(header: Header, algorithm: Algorithm, maxCategories: number, unit: ColumnRules['unit']): Builders {
  const { names, areNumbers, expectedRows } = header;
  const columns = chooseColumns(names, algorithm);
  const types = chosenTypes(names, columns, algorithm.featureTypes);
  const task = taskOf(algorithm);
  const shared = { expectedRows, unit };
  const features = columns.features.map((column) => {
    const type = types.get(column) ?? (areNumbers[column] ? 'number' : undefined);
    return new ColumnBuilder({ ...shared, name: names[column] as string, type, maxCategories, isTarget: false });
  });
  const target = new ColumnBuilder({
    ...shared,
    name: names[columns.target] as string,
    type: task && ({ classification: 'category', regression: 'number' } as const)[task],
    maxCategories: MOST_CLASSES,
    isTarget: true,
  });
  const byColumn = names.map((_, i) => (i === columns.target ? target : features[columns.features.indexOf(i)]));
  return { columns, target, features, byColumn };
}

const byCodePoint = (a: string, b: string): number => Buffer.compare(Buffer.from(a), Buffer.from(b));

function categoryColumn(name: string, missing: number, texts: NonNullable<BuiltColumn['texts']>): CategoryColumn {
  const categories = texts.names.toSorted(byCodePoint);
  const placeOf = new Map(categories.map((category, place) => [category, place]));
  const places = texts.names.map((text) => placeOf.get(text) as number);
  const { ids } = texts;
  for (let row = 0; row < ids.length; row++) {
    const id = ids[row] as number;
    if (id >= 0) ids[row] = places[id] as number;
  }
  return { kind: 'category', name, ids, categories, missing };
}

/** Fewer than one text in so many cells looks like a mistake in a column of numbers. */
const RARE = 20;

function featureFrom(builder: ColumnBuilder, rows: number, warn: (message: string) => void): FeatureColumn {
  const { name, unit } = builder.rules;
  const built = builder.built();
  const { missing, numbers, texts, firstText, textCells } = built;
  if (numbers) {
    const column: NumberColumn = { kind: 'number', name, values: numbers as Float32Array, missing };
    warnIfConstant(column, warn);
    return column;
  }
  if (builder.rules.type === undefined && firstText && textCells * RARE < rows - missing) {
    warn(
      `column ${quoted(name)} is taken for categories because of ${textCells} cells that are no numbers, the first ` +
        `${quoted(firstText.text)} in ${unit} ${firstText.place}; mend them, or set its feature type`,
    );
  }
  return categoryColumn(name, missing, texts as NonNullable<BuiltColumn['texts']>);
}

function warnIfConstant({ name, values }: NumberColumn, warn: (message: string) => void): void {
  const first = values.find((value) => !Number.isNaN(value));
  if (values.every((value) => value === first || Number.isNaN(value))) {
    warn(`column ${quoted(name)} is ${first} in every row and tells a model nothing; it may be left out with features`);
  }
}

async function isParquet(path: string): Promise<boolean> {
  const file = await open(path);
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(4), 0, 4, 0);
    return bytesRead === 4 && buffer.toString('latin1') === 'PAR1';
  } finally {
    await file.close();
  }
}

/**
 * Reads the file at `path`. A feature is what `featureTypes` says, else a number when every cell of it that is not missing
 * is one, else a category. Throws EmptyInput, TargetNotFound, FeatureNotFound, InvalidTarget, TooManyCategories and, for
 * the first cell that is wrong, InvalidCell naming column and line.
 */
export async function readTable(
  path: string,
  algorithm: Algorithm,
  { maxCategories, onFraction = () => {}, onWarning = () => {} }: TableOptions,
): Promise<Table> {
  const parquet = await isParquet(path);
  let builders: Builders | undefined;
  const rows = await (parquet ? readParquet : readCsv)(path, {
    onHeader: (header) => {
      builders = buildersFor(header, algorithm, maxCategories, parquet ? 'row' : 'line');
      return { columns: builders.byColumn };
    },
    onFraction,
  });
  const { target, features } = builders as unknown as Builders;
  const targetName = target.rules.name;
  return {
    rows,
    target: targetFrom(targetName, target.built(), taskOf(algorithm)),
    targetName,
    features: features.map((feature) => featureFrom(feature, rows, onWarning)),
  };
}
