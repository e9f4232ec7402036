/**
 * What rows say of objects that are gone: uses of services that do not exist any more, and runs whose TrainingJob was
 * deleted while nobody could close them. Decided from absence, so only after the caches have synced.
 */
import type { MirrorFeed, RunStore, UseStore } from '@slipway/database';
import { InferenceService } from '../controllers/inference-service/api.ts';
import { TrainingJob } from '../controllers/training-job/api.ts';
import type { KubeReader } from '../kube/client.ts';
import { UnreadableObjectError } from '../kube/object-cache.ts';

export interface Sweep {
  readonly feed: Pick<MirrorFeed, 'openRuns'>;
  readonly uses: UseStore;
  readonly runs: Pick<RunStore, 'fail'>;
  readonly kube: KubeReader;
  readonly now: () => Date;
}

export async function sweep({ feed, uses, runs, kube, now }: Sweep, namespace: string): Promise<void> {
  for (const service of await uses.services(namespace)) {
    if (!found(() => kube.get(InferenceService, { namespace, name: service })))
      await uses.release({ namespace, service });
  }
  for (const { runKey, trainingJob, ownerUid } of await feed.openRuns(namespace)) {
    const owner = found(() => kube.get(TrainingJob, { namespace, name: trainingJob }));
    if (owner === 'unreadable' || owner?.metadata.uid === ownerUid) continue;
    await runs.fail(namespace, runKey, {
      status: 'KILLED',
      reason: 'Deleted',
      message: `TrainingJob ${trainingJob} was deleted while it ran`,
      endTime: now().toISOString(),
    });
  }
}

/** An object that is there but cannot be read is there. */
export function found<T>(read: () => T | undefined): T | 'unreadable' | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof UnreadableObjectError) return 'unreadable';
    throw error;
  }
}
