/** Logged models (MLflow 3). */
import type {
  Attribute,
  Condition,
  DatasetReference,
  LoggedModelAttribute,
  LoggedModelField,
  LoggedModelQuery,
  Metric,
  Test,
} from './ast.ts';
import { ascending, descending, nanThenNullsLast, nullsLast, type SortColumn } from './keyset.ts';
import { type Pairs, pairTest } from './pairs.ts';
import type { Parameters } from './parameters.ts';
import type { Selection } from './statement.ts';
import { doubleTest, integerTest, textTest, timeTest } from './tests.ts';
import { experimentsTest } from './view.ts';

const OWNER = 'x.namespace = l.namespace AND x.model_id = l.model_id';
const params: Pairs = { table: 'logged_model_params', owner: OWNER };
const tags: Pairs = { table: 'logged_model_tags', owner: OWNER };

interface Column {
  readonly expression: string;
  readonly type: SortColumn['type'];
  readonly test: typeof textTest;
  readonly nullable?: boolean;
}
const text = (expression: string): Column => ({ expression, type: 'text', test: textTest });
const time = (expression: string): Column => ({ expression, type: 'timestamptz', test: timeTest });
const attributes: Record<LoggedModelAttribute, Column> = {
  model_id: text('l.model_id'),
  experiment_id: { expression: 'l.experiment_id', type: 'integer', test: integerTest },
  name: text('l.name'),
  artifact_location: text(
    `coalesce(l.artifact_root, 'mlflow-artifacts:/' || l.experiment_id || '/models/' || l.model_id || '/artifacts')`,
  ),
  status: text('l.status'),
  model_type: text('l.model_type'),
  source_run_id: { ...text('l.source_run_id'), nullable: true },
  creation_timestamp_ms: time('l.creation_time'),
  last_updated_timestamp_ms: time('l.last_updated_time'),
};

/** True for metrics of one of the data sets. */
const onDatasets = (datasets: readonly Partial<DatasetReference>[], into: Parameters): string =>
  datasets
    .map(({ name, digest }) => [
      ...(name === undefined ? [] : [`x.dataset_name = ${into.add(name)}::text`]),
      ...(digest === undefined ? [] : [`x.dataset_digest = ${into.add(digest)}::text`]),
    ])
    .map((parts) => (parts.length > 0 ? `(${parts.join(' AND ')})` : 'true'))
    .join(' OR ');

const metricRows = `SELECT 1 FROM slipway.logged_model_metrics x WHERE ${OWNER}`;

function metricTest(query: LoggedModelQuery, { key }: Metric, test: Test, into: Parameters): string {
  const datasets = query.datasets.length > 0 ? ` AND (${onDatasets(query.datasets, into)})` : '';
  return `EXISTS (${metricRows} AND x.key = ${into.add(key)}::text AND ${doubleTest('x.value', test, into)}${datasets})`;
}

function condition(query: LoggedModelQuery, { field, test }: Condition<LoggedModelField>, into: Parameters): string {
  if (field.kind === 'metric') return metricTest(query, field, test, into);
  if (field.kind === 'param') return pairTest(params, field.key, test, into);
  if (field.kind === 'tag') return pairTest(tags, field.key, test, into);
  const column = attributes[field.key];
  return column.test(column.expression, test, into);
}

type OrderItem = LoggedModelQuery['orderBy'][number];

/** The newest value of a metric, of one data set where the order names one. */
function latestValue(metric: Metric, dataset: OrderItem['dataset'], alias: string, into: Parameters): string {
  const only = dataset ? ` AND ${onDatasets([dataset], into)}` : '';
  return `LEFT JOIN LATERAL (SELECT x.value FROM slipway.logged_model_metrics x
    WHERE ${OWNER} AND x.key = ${into.add(metric.key)}::text${only}
    ORDER BY x."timestamp" DESC, x.step DESC, x.run_id LIMIT 1) ${alias} ON true`;
}

const attributeColumns = (field: Attribute<LoggedModelAttribute>, ascends: boolean): SortColumn[] => {
  const { expression, type, nullable } = attributes[field.key];
  const column = { expression, type, ascending: ascends };
  return nullable ? nullsLast(column) : [column];
};

export function selectLoggedModels(query: LoggedModelQuery, into: Parameters): Selection {
  const joins: string[] = [];
  const asked = query.orderBy.flatMap(({ field, ascending: ascends, dataset }, index) => {
    if (field.kind === 'attribute') return attributeColumns(field, ascends);
    joins.push(latestValue(field, dataset, `m${index}`, into));
    return nanThenNullsLast(`m${index}.value`, ascends);
  });
  const has = (key: LoggedModelAttribute) =>
    query.orderBy.some(({ field }) => field.kind === 'attribute' && field.key === key);
  const withMetrics = query.datasets.length > 0 && !query.where.some(({ field }) => field.kind === 'metric');
  return {
    key: 'l.model_id',
    segments: [
      () => ({
        from: ['slipway.logged_models l', ...joins].join(' '),
        where: [
          'l.namespace = $1',
          'l.deleted_time IS NULL',
          experimentsTest('l.experiment_id', query.experimentIds, into),
          ...query.where.map((each) => condition(query, each, into)),
          ...(withMetrics ? [`EXISTS (${metricRows} AND (${onDatasets(query.datasets, into)}))`] : []),
        ],
        order: [
          ...asked,
          ...(has('creation_timestamp_ms') ? [] : [descending('l.creation_time', 'timestamptz')]),
          ...(has('model_id') ? [] : [ascending('l.model_id', 'text')]),
        ],
      }),
    ],
  };
}
