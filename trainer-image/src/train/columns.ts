/** Which columns of a table are learnt from, and which one is learnt. */
import { type Algorithm, normalizedName } from '@slipway/contract';
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

const known = (header: readonly string[]) => `the columns are ${listed(header.map((name) => quoted(name)))}`;

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
  return { target, features: chosen, featureNames: chosen.map((column) => header[column] as string) };
}

function checkHeader(header: readonly string[]): void {
  header.forEach((name, i) => {
    const problem = name === '' ? 'no name' : header.indexOf(name) !== i ? `${quoted(name)} a second time` : undefined;
    if (problem === undefined) return;
    throw new FailureError(
      'InvalidCell',
      `line 1, column ${i + 1}: expected a header of distinct names, got ${problem}`,
    );
  });
}
