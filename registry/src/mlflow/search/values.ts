/** What a field is compared with, checked by the kind of the field. Pure; throws ApiError that points at the token. */
import type { NumberComparator, Test, TextComparator } from '@slipway/database';
import type { Comparison } from './comparisons.ts';
import { quotedValue, refuse, shortened } from './lexer.ts';

const NUMBER: readonly string[] = ['>=', '=', '<', '<=', '>', '!='];
const TEXT: readonly string[] = ['!=', '=', 'LIKE', 'ILIKE'];
const LIST: readonly string[] = ['IN', 'NOT IN'];
const PRESENCE: readonly string[] = ['IS NULL', 'IS NOT NULL'];

/** `invalidComparator`: what clients know a refused comparator by, where it is not the usual text. */
type InvalidComparator = (comparator: string, valid: readonly string[]) => string;

const usual: InvalidComparator = (comparator, valid) =>
  `Invalid comparator '${comparator}' not one of '{${valid.map((each) => `'${each}'`).join(', ')}}'`;

const refuseComparator = (comparison: Comparison, valid: readonly string[], text: InvalidComparator = usual): Error =>
  refuse(text(comparison.comparator, valid), comparison.source, comparison.comparatorToken);

/** The value as it was written. */
const shownValue = ({ right, rightToken, source }: Comparison): string => {
  if (!Array.isArray(right)) return rightToken?.text ?? '';
  const start = rightToken?.start ?? 0;
  return source.text.slice(start, source.text.indexOf(')', start) + 1);
};

/** A number that is written as one. `expected` begins the refusal of anything else. */
export function numberTest(comparison: Comparison, expected: string, invalidComparator?: InvalidComparator): Test {
  const token = comparison.rightToken;
  if (comparison.right === undefined) throw refuseComparator(comparison, NUMBER, invalidComparator);
  if (token?.kind !== 'number')
    throw refuse(`${expected}. Found ${shortened(shownValue(comparison))}`, comparison.source, token);
  if (!NUMBER.includes(comparison.comparator)) throw refuseComparator(comparison, NUMBER, invalidComparator);
  return { kind: 'number', comparator: comparison.comparator as NumberComparator, value: Number(token.text) };
}

interface TextRules {
  /** Begins the refusal of a value that is no quoted string. */
  readonly expected: string;
  /** Whether the field takes lists; a text: no, and this says which do. */
  readonly lists: true | string;
  /** Whether it takes IS NULL; a text: no, and this says what does. */
  readonly presence: true | string;
  readonly invalidComparator?: InvalidComparator;
}

function listTest(comparison: Comparison, values: readonly string[], rules: TextRules): Test {
  if (rules.lists !== true) throw refuse(rules.lists, comparison.source, comparison.rightToken);
  if (!LIST.includes(comparison.comparator)) throw refuseComparator(comparison, LIST, rules.invalidComparator);
  return { kind: 'list', comparator: comparison.comparator as 'IN' | 'NOT IN', values };
}

const validFor = (rules: TextRules): string[] => [
  ...TEXT,
  ...(rules.lists === true ? LIST : []),
  ...(rules.presence === true ? PRESENCE : []),
];

/** A quoted string, and whatever else the rules allow. */
export function textTest(comparison: Comparison, rules: TextRules): Test {
  const { right, comparator, source } = comparison;
  if (right === undefined) {
    if (rules.presence !== true) throw refuse(rules.presence, source, comparison.comparatorToken);
    return { kind: 'presence', comparator: comparator as 'IS NULL' | 'IS NOT NULL' };
  }
  if (!('kind' in right)) return listTest(comparison, right, rules);
  const value = quotedValue(right);
  if (value === undefined && right.kind === 'identifier')
    throw refuse(
      `Parameter value is either not quoted or unidentified quote types used for string value ${shortened(right.text)}. Use either single or double quotes`,
      source,
      right,
    );
  if (value === undefined) throw refuse(`${rules.expected}. Got value ${shortened(right.text)}`, source, right);
  if (!TEXT.includes(comparator)) throw refuseComparator(comparison, validFor(rules), rules.invalidComparator);
  return { kind: 'text', comparator: comparator as TextComparator, value };
}

/** Rules for tags and params; `presence` as in TextRules. */
export const pairRules = (kind: 'tag' | 'parameter', presence: TextRules['presence']): TextRules => {
  const expected = `Expected a quoted string value for ${kind} (e.g. 'my-value')`;
  return { expected, lists: `${expected}. Got a list`, presence };
};

/** A whole number, where `allowQuoted` says so also in quotes. */
export function integerTest(
  comparison: Comparison,
  key: string,
  allowQuoted: boolean,
  invalidComparator?: InvalidComparator,
): Test {
  const { right, source } = comparison;
  const token = right !== undefined && 'kind' in right ? right : undefined;
  const quoted = token && allowQuoted ? quotedValue(token) : undefined;
  const text = quoted ?? (token?.kind === 'number' ? token.text : undefined);
  if (text === undefined)
    return numberTest(comparison, `Expected numeric value type for numeric attribute: ${key}`, invalidComparator);
  if (!/^-?\d+$/.test(text.trim()))
    throw refuse(`Invalid value for numeric attribute '${key}': '${shortened(text)}'`, source, token);
  if (!NUMBER.includes(comparison.comparator)) throw refuseComparator(comparison, NUMBER, invalidComparator);
  return { kind: 'number', comparator: comparison.comparator as NumberComparator, value: Number(text) };
}
