/** One namespace, rows against objects: what is missing is made, what differs is looked at, what is too much is taken away. */
import { setTimeout as delay } from 'node:timers/promises';
import type { MirroredRow, MirrorFeed } from '@slipway/database';
import type { ObjectKey } from '../api/meta.ts';
import { InferenceService } from '../controllers/inference-service/api.ts';
import { isEdited, isProjection } from '../controllers/mirroring.ts';
import { ModelVersion, UNPROJECT_ANNOTATION } from '../controllers/model-version/api.ts';
import { usersOf } from '../controllers/model-version/usage.ts';
import type { Kube } from '../kube/client.ts';
import { isConflict, isForbidden } from '../kube/errors.ts';
import type { Logger } from '../runtime/reconcile.ts';
import { agrees, findMirror, numberOf } from './find.ts';

export interface Comparison {
  readonly feed: Pick<MirrorFeed, 'page' | 'findVersion'>;
  readonly kube: Kube;
  /** Lets the ModelVersion controller look at an object. */
  readonly look: (key: ObjectKey) => void;
  /** Lets the row of that key be projected. */
  readonly project: (versionKey: string) => void;
  readonly signal: AbortSignal;
  readonly log: Logger;
}

/** Between two pages: rows are compared at the database's leisure. */
const PAUSE_MS = 50;

const idOf = (model: string, version: number | undefined): string => `${model}\n${version}`;

export async function compareNamespace(comparison: Comparison, namespace: string): Promise<void> {
  const { feed, kube, signal, log } = comparison;
  // Taken before the rows are read: an object made meanwhile is not judged by rows that are older than it.
  const objects = kube.list(ModelVersion, { namespace });
  const wanted = new Set<string>();
  for (let after: string | undefined = ''; after !== undefined; ) {
    const page: Awaited<ReturnType<typeof feed.page>> = await feed.page(namespace, after);
    for (const row of page.rows) {
      wanted.add(idOf(row.model, row.version));
      await compareRow(comparison, row);
    }
    after = page.last;
    if (after !== undefined) await delay(PAUSE_MS, undefined, { signal }).catch(() => {});
    if (signal.aborted) return;
  }
  for (const object of objects) {
    const isGoing = object.metadata.deletionTimestamp !== undefined;
    if (isGoing || wanted.has(idOf(object.spec.model, numberOf(object)))) continue;
    await unlessRefused(log, retire(comparison, object));
  }
}

/** Somebody wrote the object at the same time, or we may not: the next comparison sees how it is then. */
const unlessRefused = (log: Logger, work: Promise<void>): Promise<void> =>
  work.catch((error) => {
    if (isForbidden(error))
      log.warn({ error }, 'a ModelVersion that belongs in the registry alone could not be taken away');
    else if (!isConflict(error)) throw error;
  });

async function compareRow({ kube, look, project, log }: Comparison, row: MirroredRow): Promise<void> {
  const found = findMirror(kube, row);
  if (found === 'taken' || found === 'unreadable') return;
  if (!found) return project(row.versionKey);
  if (found.metadata.annotations?.[UNPROJECT_ANNOTATION] !== undefined && !found.metadata.deletionTimestamp) {
    // It was about to be taken away and is wanted again.
    await unlessRefused(log, kube.patch(found, { metadata: { annotations: { [UNPROJECT_ANNOTATION]: null } } }));
  }
  if (!agrees(found, row)) look(found.metadata);
}

/** Takes an object away whose version stays in the registry; one whose version is deleted is the controller's to judge. */
async function retire({ feed, kube, look }: Comparison, object: ModelVersion): Promise<void> {
  const { metadata, spec } = object;
  const { namespace } = metadata;
  const version = numberOf(object);
  if (version === undefined) return;
  const row = await feed.findVersion({ namespace, model: spec.model, version });
  if (!row || row.status === 'DELETED') return look(metadata);
  if (row.isWanted || !isProjection(object)) return;
  // What somebody just asked for here may make it wanted: the row has to hear of it first.
  if (isEdited(object)) return look(metadata);
  if (usersOf(kube.list(InferenceService, { namespace }), spec.model, version).length > 0) return;
  await kube.patch(object, { metadata: { annotations: { [UNPROJECT_ANNOTATION]: 'true' } } });
  const marked = kube.get(ModelVersion, metadata);
  if (marked?.metadata.annotations?.[UNPROJECT_ANNOTATION] !== undefined) await kube.delete(ModelVersion, marked);
}
