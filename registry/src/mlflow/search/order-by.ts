/** Items of order_by: a field and perhaps a direction. Pure. */
import { invalid } from '../../errors.ts';
import { type Source, shortened, type Token, tokensOf } from './lexer.ts';

export interface OrderItem {
  readonly source: Source;
  readonly field: Token;
  readonly ascending: boolean;
}

/** Throws ApiError for anything but `field`, `field ASC` and `field DESC`. */
export function orderItemOf(text: string): OrderItem {
  const source = { text, name: 'order_by' };
  const [field, direction, ...more] = tokensOf(source);
  if (field?.kind !== 'identifier' || more.length > 0 || (direction && direction.kind !== 'identifier'))
    throw invalid(
      `Invalid order_by clause '${shortened(text)}'. Could not be parsed: expected one field with an optional ASC or DESC${at(more[0] ?? direction ?? field)}.`,
    );
  const word = direction?.text.toLowerCase() ?? 'asc';
  if (word !== 'asc' && word !== 'desc')
    throw invalid(
      `Invalid ordering key in order_by clause '${shortened(text)}'. Expected ASC or DESC${at(direction)}.`,
    );
  return { source, field, ascending: word === 'asc' };
}

const at = (token: Token | undefined): string =>
  token ? ` (at ${JSON.stringify(token.text)}, character ${token.start + 1})` : '';

/** Throws ApiError when a field is named twice. */
export function refuseDuplicates(orderBy: readonly string[], keys: readonly string[]): void {
  const twice = keys.find((key, index) => keys.indexOf(key) !== index);
  if (twice !== undefined)
    throw invalid(
      `\`order_by\` contains duplicate fields: [${orderBy.map((each) => `'${each}'`).join(', ')}]. Name '${twice}' once.`,
    );
}
