import type { ViewType } from './ast.ts';
import type { Parameters } from './parameters.ts';

/** What a view lets through of rows with a lifecycle_stage. */
export const stagesOf = (alias: string, view: ViewType): string[] => {
  if (view === 'ALL') return [];
  return [`${alias}.lifecycle_stage = '${view === 'ACTIVE_ONLY' ? 'active' : 'deleted'}'`];
};

/** Rows of these experiments. Of one alone an index has them in order. */
export const experimentsTest = (column: string, ids: readonly number[], into: Parameters): string =>
  ids.length === 1 ? `${column} = ${into.add(ids[0])}::integer` : `${column} = ANY (${into.add(ids)}::integer[])`;
