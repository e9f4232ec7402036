/** The grammars of registered-models/search and model-versions/search. Pure. */
import type {
  Attribute,
  Condition,
  ModelField,
  Order,
  RegisteredModelQuery,
  Test,
  VersionAttribute,
  VersionField,
  VersionOrderAttribute,
} from '@slipway/database';
import { type Comparison, comparisonsOf } from './comparisons.ts';
import { attributeOf, attributeOrTag } from './fields.ts';
import { quotedValue, refuse, unquotedKey } from './lexer.ts';
import { orderItemOf, refuseDuplicates } from './order-by.ts';
import { integerTest, pairRules, textTest } from './values.ts';

const NO_NULL = 'Invalid comparison clause. IS NULL / IS NOT NULL is not supported for models and their versions';
const EXPECTED = 'Expected a quoted string value or a list of quoted string values for attributes';

const invalidFor = (what: string) => (comparator: string) => `Invalid comparator for ${what}: ${comparator}`;

const tagTest = (comparison: Comparison): Test =>
  textTest(comparison, { ...pairRules('tag', NO_NULL), invalidComparator: invalidFor('tag') });
const attributeRules = { expected: EXPECTED, presence: NO_NULL, invalidComparator: invalidFor('attribute') };

/** Throws ApiError that points at what is wrong. */
export const parseModelFilter = (filter: string): Condition<ModelField>[] =>
  comparisonsOf(filter).map((comparison) => {
    const { kind, key } = attributeOrTag(comparison.source, comparison.left);
    if (kind === 'tag') return { field: { kind, key }, test: tagTest(comparison) };
    const name = attributeOf(key, ['name'], comparison.source, comparison.left);
    return {
      field: { kind, key: name },
      test: textTest(comparison, { ...attributeRules, lists: true }),
    };
  });

/** `timestamp` is MLflow's word for the time of the last update. */
const modelOrders = {
  name: 'name',
  timestamp: 'last_updated_timestamp',
  last_updated_timestamp: 'last_updated_timestamp',
} as const;

const isModelOrder = (key: string): key is keyof typeof modelOrders => Object.hasOwn(modelOrders, key);

/** Throws ApiError that points at what is wrong. */
export function parseModelOrder(orderBy: readonly string[]): RegisteredModelQuery['orderBy'] {
  const orders = orderBy.map((text) => {
    const { source, field, ascending } = orderItemOf(text);
    const key = unquotedKey(field.text);
    if (!isModelOrder(key))
      throw refuse(`Invalid order by key '${key}' specified. Valid keys are '{'name', 'timestamp'}'`, source, field);
    return { field: { kind: 'attribute', key: modelOrders[key] }, ascending } as const;
  });
  refuseDuplicates(
    orderBy,
    orders.map(({ field }) => field.key),
  );
  return orders;
}

const versionAttributes: readonly VersionAttribute[] = ['name', 'version_number', 'run_id', 'source_path'];

function versionTest(comparison: Comparison, key: VersionAttribute): Test {
  const { right, source } = comparison;
  if (key === 'version_number' && right !== undefined && 'kind' in right) {
    const isValue = right.kind === 'number' || quotedValue(right) !== undefined;
    if (isValue) return integerTest(comparison, key, true, invalidFor(`attribute ${key}`));
  }
  if (right !== undefined && 'kind' in right && right.kind === 'number')
    throw refuse(
      `Only the '{'version_number', 'creation_timestamp', 'last_updated_timestamp'}' attributes support comparison with numeric values`,
      source,
      right,
    );
  const lists =
    key === 'name' ||
    key === 'run_id' ||
    `Only ['name', 'run_id'] attributes support comparison with a list of quoted string values`;
  return textTest(comparison, { ...attributeRules, lists });
}

/** Throws ApiError that points at what is wrong. */
export const parseVersionFilter = (filter: string): Condition<VersionField>[] =>
  comparisonsOf(filter).map((comparison) => {
    const { kind, key } = attributeOrTag(comparison.source, comparison.left);
    if (kind === 'tag') return { field: { kind, key }, test: tagTest(comparison) };
    const attribute = attributeOf(key, versionAttributes, comparison.source, comparison.left);
    return { field: { kind, key: attribute }, test: versionTest(comparison, attribute) };
  });

const versionOrders: readonly VersionOrderAttribute[] = [
  'name',
  'version_number',
  'creation_timestamp',
  'last_updated_timestamp',
];

/** Throws ApiError that points at what is wrong. */
export function parseVersionOrder(orderBy: readonly string[]): Order<Attribute<VersionOrderAttribute>>[] {
  const orders = orderBy.map((text) => {
    const { source, field: token, ascending } = orderItemOf(text);
    const { kind, key } = attributeOrTag(source, token);
    if (kind === 'tag')
      throw refuse(`Invalid order by key '${key}' specified. Order by attributes, not tags`, source, token);
    return { field: { kind, key: attributeOf(key, versionOrders, source, token) }, ascending };
  });
  refuseDuplicates(
    orderBy,
    orders.map(({ field }) => field.key),
  );
  return orders;
}
