/** Which run a request speaks of, and whether it may be written to. */
import type { RunOutcome, Tracking } from '@slipway/database';
import { z } from 'zod';
import { type ApiError, invalid, missing } from '../errors.ts';
import { requiredText } from '../http/parameters.ts';
import type { Call } from './endpoint.ts';

/** Parameters of a request about one run. Clients of before MLflow 1.0 call its id run_uuid. */
export const ofRun = <Shape extends z.core.$ZodLooseShape>(shape: Shape) =>
  z.preprocess(
    (parameters) => {
      const { run_id, run_uuid } = parameters as Record<string, unknown>;
      return run_uuid != null && (run_id == null || run_id === '')
        ? { ...(parameters as object), run_id: run_uuid }
        : parameters;
    },
    z.object({ run_id: requiredText(), ...shape }),
  );

/** The refusal for a run that is not there. */
export const noRun = (runId: string): ApiError => missing(`Run with id=${runId} not found`);

/** Why a run that is not active was not written to. */
export const refusedRun = (outcome: Exclude<RunOutcome, 'active'>, runId: string): ApiError =>
  outcome === 'missing'
    ? noRun(runId)
    : invalid(`The run ${runId} must be in the 'active' state. Current state is deleted.`);

/** Goes on when the run was active. */
export function expectActiveRun(outcome: RunOutcome, runId: string): void {
  if (outcome !== 'active') throw refusedRun(outcome, runId);
}

/** For a caller with the token of one run: that run, when the one that is written to is it or was made below it. */
export async function runOwner(tracking: Tracking, { namespace, caller }: Call, runId: string): Promise<string> {
  if (caller.runId === undefined || runId === caller.runId) return runId;
  return (await tracking.isBelow(namespace, runId, caller.runId)) ? caller.runId : runId;
}
