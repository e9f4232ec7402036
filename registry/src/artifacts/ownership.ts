/** Where the holder of one run's token may write: the run's artifacts, and those of models it logged. */
import type { LoggedModels, Tracking } from '@slipway/database';
import { ApiError } from '../errors.ts';
import type { Caller } from '../http/exchange.ts';

export interface Owners {
  readonly tracking: Pick<Tracking, 'runsById'>;
  readonly loggedModels: Pick<LoggedModels, 'byId'>;
}

const RUN = /^(\d+)\/([0-9a-f]{32})\/artifacts\/./;
const MODEL = /^(\d+)\/models\/(m-[0-9a-f]{32})\/./;

const notYours = () =>
  new ApiError(
    'PERMISSION_DENIED',
    'This token belongs to one training run and may write to that run, its artifacts and the models it logs only.',
  );

async function isOwn(owners: Owners, namespace: string, runId: string, path: string): Promise<boolean> {
  const [, experiment, run] = RUN.exec(path) ?? [];
  if (run !== undefined) {
    if (run !== runId) return false;
    const [found] = await owners.tracking.runsById(namespace, [run]);
    return found?.experimentId === experiment;
  }
  const [, home, modelId] = MODEL.exec(path) ?? [];
  if (modelId === undefined) return false;
  const [model] = await owners.loggedModels.byId(namespace, [modelId]);
  return model?.sourceRunId === runId && model.experimentId === home;
}

/** Throws 403 when the caller holds a run's token and the path is not that run's. */
export async function mustOwn(owners: Owners, caller: Caller, namespace: string, path: string): Promise<void> {
  if (caller.runId === undefined) return;
  if (!(await isOwn(owners, namespace, caller.runId, path))) throw notYours();
}
