/** What is known of the served model, for the document that describes the server: columns, what they may hold, real rows. */
import { closeSync, fstatSync, openSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type InputColumn, PROFILE_FILE } from '@slipway/contract';
import { z } from 'zod';
import { inputIndex } from '../model/binding.ts';
import { modelFileOf, readExamples } from '../model/files.ts';
import { readMLmodel } from '../model/mlmodel.ts';
import { type Categories, categoriesByTensor } from '../model/onnx/nodes.ts';
import { fileBytes } from '../model/onnx/wire.ts';
import { fixedRows } from '../model/rows.ts';
import type { ServedModel } from '../model/served-model.ts';

export type Value = number | string | boolean | null;
export type Row = Readonly<Record<string, Value>>;

export interface DescribedColumn extends InputColumn {
  /** The least and the greatest number it had when the model was trained. */
  readonly range?: readonly [number, number];
}

export interface ModelFacts {
  readonly columns: readonly DescribedColumn[];
  /** Rows the model answers: its own examples, or made up. As many as one request may hold and one can take in at a glance. */
  readonly rows: readonly Row[];
  /** They came with the model. */
  readonly areOwn: boolean;
}

const SHOWN_ROWS = 2;
/** A model of fixed rows beyond this has no example: nobody would read it. */
const MOST_ROWS = 64;

/** Reads what lies beside the model in `dir`; what is missing or broken there is made up. Never throws for that. */
export async function factsOf(model: ServedModel, dir: string): Promise<ModelFacts> {
  const [ranges, texts, own] = await Promise.all([trainingRanges(dir), textsOfModel(dir), ownRows(dir)]);
  const columns = model.signature.inputs.map((column): DescribedColumn => {
    const range = ranges.get(column.name);
    const input = model.inputs[inputIndex(column.name, model.inputs)];
    const known = column.categories ?? texts.get(input?.name ?? '')?.known;
    return { ...column, ...(range && { range }), ...(known && known.length <= 1024 && { categories: [...known] }) };
  });
  const kept = takes(model, filled(own, model));
  const rows = kept ?? takes(model, filled([madeUp(columns, 0), madeUp(columns, 1)], model)) ?? [];
  return { columns, rows, areOwn: kept !== undefined };
}

/** As many rows as a request should show: the model may take them only in groups. */
function filled(rows: readonly Row[], model: ServedModel): readonly Row[] {
  const size = fixedRows(model.inputs) ?? Math.min(rows.length, SHOWN_ROWS);
  if (rows.length === 0 || size > Math.min(MOST_ROWS, model.maxRows)) return [];
  return Array.from({ length: size }, (_, i) => rows[i % rows.length] as Row);
}

function takes(model: ServedModel, rows: readonly Row[]): readonly Row[] | undefined {
  if (rows.length === 0) return undefined;
  try {
    model.encode(rows);
    return rows;
  } catch {
    return undefined;
  }
}

const ownRows = async (dir: string): Promise<readonly Row[]> => {
  const examples = await readExamples(dir).catch(() => undefined);
  if (examples && examples.inputs.length > 0) return examples.inputs;
  return (await mlflowRows(dir).catch(() => undefined)) ?? [];
};

const Cell = z.union([z.number(), z.string(), z.boolean(), z.null()]);
const Split = z.object({ columns: z.array(z.string()).min(1), data: z.array(z.array(Cell)).min(1) });

/** `input_example.json`, where mlflow keeps the rows it was given when the model was logged. */
async function mlflowRows(dir: string): Promise<readonly Row[]> {
  const { columns, data } = Split.parse(JSON.parse(await readFile(join(dir, 'input_example.json'), 'utf8')));
  return data.slice(0, SHOWN_ROWS).map((row) => Object.fromEntries(columns.map((name, i) => [name, row[i] ?? null])));
}

const Profile = z.object({
  version: z.literal(1),
  features: z.array(z.object({ name: z.string(), min: z.number().optional(), max: z.number().optional() })),
});

async function trainingRanges(dir: string): Promise<ReadonlyMap<string, readonly [number, number]>> {
  const text = await readFile(join(dir, PROFILE_FILE), 'utf8').catch(() => undefined);
  if (text === undefined) return new Map();
  try {
    const { features } = Profile.parse(JSON.parse(text));
    return new Map(
      features.flatMap(({ name, min, max }) => (min === undefined || max === undefined ? [] : [[name, [min, max]]])),
    );
  } catch {
    return new Map();
  }
}

/** The texts the graph's own operators know, by tensor. */
async function textsOfModel(dir: string): Promise<ReadonlyMap<string, Categories>> {
  let fd: number | undefined;
  try {
    const files = (await readdir(dir, { recursive: true })).map((path) => ({ path }));
    fd = openSync(join(dir, modelFileOf(files, await readMLmodel(dir))), 'r');
    return categoriesByTensor(fileBytes(fd, fstatSync(fd).size));
  } catch {
    return new Map();
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}

const madeUp = (columns: readonly DescribedColumn[], row: number): Row =>
  Object.fromEntries(columns.map((column, i) => [column.name, madeUpValue(column, row, i)]));

function madeUpValue({ type, categories, range }: DescribedColumn, row: number, column: number): Value {
  if (type === 'string') return categories?.[row % Math.max(1, categories.length)] ?? 'text';
  if (type === 'bool') return row % 2 === 0;
  const isWhole = type === 'int32' || type === 'int64';
  if (range) {
    const [least, most] = range;
    const value = least + (most - least) * (row === 0 ? 0.5 : 0.25);
    return isWhole ? Math.round(value) : Number(value.toPrecision(3));
  }
  return isWhole ? 1 + row : 1 + row + (column % 5) / 2;
}
