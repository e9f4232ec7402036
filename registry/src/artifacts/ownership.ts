/** Where the holder of one run's token may write: artifacts of the run, of runs nested in it, and of models they logged. */
import type { LoggedModels, Tracking } from '@slipway/database';
import { ApiError } from '../errors.ts';
import type { Caller } from '../http/exchange.ts';

export interface Owners {
  readonly tracking: Pick<Tracking, 'runsById' | 'isBelow'>;
  readonly loggedModels: Pick<LoggedModels, 'byId'>;
}

const RUN = /^(\d+)\/([0-9a-f]{32})\/artifacts\/./;
const MODEL = /^(\d+)\/models\/(m-[0-9a-f]{32})\/./;

const notYours = () =>
  new ApiError(
    'PERMISSION_DENIED',
    'This token belongs to one training run and may write to that run, its artifacts and the models it logs only.',
  );

/** A run's own, or that of a run nested in it. */
const isRun = async ({ tracking }: Owners, namespace: string, run: string | undefined, own: string): Promise<boolean> =>
  run !== undefined && (run === own || (await tracking.isBelow(namespace, run, own)));

async function isOwn(owners: Owners, namespace: string, own: string, path: string): Promise<boolean> {
  const [, experiment, run] = RUN.exec(path) ?? [];
  if (run !== undefined) {
    const [found] = await owners.tracking.runsById(namespace, [run]);
    return found?.experimentId === experiment && isRun(owners, namespace, run, own);
  }
  const [, home, modelId] = MODEL.exec(path) ?? [];
  if (modelId === undefined) return false;
  const [model] = await owners.loggedModels.byId(namespace, [modelId]);
  return model?.experimentId === home && isRun(owners, namespace, model?.sourceRunId, own);
}

/** Throws 403 when the caller holds a run's token and the path is not that run's. */
export async function mustOwn(owners: Owners, caller: Caller, namespace: string, path: string): Promise<void> {
  if (caller.runId === undefined) return;
  if (!(await isOwn(owners, namespace, caller.runId, path))) throw notYours();
}
