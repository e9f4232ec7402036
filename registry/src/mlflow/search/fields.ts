/** Names of fields: `metrics.accuracy`, `tags."a b"`, `name`. Pure. */
import { refuse, type Source, type Token, unquotedKey } from './lexer.ts';

export interface Name {
  /** What stands before the first dot; undefined: an attribute. */
  readonly entity: string | undefined;
  readonly key: string;
}

export function nameOf(token: Token): Name {
  const dot = token.text.indexOf('.');
  if (dot < 0) return { entity: undefined, key: unquotedKey(token.text) };
  return { entity: token.text.slice(0, dot), key: unquotedKey(token.text.slice(dot + 1)) };
}

export const setText = (keys: readonly string[]): string => `{${keys.map((key) => `'${key}'`).join(', ')}}`;

/** The key, when it is one of these attributes. Throws ApiError naming those there are. */
export function attributeOf<Key extends string>(key: string, keys: readonly Key[], source: Source, token: Token): Key {
  const found = keys.find((each) => each === key);
  if (found === undefined)
    throw refuse(`Invalid attribute key '${key}' specified. Valid keys are '${setText(keys)}'`, source, token);
  return found;
}

/** For entities that have attributes and tags alone. */
export function attributeOrTag(source: Source, token: Token): { kind: 'attribute' | 'tag'; key: string } {
  const { entity, key } = nameOf(token);
  if (entity === undefined || entity === 'attribute') return { kind: 'attribute', key };
  if (entity === 'tag' || entity === 'tags') return { kind: 'tag', key };
  throw refuse(`Invalid entity type '${entity}'. Valid entity types are ('attribute', 'tag', 'tags')`, source, token);
}
