/** Experiments and runs as MLflow clients read and write them. */
import type { Database } from '../pool.ts';
import { type Experiments, openExperiments } from './experiments.ts';
import { type History, openHistory } from './history.ts';
import { type Inputs, openInputs } from './inputs.ts';
import { type Logging, openLogging } from './logging.ts';
import { openRuns, type Runs } from './runs.ts';

export type { HistoryRequest, SampleRequest } from './history.ts';
export type * from './types.ts';

export interface Tracking extends Experiments, Runs, Logging, Inputs, History {}

/** Tracking over one pool, as the schema's owner: the caller has decided whose namespace may be asked for. */
export const openTracking = (pool: Database): Tracking => ({
  ...openExperiments(pool),
  ...openRuns(pool),
  ...openLogging(pool),
  ...openInputs(pool),
  ...openHistory(pool),
});
