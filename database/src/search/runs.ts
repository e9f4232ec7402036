/**
 * Runs. A metric that is filtered or ordered by is joined once. When it leads the order it is read in its order from the
 * index of values, in parts: real values, then NaN, then runs without it.
 */
import type {
  Condition,
  Metric,
  Order,
  Param,
  RunAttribute,
  RunDataset,
  RunField,
  RunQuery,
  Tag,
  Test,
} from './ast.ts';
import { ascending, descending, nanThenNullsLast, nullsLast, type SortColumn } from './keyset.ts';
import { noneOf, type Pairs, pairTest } from './pairs.ts';
import type { Parameters } from './parameters.ts';
import type { Segment, Selection } from './statement.ts';
import { doubleTest, textTest, timeTest } from './tests.ts';
import { experimentsTest, stagesOf } from './view.ts';

const OWNER = 'x.namespace = r.namespace AND x.run_id = r.run_id';
const params: Pairs = { table: 'params', owner: OWNER, hashed: true };
const tags: Pairs = { table: 'tags', owner: OWNER, hashed: true };

interface Column {
  readonly expression: string;
  readonly type: SortColumn['type'];
  readonly test: typeof textTest;
  readonly nullable?: boolean;
}
const text = (expression: string): Column => ({ expression, type: 'text', test: textTest });
const attributes: Record<RunAttribute, Column> = {
  run_id: text('r.run_id'),
  run_name: text('r.run_name'),
  user_id: text('r.user_id'),
  status: text('r.status'),
  artifact_uri: text(
    `coalesce(r.artifact_root, 'mlflow-artifacts:/' || r.experiment_id || '/' || r.run_id || '/artifacts')`,
  ),
  start_time: { expression: 'r.start_time', type: 'timestamptz', test: timeTest },
  end_time: { expression: 'r.end_time', type: 'timestamptz', test: timeTest, nullable: true },
};

function datasetTest({ key }: RunDataset, test: Test, into: Parameters): string {
  const column = key === 'context' ? `x.tags->>'mlflow.data.context'` : `x.${key}`;
  return `EXISTS (SELECT 1 FROM slipway.run_datasets x WHERE ${OWNER} AND ${textTest(column, test, into)})`;
}

/** A condition on anything but a metric. */
function condition({ field, test }: Condition<Exclude<RunField, Metric>>, into: Parameters): string {
  if (field.kind === 'param') return pairTest(params, field.key, test, into);
  if (field.kind === 'tag') return pairTest(tags, field.key, test, into);
  if (field.kind === 'dataset') return datasetTest(field, test, into);
  const column = attributes[field.key];
  return column.test(column.expression, test, into);
}

/** A condition holds for real values only, unless it is `!=`: NaN differs from everything. */
const excludesNan = ({ test }: Condition<RunField>): boolean => test.kind === 'number' && test.comparator !== '!=';

/** Beyond so many experiments reading each in order costs more than sorting. */
const MOST_BRANCHES = 50;
/** Beyond so many of all metrics of a search together planning takes longer than reading. */
const MOST_BRANCHES_OF_ALL = 100;

/** The joins of a search, each value joined once, and the conditions on metrics. */
class Joins {
  readonly clauses: string[] = [];
  readonly where: string[] = [];
  readonly #aliases = new Map<string, string>();
  readonly #into: Parameters;
  readonly #experimentIds: readonly number[];
  #branches = 0;

  constructor(into: Parameters, experimentIds: readonly number[]) {
    this.#into = into;
    this.#experimentIds = experimentIds;
  }

  /** The alias of the row with that key, which must be there for `inner` joins and may be missing otherwise. */
  join(table: 'latest_metrics' | 'params' | 'tags', key: string, inner: boolean): string {
    const name = JSON.stringify([table, key]);
    const known = this.#aliases.get(name);
    if (known) return known;
    const alias = `j${this.#aliases.size}`;
    this.#aliases.set(name, alias);
    const named = `${this.#into.add(key)}::text`;
    const rows = table === 'latest_metrics' && inner ? this.#metricRows(named) : `slipway.${table}`;
    this.clauses.push(`${inner ? 'JOIN' : 'LEFT JOIN'} ${rows} ${alias} ON ${alias}.namespace = r.namespace
      AND ${alias}.run_id = r.run_id AND ${alias}.key = ${named}`);
    return alias;
  }

  /** One branch an experiment: each is in the order of the index, and Postgres merges them. */
  #metricRows(key: string): string {
    const count = this.#experimentIds.length;
    const each = count <= MOST_BRANCHES && this.#branches + count <= MOST_BRANCHES_OF_ALL;
    const ids = each ? this.#experimentIds.map((id) => [id]) : [this.#experimentIds];
    this.#branches += ids.length;
    const branches = ids.map(
      (each) => `SELECT m.namespace, m.run_id, m.key, m.value FROM slipway.latest_metrics m
        WHERE m.namespace = $1 AND ${experimentsTest('m.experiment_id', each, this.#into)} AND m.key = ${key}`,
    );
    return `(${branches.join(' UNION ALL ')})`;
  }

  require(metric: Metric, test: Test): void {
    this.where.push(doubleTest(`${this.join('latest_metrics', metric.key, true)}.value`, test, this.#into));
  }
}

type RunOrder = Order<Exclude<RunField, RunDataset>>;

const pairTables = { param: 'params', tag: 'tags' } as const;

function pairColumns(field: Param | Tag, ascends: boolean, joins: Joins): SortColumn[] {
  const alias = joins.join(pairTables[field.kind], field.key, false);
  return nullsLast({ expression: `${alias}.value`, type: 'text', ascending: ascends });
}

function sortColumns({ field, ascending: ascends }: RunOrder, joins: Joins): SortColumn[] {
  if (field.kind === 'metric')
    return nanThenNullsLast(`${joins.join('latest_metrics', field.key, false)}.value`, ascends);
  if (field.kind !== 'attribute') return pairColumns(field, ascends, joins);
  const { expression, type, nullable } = attributes[field.key];
  const column = { expression, type, ascending: ascends };
  return nullable ? nullsLast(column) : [column];
}

/** By start time, newest first, then by id, behind what was asked for. */
function orderOf(orderBy: readonly RunOrder[], joins: Joins): SortColumn[] {
  const has = (key: RunAttribute) => orderBy.some(({ field }) => field.kind === 'attribute' && field.key === key);
  return [
    ...orderBy.flatMap((each) => sortColumns(each, joins)),
    ...(has('start_time') ? [] : [descending('r.start_time', 'timestamptz')]),
    ...(has('run_id') ? [] : [ascending('r.run_id', 'text')]),
  ];
}

const isOnMetric = (each: Condition<RunField>): each is Condition<Metric> => each.field.kind === 'metric';
const isElsewhere = (each: Condition<RunField>): each is Condition<Exclude<RunField, Metric>> => !isOnMetric(each);

/** What every part of the order shares. */
function common(query: RunQuery, into: Parameters): string[] {
  return [
    'r.namespace = $1',
    'r.is_tracked',
    experimentsTest('r.experiment_id', query.experimentIds, into),
    ...stagesOf('r', query.view),
    ...query.where.filter(isElsewhere).map((each) => condition(each, into)),
  ];
}

function joined(query: RunQuery, into: Parameters): Joins {
  const joins = new Joins(into, query.experimentIds);
  for (const { field, test } of query.where.filter(isOnMetric)) joins.require(field, test);
  return joins;
}

const segmentOf = (shared: readonly string[], joins: Joins, own: readonly string[], order: SortColumn[]): Segment => ({
  from: ['slipway.runs r', ...joins.clauses].join(' '),
  where: [...shared, ...joins.where, ...own],
  order,
});

/** The parts of an order that a metric leads. */
function metricSegments(query: RunQuery, leading: Metric, ascends: boolean, into: Parameters): Selection['segments'] {
  const shared = common(query, into);
  const rest = query.orderBy.slice(1);
  const withValue = (holds: (value: string) => string, ordered: boolean): Segment => {
    const joins = joined(query, into);
    const value = `${joins.join('latest_metrics', leading.key, true)}.value`;
    const first: SortColumn[] = ordered ? [{ expression: value, type: 'double precision', ascending: ascends }] : [];
    return segmentOf(shared, joins, [holds(value)], [...first, ...orderOf(rest, joins)]);
  };
  const real = () => withValue((value) => `${value} < 'NaN'`, true);
  const nan = () => withValue((value) => `${value} = 'NaN'`, false);
  const without = () => {
    const joins = joined(query, into);
    const none = noneOf(`slipway.latest_metrics x WHERE ${OWNER} AND x.key = ${into.add(leading.key)}::text`);
    return segmentOf(shared, joins, [none], orderOf(rest, joins));
  };
  const onLeading = query.where.filter(isOnMetric).filter(({ field }) => field.key === leading.key);
  if (onLeading.some(excludesNan)) return [real];
  return onLeading.length > 0 ? [real, nan] : [real, nan, without];
}

export function selectRuns(query: RunQuery, into: Parameters): Selection {
  const [leading] = query.orderBy;
  const key = 'r.run_id';
  if (leading?.field.kind === 'metric')
    return { key, segments: metricSegments(query, leading.field, leading.ascending, into) };
  const shared = common(query, into);
  const joins = joined(query, into);
  return { key, segments: [() => segmentOf(shared, joins, [], orderOf(query.orderBy, joins))] };
}
