/** Experiments: few, so that every order is a sort. */
import type { Attribute, Condition, ExperimentAttribute, ExperimentField, ExperimentQuery, Order } from './ast.ts';
import type { SortColumn } from './keyset.ts';
import { type Pairs, pairTest } from './pairs.ts';
import type { Parameters } from './parameters.ts';
import type { Selection } from './statement.ts';
import { integerTest, textTest, timeTest } from './tests.ts';
import { stagesOf } from './view.ts';

const tags: Pairs = {
  table: 'experiment_tags',
  owner: 'x.namespace = e.namespace AND x.experiment_id = e.experiment_id',
};

const attributes: Record<ExperimentAttribute, { type: SortColumn['type']; test: typeof textTest }> = {
  name: { type: 'text', test: textTest },
  experiment_id: { type: 'integer', test: integerTest },
  creation_time: { type: 'timestamptz', test: timeTest },
  last_update_time: { type: 'timestamptz', test: timeTest },
};

const condition = ({ field, test }: Condition<ExperimentField>, into: Parameters): string =>
  field.kind === 'tag'
    ? pairTest(tags, field.key, test, into)
    : attributes[field.key].test(`e.${field.key}`, test, into);

const newestFirst: ExperimentQuery['orderBy'] = [
  { field: { kind: 'attribute', key: 'creation_time' }, ascending: false },
  { field: { kind: 'attribute', key: 'experiment_id' }, ascending: true },
];

const sortColumn = ({ field, ascending }: Order<Attribute<ExperimentAttribute>>): SortColumn => ({
  expression: `e.${field.key}`,
  type: attributes[field.key].type,
  ascending,
});

export function selectExperiments(query: ExperimentQuery, into: Parameters): Selection {
  const orderBy = query.orderBy.length > 0 ? query.orderBy : newestFirst;
  const tieBreak: ExperimentQuery['orderBy'] = orderBy.some(({ field }) => field.key === 'experiment_id')
    ? []
    : [{ field: { kind: 'attribute', key: 'experiment_id' }, ascending: false }];
  return {
    key: 'e.experiment_id',
    segments: [
      () => ({
        from: 'slipway.experiments e',
        where: ['e.namespace = $1', ...stagesOf('e', query.view), ...query.where.map((each) => condition(each, into))],
        order: [...orderBy, ...tieBreak].map(sortColumn),
      }),
    ],
  };
}
