import type { ViewType } from './ast.ts';

/** What a view lets through of rows with a lifecycle_stage. */
export const stagesOf = (alias: string, view: ViewType): string[] => {
  if (view === 'ALL') return [];
  return [`${alias}.lifecycle_stage = '${view === 'ACTIVE_ONLY' ? 'active' : 'deleted'}'`];
};
