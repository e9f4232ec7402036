/** The grammar of runs/search. Pure. */
import type { Condition, Order, RunAttribute, RunDataset, RunField, Test } from '@slipway/database';
import { type Comparison, comparisonsOf } from './comparisons.ts';
import { attributeOf, nameOf, setText } from './fields.ts';
import { refuse, type Source, type Token } from './lexer.ts';
import { type OrderItem, orderItemOf, refuseDuplicates } from './order-by.ts';
import { numberTest, pairRules, textTest } from './values.ts';

const kinds: Readonly<Record<string, RunField['kind']>> = {
  metric: 'metric',
  metrics: 'metric',
  parameter: 'param',
  parameters: 'param',
  param: 'param',
  params: 'param',
  tag: 'tag',
  tags: 'tag',
  attribute: 'attribute',
  attributes: 'attribute',
  attr: 'attribute',
  run: 'attribute',
  dataset: 'dataset',
  datasets: 'dataset',
};

const attributes: readonly RunAttribute[] = [
  'artifact_uri',
  'end_time',
  'run_id',
  'run_name',
  'start_time',
  'status',
  'user_id',
];
const aliases: Readonly<Record<string, RunAttribute>> = {
  created: 'start_time',
  Created: 'start_time',
  'run name': 'run_name',
  'Run name': 'run_name',
  'Run Name': 'run_name',
};
const datasetKeys: readonly RunDataset['key'][] = ['name', 'digest', 'context'];

function kindOf(entity: string, source: Source, token: Token): RunField['kind'] {
  const name = entity.replace(/^`(.*)`$/, '$1');
  const kind = Object.hasOwn(kinds, name) ? kinds[name] : undefined;
  if (kind) return kind;
  throw refuse(
    `Invalid entity type '${name}'. Valid values are ['metric', 'parameter', 'tag', 'attribute', 'dataset']`,
    source,
    token,
  );
}

function fieldOf(source: Source, token: Token): RunField {
  const { entity, key } = nameOf(token);
  const kind = entity === undefined ? 'attribute' : kindOf(entity, source, token);
  if (kind === 'attribute') {
    const alias = Object.hasOwn(aliases, key) ? aliases[key] : undefined;
    return { kind, key: alias ?? attributeOf(key, attributes, source, token) };
  }
  if (kind !== 'dataset') return { kind, key };
  const datasetKey = datasetKeys.find((each) => each === key);
  if (datasetKey) return { kind, key: datasetKey };
  throw refuse(`Invalid dataset key '${key}' specified. Valid keys are '${setText(datasetKeys)}'`, source, token);
}

const onlyPairs = (kind: string, key: string): string =>
  `IS NULL / IS NOT NULL is only supported for tags and params, not for '${kind}' '${key}'`;

function attributeTest(comparison: Comparison, key: RunAttribute): Test {
  if (key === 'start_time' || key === 'end_time') {
    if (comparison.right === undefined) return textTest(comparison, textRules(key));
    return numberTest(comparison, `Expected numeric value type for numeric attribute: ${key}`);
  }
  return textTest(comparison, textRules(key));
}

const textRules = (key: RunAttribute) =>
  ({
    expected: 'Expected a quoted string value for attributes',
    lists:
      key === 'run_id' ||
      `Only ['run_id'] attributes support comparison with a list of quoted string values. '${key}' is none of them`,
    presence: onlyPairs('attribute', key),
  }) as const;

function testOf(comparison: Comparison, field: RunField): Test {
  if (field.kind === 'param') return textTest(comparison, pairRules('parameter', true));
  if (field.kind === 'tag') return textTest(comparison, pairRules('tag', true));
  if (field.kind === 'attribute') return attributeTest(comparison, field.key);
  if (field.kind === 'dataset')
    return textTest(comparison, {
      expected: 'Expected a quoted string value for dataset attributes',
      lists: true,
      presence: onlyPairs('dataset', field.key),
    });
  if (comparison.right === undefined)
    throw refuse(onlyPairs('metric', field.key), comparison.source, comparison.comparatorToken);
  return numberTest(comparison, 'Expected numeric value type for metric');
}

/** Throws ApiError that points at what is wrong. */
export const parseRunFilter = (filter: string): Condition<RunField>[] =>
  comparisonsOf(filter).map((comparison) => {
    const field = fieldOf(comparison.source, comparison.left);
    return { field, test: testOf(comparison, field) };
  });

type RunOrder = Order<Exclude<RunField, RunDataset>>;

function orderOf({ source, field: token, ascending }: OrderItem): RunOrder {
  const field = fieldOf(source, token);
  if (field.kind === 'dataset')
    throw refuse(`Invalid identifier type 'dataset': order by attributes, metrics, params or tags`, source, token);
  return { field, ascending };
}

/** Throws ApiError that points at what is wrong. */
export function parseRunOrder(orderBy: readonly string[]): RunOrder[] {
  const orders = orderBy.map((each) => orderOf(orderItemOf(each)));
  refuseDuplicates(
    orderBy,
    orders.map(({ field }) => `${field.kind}.${field.key}`),
  );
  return orders;
}
