/** Registered models. */
import type { Condition, ModelField, RegisteredModelQuery } from './ast.ts';
import { ascending, type SortColumn } from './keyset.ts';
import { noneOf, type Pairs, pairTest } from './pairs.ts';
import type { Parameters } from './parameters.ts';
import { withoutPrompts } from './prompts.ts';
import type { Selection } from './statement.ts';
import { textTest } from './tests.ts';

const tags: Pairs = { table: 'registered_model_tags', owner: 'x.namespace = m.namespace AND x.model = m.name' };

const NO_PROMPT = noneOf(`slipway.registered_model_tags x WHERE ${tags.owner}
  AND x.key = 'mlflow.prompt.is_prompt' AND x.value = 'true'`);

const condition = ({ field, test }: Condition<ModelField>, into: Parameters): string =>
  field.kind === 'tag' ? pairTest(tags, field.key, test, into) : textTest('m.name', test, into);

const columns = {
  name: { expression: 'm.name', type: 'text' },
  last_updated_timestamp: { expression: 'm.last_updated_time', type: 'timestamptz' },
} as const;

export function selectRegisteredModels(query: RegisteredModelQuery, into: Parameters): Selection {
  const { where, hidePrompts } = withoutPrompts(query.where);
  const asked = query.orderBy.map(
    ({ field, ascending: ascends }): SortColumn => ({
      ...columns[field.key],
      ascending: ascends,
    }),
  );
  const isNamed = query.orderBy.some(({ field }) => field.key === 'name');
  return {
    key: 'm.name',
    segments: [
      () => ({
        from: 'slipway.registered_models m',
        where: [
          'm.namespace = $1',
          'm.deleted_time IS NULL',
          ...where.map((each) => condition(each, into)),
          ...(hidePrompts ? [NO_PROMPT] : []),
        ],
        order: isNamed ? asked : [...asked, ascending('m.name', 'text')],
      }),
    ],
  };
}
