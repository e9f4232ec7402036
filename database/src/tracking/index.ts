/** Experiments and runs as MLflow clients read and write them. */
import { type Database, query } from '../pool.ts';
import { type ExperimentRow, experimentColumns, experimentFrom, type RunRow, runColumns, runFrom } from './rows.ts';
import type { ExperimentEntity, RunEntity } from './types.ts';

export type * from './types.ts';

export interface Tracking {
  /** The experiments with these ids, in the order of the ids; an id that is not there is left out. */
  experimentsById(namespace: string, ids: readonly string[]): Promise<ExperimentEntity[]>;
  /** The runs with these ids, in the order of the ids; an id that is not there is left out. */
  runsById(namespace: string, ids: readonly string[]): Promise<RunEntity[]>;
}

/** True for what can be the id of an experiment: a number that fits our column. */
const isExperimentId = (id: string): boolean => /^\d{1,10}$/.test(id) && Number(id) < 2 ** 31;

/** Tracking over one pool, as the schema's owner: the caller has decided whose namespace may be asked for. */
export const openTracking = (pool: Database): Tracking => ({
  async experimentsById(namespace, ids) {
    const rows = await query<ExperimentRow>(
      pool,
      `SELECT ${experimentColumns} FROM unnest($2::integer[]) WITH ORDINALITY AS wanted (id, place)
         JOIN slipway.experiments e ON e.namespace = $1 AND e.experiment_id = wanted.id ORDER BY place`,
      [namespace, ids.filter(isExperimentId)],
    );
    return rows.map(experimentFrom);
  },

  async runsById(namespace, ids) {
    const rows = await query<RunRow>(
      pool,
      `SELECT ${runColumns} FROM unnest($2::text[]) WITH ORDINALITY AS wanted (id, place)
         JOIN slipway.runs r ON r.namespace = $1 AND r.run_id = wanted.id ORDER BY place`,
      [namespace, ids],
    );
    return rows.map(runFrom);
  },
});
