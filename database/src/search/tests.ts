/** Comparisons as SQL. Everything that came from a request is a parameter. */
import type { NumberComparator, Test } from './ast.ts';
import type { Parameters } from './parameters.ts';

const wrong = (test: Test, column: string): never => {
  throw new Error(`A test of kind ${test.kind} was parsed for the ${column} column`);
};

/** A pattern that ends in the middle of an escape is no pattern to Postgres: the last backslash stands for itself. */
const likePattern = (value: string): string => (/(?:^|[^\\])(?:\\\\)*\\$/.test(value) ? `${value}\\` : value);

/** `hashed`: the index of this column is on md5(value), because values may be longer than an index entry. */
export function textTest(column: string, test: Test, into: Parameters, options: { hashed?: boolean } = {}): string {
  if (test.kind === 'list')
    return `${column} ${test.comparator === 'IN' ? '= ANY' : '<> ALL'} (${into.add(test.values)}::text[])`;
  if (test.kind !== 'text') return wrong(test, 'text');
  if (test.comparator === 'LIKE' || test.comparator === 'ILIKE')
    return `${column} ${test.comparator} ${into.add(likePattern(test.value))}::text`;
  const value = `${into.add(test.value)}::text`;
  if (test.comparator === '!=') return `${column} <> ${value}`;
  return options.hashed ? `md5(${column}) = md5(${value}) AND ${column} = ${value}` : `${column} = ${value}`;
}

/** NaN differs from everything and is neither less nor greater; Postgres puts it above infinity. */
export function doubleTest(column: string, test: Test, into: Parameters): string {
  if (test.kind !== 'number') return wrong(test, 'double');
  const value = `${into.add(test.value)}::double precision`;
  if (test.comparator === '!=') return `${column} <> ${value}`;
  const holds = `${column} ${test.comparator} ${value}`;
  return test.comparator.startsWith('>') ? `${holds} AND ${column} < 'NaN'` : holds;
}

export function integerTest(column: string, test: Test, into: Parameters): string {
  if (test.kind === 'list')
    return `${column} ${test.comparator === 'IN' ? '= ANY' : '<> ALL'} (${into.add(test.values)}::numeric[])`;
  if (test.kind !== 'number') return wrong(test, 'integer');
  // An index of integers takes integers.
  const type = Number.isInteger(test.value) && Math.abs(test.value) < 2 ** 31 ? 'integer' : 'double precision';
  return `${column} ${test.comparator === '!=' ? '<>' : test.comparator} ${into.add(test.value)}::${type}`;
}

/** Outside of these Postgres has no timestamps; every time that is stored lies between them. */
const EARLIEST = -62_000_000_000_000;
const LATEST = 8_000_000_000_000_000;

/** The first millisecond that makes `time < at` the same as the comparison `time <comparator> value` (or its negation). */
const boundary = (comparator: NumberComparator, value: number): number => {
  const at = comparator === '>' || comparator === '<=' ? Math.floor(value) + 1 : Math.ceil(value);
  return Math.min(LATEST, Math.max(EARLIEST, at));
};

/** Clients know times in whole milliseconds; what is stored may be finer. */
export function timeTest(column: string, test: Test, into: Parameters): string {
  if (test.kind !== 'number') return wrong(test, 'time');
  const { comparator, value } = test;
  const at = (millis: number) => `to_timestamp(${into.add(millis)}::double precision / 1000)`;
  if (comparator === '<' || comparator === '<=') return `${column} < ${at(boundary(comparator, value))}`;
  if (comparator === '>' || comparator === '>=') return `${column} >= ${at(boundary(comparator, value))}`;
  const from = at(boundary('>=', value));
  const to = at(boundary('<=', value));
  return comparator === '='
    ? `${column} >= ${from} AND ${column} < ${to}`
    : `(${column} < ${from} OR ${column} >= ${to})`;
}
