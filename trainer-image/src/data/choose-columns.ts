/** Which columns of a table are learnt from, and which one is learnt. */
import { type Algorithm, type FeatureType, normalizedName, TARGET_COLUMN } from '@slipway/contract';
import { FailureError, listed, quoted } from '../failure.ts';

export interface Columns {
  readonly target: number;
  readonly features: readonly number[];
  /** As they stand in the header. */
  readonly featureNames: readonly string[];
}

/** The column of that name; else the only one that differs in case, spaces, punctuation and units alone. */
function find(header: readonly string[], name: string): number | undefined {
  const exact = header.indexOf(name);
  if (exact !== -1) return exact;
  const alike = header.flatMap((column, i) => (normalizedName(column) === normalizedName(name) ? [i] : []));
  return alike.length === 1 ? alike[0] : undefined;
}

function known(header: readonly string[]): string {
  const separator = header.length === 1 ? /[;\t|]/.exec(header[0] as string)?.[0] : undefined;
  const hint = separator ? `; the file seems to be separated by ${quoted(separator)}: separate it by commas` : '';
  return `the columns are ${listed(header.map((name) => quoted(name)))}${hint}`;
}

/** What a signature may list. */
const MOST_FEATURES = 1024;
const LONGEST_NAME = 256;

/** Without `features` every column but the target is one. Throws TargetNotFound, FeatureNotFound, InvalidCell (header). */
export function chooseColumns(header: readonly string[], algorithm: Algorithm): Columns {
  checkHeader(header);
  const target = find(header, algorithm.target);
  if (target === undefined) {
    throw new FailureError('TargetNotFound', `target ${quoted(algorithm.target)} is not a column; ${known(header)}`);
  }
  const features = algorithm.features?.map((name) => {
    const column = find(header, name);
    if (column !== undefined && column !== target) return column;
    const why = column === target ? 'is the target' : 'is not a column';
    throw new FailureError('FeatureNotFound', `feature ${quoted(name)} ${why}; ${known(header)}`);
  });
  const chosen = features ?? header.flatMap((_, i) => (i === target ? [] : [i]));
  const twice = chosen.find((column, i) => chosen.indexOf(column) !== i);
  if (chosen.length === 0 || twice !== undefined) {
    const what = twice === undefined ? 'there is no column besides the target' : `${quoted(header[twice] ?? '')} twice`;
    throw new FailureError('FeatureNotFound', `features: expected at least one column, each once, got ${what}`);
  }
  for (const column of chosen) checkName(header[column] as string, column);
  if (chosen.length > MOST_FEATURES) {
    throw new FailureError(
      'InvalidConfiguration',
      `features: expected at most ${MOST_FEATURES} columns, got ${chosen.length}; name those to learn from with features`,
    );
  }
  return { target, features: chosen, featureNames: chosen.map((column) => header[column] as string) };
}

/** The type a column was given by `featureTypes`, by its number. Throws FeatureNotFound for a name that is no feature. */
export function chosenTypes(
  header: readonly string[],
  columns: Columns,
  types: Algorithm['featureTypes'] = {},
): ReadonlyMap<number, FeatureType> {
  return new Map(
    Object.entries(types).map(([name, type]) => {
      const column = find(header, name);
      if (column !== undefined && columns.features.includes(column)) return [column, type] as const;
      const why = column === undefined ? 'is not a column' : 'is not one of the features';
      throw new FailureError('FeatureNotFound', `featureTypes: ${quoted(name)} ${why}; ${known(header)}`);
    }),
  );
}

/** Of a feature: it becomes the name of an input of the model. */
function checkName(name: string, column: number): void {
  const unnamed =
    'a header of names, got none; name it, or name the columns to learn from with features (pandas writes such a column ' +
    'unless told index=False)';
  const long = `a name of at most ${LONGEST_NAME} characters, got ${name.length}; rename it`;
  const reserved = `another name, ${quoted(TARGET_COLUMN)} is taken; rename it`;
  const expected =
    name === '' ? unnamed : name.length > LONGEST_NAME ? long : name === TARGET_COLUMN ? reserved : undefined;
  if (expected === undefined) return;
  throw new FailureError('InvalidCell', `line 1, column ${column + 1}: expected ${expected}`);
}

function checkHeader(header: readonly string[]): void {
  header.forEach((name, i) => {
    if (name === '' || header.indexOf(name) === i) return;
    throw new FailureError(
      'InvalidCell',
      `line 1, column ${i + 1}: expected a header of distinct names, got ${quoted(name)} a second time; rename one`,
    );
  });
}
