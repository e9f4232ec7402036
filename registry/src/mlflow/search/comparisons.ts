/** A filter as comparisons: what every entity's grammar has in common. Pure. */
import { quotedValue, refuse, type Source, shortened, type Token, tokensOf } from './lexer.ts';

export interface Comparison {
  readonly source: Source;
  readonly left: Token;
  /** In capitals: `=`, `NOT IN`, `IS NULL`, also ones that no grammar knows. */
  readonly comparator: string;
  readonly comparatorToken: Token;
  /** Nothing after IS NULL, a list after a parenthesis. */
  readonly right: Token | readonly string[] | undefined;
  readonly rightToken: Token | undefined;
}

const isWord = (token: Token | undefined, word: string): boolean =>
  token?.kind === 'identifier' && token.text.toUpperCase() === word;

interface Operator {
  readonly name: string;
  readonly length: number;
}

/** Comparators of several words, longest first. */
const worded: readonly (readonly string[])[] = [
  ['IS', 'NOT', 'NULL'],
  ['IS', 'NULL'],
  ['NOT', 'IN'],
  ['NOT', 'LIKE'],
  ['NOT', 'ILIKE'],
  ['IN'],
  ['LIKE'],
  ['ILIKE'],
];

function operatorAt(tokens: readonly Token[], at: number): Operator | undefined {
  if (tokens[at]?.kind === 'comparator') return { name: (tokens[at] as Token).text, length: 1 };
  const words = worded.find((each) => each.every((word, index) => isWord(tokens[at + index], word)));
  return words && { name: words.join(' '), length: words.length };
}

const EXPECTED_LIST = 'While parsing a list in the query, expected a non-empty list of string values, but got';

/** Elements of lists are read as Python reads them: escapes count. */
const unescaped = (text: string): string => text.replaceAll("''", '').replace(/\\(['"\\])/g, '$1');

/** The list that opens at `at`, and where it ends. */
function listAt(source: Source, tokens: readonly Token[], at: number): { values: string[]; end: number } {
  const values: string[] = [];
  for (let index = at + 1; ; index += 2) {
    const token = tokens[index];
    if (token?.text === ')') {
      if (values.length === 0) throw refuse(`${EXPECTED_LIST} empty list`, source, token);
      return { values, end: index + 1 };
    }
    const value = token && quotedValue(token);
    if (value === undefined) throw refuse(`${EXPECTED_LIST} ill-formed list`, source, token);
    values.push(unescaped(value));
    const after = tokens[index + 1];
    if (after?.text === ')') return { values, end: index + 2 };
    if (after?.text !== ',') throw refuse(`${EXPECTED_LIST} ill-formed list`, source, after);
  }
}

/** Says of what cannot begin or continue a comparison what it is. */
function misplaced(source: Source, tokens: readonly Token[], at: number): Error {
  const token = tokens[at];
  if (token?.text === ';' && tokens[at + 1])
    return refuse(
      `Search filter contained multiple expression '${shortened(source.text)}'. Provide AND-ed expression list`,
      source,
      token,
    );
  const hint =
    token?.kind === 'other'
      ? 'Put backticks around a key that holds more than letters, digits and underscores'
      : 'Expected comparisons separated by AND';
  return refuse(`Invalid clause(s) in filter string: '${shortened(token?.text ?? '')}'. ${hint}`, source, token);
}

const mayBeName = (token: Token): boolean =>
  token.kind === 'identifier' && !isWord(token, 'OR') && !isWord(token, 'NOT');

function comparisonAt(source: Source, tokens: readonly Token[], at: number): { comparison: Comparison; end: number } {
  const left = tokens[at] as Token;
  const operator = operatorAt(tokens, at + 1);
  if (!operator) throw misplaced(source, tokens, mayBeName(left) && tokens[at + 1] ? at + 1 : at);
  if (left.kind !== 'identifier')
    throw refuse(`Invalid comparison clause. Expected 'Identifier' found '${shortened(left.text)}'`, source, left);
  const comparatorToken = tokens[at + 1] as Token;
  const base = { source, left, comparator: operator.name, comparatorToken };
  const behind = at + 1 + operator.length;
  if (operator.name.startsWith('IS '))
    return { comparison: { ...base, right: undefined, rightToken: undefined }, end: behind };
  const rightToken = tokens[behind];
  if (!rightToken) throw refuse('Invalid comparison clause. Expected 3 tokens found 2', source);
  if (rightToken.text === '(') {
    const { values, end } = listAt(source, tokens, behind);
    return { comparison: { ...base, right: values, rightToken }, end };
  }
  if (!['identifier', 'string', 'number'].includes(rightToken.kind)) throw misplaced(source, tokens, behind);
  return { comparison: { ...base, right: rightToken, rightToken }, end: behind + 1 };
}

/** More than anybody writes, and few enough for one statement. */
const MOST_COMPARISONS = 50;

/** The comparisons of a filter, none for an empty one. As in MLflow an AND may be missing or too many. Throws ApiError. */
export function comparisonsOf(filter: string): Comparison[] {
  if (filter === '') return [];
  const source = { text: filter, name: 'filter' };
  const tokens = tokensOf(source);
  if (tokens.length === 0) throw refuse(`Invalid filter '${shortened(filter)}'. Could not be parsed`, source);
  const comparisons: Comparison[] = [];
  for (let at = 0; at < tokens.length; ) {
    if (isWord(tokens[at], 'AND')) {
      at += 1;
      continue;
    }
    const { comparison, end } = comparisonAt(source, tokens, at);
    comparisons.push(comparison);
    if (comparisons.length > MOST_COMPARISONS)
      throw refuse(`Invalid filter: more than ${MOST_COMPARISONS} comparisons`, source, comparison.left);
    at = end;
  }
  return comparisons;
}
