/** The grammar of experiments/search. Pure. */
import type { Attribute, Condition, ExperimentAttribute, ExperimentField, Order, Test } from '@slipway/database';
import { type Comparison, comparisonsOf } from './comparisons.ts';
import { attributeOf, attributeOrTag } from './fields.ts';
import { refuse, type Source, type Token } from './lexer.ts';
import { orderItemOf } from './order-by.ts';
import { integerTest, pairRules, textTest } from './values.ts';

const attributes: readonly ExperimentAttribute[] = ['name', 'experiment_id', 'creation_time', 'last_update_time'];

function fieldOf(source: Source, token: Token): ExperimentField {
  const { kind, key } = attributeOrTag(source, token);
  return kind === 'tag' ? { kind, key } : { kind, key: attributeOf(key, attributes, source, token) };
}

const onlyTags = (key: string): string =>
  `IS NULL / IS NOT NULL is only supported for tags, not for attribute '${key}'`;

const tagRules = {
  ...pairRules('tag', true),
  invalidComparator: (comparator: string) => `Invalid comparator for tag: ${comparator}`,
};

/** Ids are compared as numbers that are written in quotes. */
function idTest(comparison: Comparison): Test {
  const test = textTest(comparison, {
    expected: 'Expected a quoted string value for attributes',
    lists: true,
    presence: onlyTags('experiment_id'),
  });
  const values = test.kind === 'list' ? test.values : test.kind === 'text' ? [test.value] : [];
  const wrong = values.find((value) => !/^\d{1,15}$/.test(value));
  if (wrong !== undefined)
    throw refuse(
      `Invalid experiment ID '${wrong}'. Experiment ID must be a valid integer`,
      comparison.source,
      comparison.rightToken,
    );
  if (test.kind !== 'text') return test;
  if (test.comparator !== '=' && test.comparator !== '!=')
    throw refuse(
      `Invalid comparator for experiment_id: ${test.comparator}`,
      comparison.source,
      comparison.comparatorToken,
    );
  return { kind: 'number', comparator: test.comparator, value: Number(test.value) };
}

function attributeTest(comparison: Comparison, key: ExperimentAttribute): Test {
  if (key === 'experiment_id') return idTest(comparison);
  if (key !== 'name' && comparison.right !== undefined) return integerTest(comparison, key, false);
  return textTest(comparison, {
    expected: 'Expected a quoted string value for attributes',
    lists: `Only ['experiment_id'] attributes support comparison with a list of quoted string values`,
    presence: onlyTags(key),
  });
}

/** Throws ApiError that points at what is wrong. */
export const parseExperimentFilter = (filter: string): Condition<ExperimentField>[] =>
  comparisonsOf(filter).map((comparison) => {
    const field = fieldOf(comparison.source, comparison.left);
    const test = field.kind === 'tag' ? textTest(comparison, tagRules) : attributeTest(comparison, field.key);
    return { field, test };
  });

function orderOf(text: string): Order<Attribute<ExperimentAttribute>> {
  const { source, field: token, ascending } = orderItemOf(text);
  const field = fieldOf(source, token);
  if (field.kind === 'tag') throw refuse('Invalid order_by entity: tag', source, token);
  return { field, ascending };
}

/** A field that is named again changes nothing. Throws ApiError that points at what is wrong. */
export function parseExperimentOrder(orderBy: readonly string[]): Order<Attribute<ExperimentAttribute>>[] {
  const orders = orderBy.map(orderOf);
  return orders.filter(({ field }, index) => orders.findIndex((each) => each.field.key === field.key) === index);
}
