/** How far a search is, for its status and for people. Pure. */
import type { Run } from '@slipway/database';
import { Reason, type RunStatus, type Search } from './api.ts';
import type { Progress } from './progress.ts';
import { bestText, standingOf, trialsOf } from './search.ts';

export interface SearchStatus {
  readonly trials: NonNullable<RunStatus['trials']>;
  /** For `status.progress`. */
  readonly progress: string;
  /** Why `Succeeded` is Unknown. */
  readonly doing: Progress;
}

/** `run` is the search, `trials` those of its trials that were started. */
export function searchStatus(search: Search, run: Run, trials: readonly Run[]): SearchStatus {
  const total = trialsOf(search, run.parameters).length;
  const standing = standingOf(search, trials, total);
  const { succeeded, failed } = standing;
  const best = bestText(search, standing);
  const ended = succeeded + failed;
  const open = trials.filter(({ status }) => status === 'RUNNING').length;
  const soFar = best === undefined ? '' : `; the best so far: ${best}`;
  return {
    trials: { total, succeeded, failed, ...(best !== undefined && { best }) },
    progress: `${total === 0 ? 0 : Math.floor((100 * ended) / total)}% (${ended} of ${total} trials)`,
    doing: {
      reason: Reason.Running,
      message: `${ended} of ${total} trials have ended, ${failed} of them failed; ${open} run now${soFar}`,
    },
  };
}
