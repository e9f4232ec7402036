/** The words of a filter or of an order_by item, each with its place. Pure. */
import { invalid } from '../../errors.ts';

export interface Token {
  readonly kind: 'identifier' | 'string' | 'number' | 'comparator' | 'punctuation' | 'other';
  /** As it was written, quotes included. */
  readonly text: string;
  readonly start: number;
}

/** Text that is searched, and its name for messages: `filter`, `order_by`. */
export interface Source {
  readonly text: string;
  readonly name: string;
}

/** The start of a text, which may be as long as a request. */
export const shortened = (text: string): string => (text.length > 100 ? `${text.slice(0, 100)}…` : text);

/** 400 in the words clients know, then where it went wrong. Without a token: at the end. */
export const refuse = (known: string, source: Source, token?: Token): Error => {
  const where = token
    ? `at ${JSON.stringify(shortened(token.text))}, character ${token.start + 1} of the ${source.name}`
    : `at the end of the ${source.name}`;
  return invalid(`${known} (${where}).`);
};

const NAME = String.raw`[\p{L}\p{M}\p{N}_@#$]+`;
const DOUBLE = String.raw`"(?:""|\\"|[^"])*"`;
const SINGLE = String.raw`'(?:''|\\'|[^'])*'`;
const BACKTICK = '`(?:``|[^`])*`';
const NUMBER = String.raw`-?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?(?![\p{L}_@#$])`;
const FIRST = `(?:${NAME}|${DOUBLE}|${BACKTICK})`;
const NEXT = `(?:${NAME}|${DOUBLE}|${BACKTICK}|${SINGLE})`;

/** In this order: a number is not a name, a name may have quoted parts behind dots. */
const kinds: readonly (readonly [Token['kind'] | 'space', RegExp])[] = [
  ['space', /\s+/uy],
  ['number', new RegExp(NUMBER, 'uy')],
  ['identifier', new RegExp(`${FIRST}(?:\\.${NEXT})*`, 'uy')],
  ['string', new RegExp(SINGLE, 'uy')],
  ['comparator', /[<>=!~]+/uy],
  ['punctuation', /[(),;]/uy],
  ['other', /./suy],
];

const QUOTES = new Set(['"', "'", '`']);

/** Ten thousand ids of runs in a list are a third of it; what is taken apart holds everybody else up meanwhile. */
const LONGEST = 1_000_000;

/** Throws ApiError where a quote is not closed, and for a text longer than anybody writes. */
export function tokensOf(source: Source): Token[] {
  if (source.text.length > LONGEST)
    throw refuse(`Invalid ${source.name}: it is longer than ${LONGEST} characters. Ask in several searches`, source);
  const tokens: Token[] = [];
  let start = 0;
  while (start < source.text.length) {
    const [kind, text] = next(source.text, start);
    if (kind !== 'space') tokens.push({ kind, text, start });
    start += text.length;
  }
  const broken = tokens.find((token) => token.kind === 'other' && (QUOTES.has(token.text) || token.text === '\0'));
  if (broken?.text === '\0') throw refuse(`Invalid ${source.name}: it holds a NUL`, source, broken);
  if (broken) throw refuse(`Invalid ${source.name}: a quote is opened and never closed`, source, broken);
  if (source.text.includes('\0')) throw refuse(`Invalid ${source.name}: it holds a NUL`, source);
  return tokens;
}

function next(text: string, start: number): [Token['kind'] | 'space', string] {
  for (const [kind, pattern] of kinds) {
    pattern.lastIndex = start;
    const match = pattern.exec(text);
    if (match) return [kind, match[0]];
  }
  return ['other', text.charAt(start)];
}

const isQuoted = (text: string, quote: string): boolean =>
  text.length >= 2 && text.startsWith(quote) && text.endsWith(quote);

/** A key without the quotes around it: `"a b"`, `'a b'` or `` `a b` ``. What is inside stays as it is written. */
export function unquotedKey(text: string): string {
  const once = isQuoted(text, "'") || isQuoted(text, '"') ? text.slice(1, -1) : text;
  return isQuoted(once, '`') ? once.slice(1, -1) : once;
}

/** The text between single or double quotes; undefined for any other token. As MLflow, escapes are left as written. */
export function quotedValue(token: Token): string | undefined {
  if (token.kind === 'string') return token.text.slice(1, -1);
  if (token.kind === 'identifier' && isQuoted(token.text, '"')) return token.text.slice(1, -1);
  return undefined;
}
