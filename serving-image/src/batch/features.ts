/** What of a row goes to the model: its features by name, as the types the model takes. */
import { normalizedName } from '@slipway/contract';
import { FailureError } from '../failure.ts';
import { exactly, type Row } from './rows.ts';
import type { Feature } from './service.ts';

export interface SelectFeatures {
  /** A row as the model is asked about it. */
  (row: Row): Row;
  /** The whole row, what are numbers and truth values to the model being such: texts only in a CSV file are none. */
  readonly typed: (row: Row) => Row;
}

/**
 * Finds each feature's column by its exact name, else by its normalised one, in the first row; other columns are not sent.
 * A column that is missing is left out, for the model to refuse or to take as missing. Throws FeatureNotFound when none is there.
 */
export function featureSelector(features: readonly Feature[], first: Row, isText: boolean): SelectFeatures {
  const columns = Object.keys(first);
  const pairs = features.flatMap((feature) => {
    const column = columns.find((name) => name === feature.name) ?? looseMatch(feature.name, columns);
    return column === undefined ? [] : [{ feature, column }];
  });
  if (pairs.length === 0) {
    const [wanted, got] = [features.map(({ name }) => name), columns].map((names) => names.slice(0, 8).join(', '));
    throw new FailureError(
      'FeatureNotFound',
      `the input has no column of the model: it takes ${wanted}; there are ${got}`,
    );
  }
  const valueIn = (row: Row, { feature, column }: (typeof pairs)[number]): unknown =>
    isText ? typed(row[column], feature) : row[column];
  const select = (row: Row): Row => Object.fromEntries(pairs.map((pair) => [pair.feature.name, valueIn(row, pair)]));
  return Object.assign(select, {
    typed: (row: Row): Row =>
      isText ? { ...row, ...Object.fromEntries(pairs.map((pair) => [pair.column, valueIn(row, pair)])) } : row,
  });
}

function looseMatch(name: string, columns: readonly string[]): string | undefined {
  const matches = columns.filter((column) => normalizedName(column) === normalizedName(name));
  return matches.length === 1 ? matches[0] : undefined;
}

/** A CSV cell as the type it stands for; what is no such thing stays text, for the model to refuse. */
function typed(cell: unknown, { type }: Feature): unknown {
  if (typeof cell !== 'string' || type === 'string') return cell;
  const text = cell.trim();
  if (text === '') return null;
  if (type === 'bool') return { true: true, false: false, '1': true, '0': false }[text.toLowerCase()] ?? cell;
  const number = Number(text);
  if (!Number.isFinite(number)) return cell;
  return Number.isInteger(number) && !Number.isSafeInteger(number) && DIGITS.test(text) ? exactly(text) : number;
}

/** As JSON writes an integer. */
const DIGITS = /^-?[1-9]\d*$/;
