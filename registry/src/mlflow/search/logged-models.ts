/** The grammar of logged-models/search, which names its entities in one way only. Pure. */
import type { Attribute, Condition, LoggedModelAttribute, LoggedModelField, Metric, Test } from '@slipway/database';
import { invalid } from '../../errors.ts';
import { type Comparison, comparisonsOf } from './comparisons.ts';
import { attributeOf, nameOf } from './fields.ts';
import { refuse, type Source, type Token } from './lexer.ts';
import { numberTest, textTest } from './values.ts';

const attributes: readonly LoggedModelAttribute[] = [
  'model_id',
  'experiment_id',
  'name',
  'artifact_location',
  'status',
  'model_type',
  'source_run_id',
  'creation_timestamp_ms',
  'last_updated_timestamp_ms',
];
const aliases: Readonly<Record<string, LoggedModelAttribute>> = {
  creation_time: 'creation_timestamp_ms',
  creation_timestamp: 'creation_timestamp_ms',
  last_updated_timestamp: 'last_updated_timestamp_ms',
};
const kinds = { attributes: 'attribute', metrics: 'metric', params: 'param', tags: 'tag' } as const;

const isKind = (entity: string): entity is keyof typeof kinds => Object.hasOwn(kinds, entity);
const trueName = (key: string): string => (Object.hasOwn(aliases, key) ? (aliases[key] as string) : key);

function fieldOf(source: Source, token: Token): LoggedModelField {
  const { entity = 'attributes', key } = nameOf(token);
  if (!isKind(entity))
    throw refuse(
      `Invalid entity type: '${entity}'. Expected one of ['attributes', 'metrics', 'params', 'tags']`,
      source,
      token,
    );
  const kind = kinds[entity];
  return kind === 'attribute' ? { kind, key: attributeOf(trueName(key), attributes, source, token) } : { kind, key };
}

const isNumeric = (field: LoggedModelField): boolean =>
  field.kind === 'metric' || (field.kind === 'attribute' && field.key.endsWith('_ms'));

const statuses: Readonly<Record<string, string>> = {
  PENDING: 'LOGGED_MODEL_PENDING',
  READY: 'LOGGED_MODEL_READY',
  FAILED: 'LOGGED_MODEL_UPLOAD_FAILED',
};
/** The Python client knows a status by its short name. */
const longStatus = (value: string): string => (Object.hasOwn(statuses, value) ? statuses[value] : undefined) ?? value;

function attributeTest(key: LoggedModelAttribute, test: Test, { source, rightToken }: Comparison): Test {
  if (key === 'status' && test.kind === 'text') return { ...test, value: longStatus(test.value) };
  if (key === 'status' && test.kind === 'list') return { ...test, values: test.values.map(longStatus) };
  if (key !== 'experiment_id') return test;
  const values = test.kind === 'list' ? test.values : test.kind === 'text' ? [test.value] : [];
  if (!values.every((value) => /^\d{1,15}$/.test(value)))
    throw refuse('Invalid experiment ID. Experiment ID must be a valid integer in quotes', source, rightToken);
  return { kind: 'list', comparator: isNegative(test) ? 'NOT IN' : 'IN', values };
}

const isNegative = (test: Test): boolean => test.comparator === '!=' || test.comparator === 'NOT IN';

function testOf(comparison: Comparison, field: LoggedModelField): Test {
  const shown = `${field.kind}s.${field.key}`;
  const invalidComparator = (comparator: string, valid: readonly string[]) =>
    `Invalid comparison operator for ${shown}: '${comparator}'. Expected one of (${valid.map((each) => `'${each}'`).join(', ')})`;
  if (isNumeric(field))
    return numberTest(comparison, `Invalid comparison: expected a number for ${shown}`, invalidComparator);
  const test = textTest(comparison, {
    expected: `Invalid comparison: expected a quoted string for ${shown}`,
    lists: true,
    invalidComparator,
    presence: `Invalid comparison: IS NULL / IS NOT NULL is not supported for logged models. Expected a comparison with 3 tokens`,
  });
  return field.kind === 'attribute' ? attributeTest(field.key, test, comparison) : test;
}

/** Throws ApiError that points at what is wrong. */
export const parseLoggedModelFilter = (filter: string): Condition<LoggedModelField>[] =>
  comparisonsOf(filter).map((comparison) => {
    const field = fieldOf(comparison.source, comparison.left);
    return { field, test: testOf(comparison, field) };
  });

/** The field of an item of order_by, which here is the name alone. Throws ApiError. */
export function parseLoggedModelOrderField(name: string): Attribute<LoggedModelAttribute> | Metric {
  const [entity, ...rest] = name.split('.');
  if (rest.length > 0) {
    if (entity !== 'metrics') throw invalid(`Invalid order by field name: ${name}. Only metrics are supported.`);
    return { kind: 'metric', key: rest.join('.') };
  }
  const key = attributes.find((each) => each === trueName(name));
  if (!key)
    throw invalid(`Invalid order by field name: ${name}. Valid names are metrics.<name> and ${attributes.join(', ')}.`);
  return { kind: 'attribute', key };
}
