/** A version that is served is not deleted; one that is not takes its row with it, but not while its namespace goes. */
import type { ModelVersionRow, VersionRef } from '@slipway/database';
import { withCondition } from '../../api/conditions.ts';
import type { Context, Finalized } from '../../runtime/reconcile.ts';
import { InferenceService } from '../inference-service/api.ts';
import { outageOf } from '../outage.ts';
import type { ControllerDeps } from '../ports.ts';
import { DELETION_BLOCKED, ModelVersion, type ModelVersionStatus, Reason, UNPROJECT_ANNOTATION } from './api.ts';
import { withServedBy } from './status.ts';
import { usersOf } from './usage.ts';

const RETRY_MS = 10_000;

export async function finalize(
  deps: ControllerDeps,
  ctx: Context,
  modelVersion: ModelVersion,
): Promise<Finalized<ModelVersionStatus>> {
  const { namespace } = modelVersion.metadata;
  try {
    if (isUnprojected(modelVersion) || (await deps.namespaces.isBeingDeleted(namespace))) return { done: true };
    const row = await rowOf(deps, modelVersion);
    if (!row || isMirroredElsewhere(ctx, modelVersion, row.version)) return { done: true };
    const services = ctx.kube.list(InferenceService, { namespace });
    // Who wants it counts as much as who has it; the latter is asked of Postgres, under the version's lock.
    const wanting = usersOf(services, row.model, row.version);
    const using = wanting.length > 0 ? wanting : await deleteRow(deps, row, services);
    if (using.length === 0) return { done: true };
    return { done: false, status: blockedBy(modelVersion, using, row.version, ctx.now()), requeueAfterMs: RETRY_MS };
  } catch (error) {
    const { status } = modelVersion;
    const outage = outageOf(error, { health: deps.health(), status, summary: DELETION_BLOCKED, now: ctx.now() });
    if (!outage) throw error;
    return { done: false, status: blocked(modelVersion, outage, ctx.now()), requeueAfterMs: RETRY_MS };
  }
}

const deleteRow = (
  { versions }: ControllerDeps,
  row: VersionRef,
  services: readonly InferenceService[],
): Promise<readonly string[]> =>
  versions.delete(row, { actor: 'modelversion', services: services.map(({ metadata }) => metadata.name) });

/** The operator itself takes the object away: the version stays. */
const isUnprojected = ({ metadata }: ModelVersion): boolean =>
  metadata.annotations?.[UNPROJECT_ANNOTATION] !== undefined;

/**
 * The row this object mirrors; undefined when it never mirrored one, or when the registry has deleted it. Of another source
 * it is another version, of a model made under the name this one had before it was renamed.
 */
async function rowOf(deps: ControllerDeps, { metadata, spec }: ModelVersion): Promise<ModelVersionRow | undefined> {
  const { namespace, uid = '' } = metadata;
  // One that was brought may have a number that its status does not tell yet.
  const row =
    spec.version === undefined
      ? await deps.versions.findBrought(namespace, uid)
      : await deps.versions.find(namespace, spec.model, spec.version);
  if (!row || row.status === 'DELETED') return undefined;
  return row.sourceUri === spec.source.uri ? row : undefined;
}

/** Another object stands for the same version and stays. */
const isMirroredElsewhere = ({ kube }: Context, { metadata, spec }: ModelVersion, version: number): boolean =>
  kube
    .list(ModelVersion, { namespace: metadata.namespace })
    .some(
      (other) =>
        other.metadata.name !== metadata.name &&
        other.metadata.deletionTimestamp === undefined &&
        other.spec.model === spec.model &&
        other.status?.version === version,
    );

function blockedBy(modelVersion: ModelVersion, services: readonly string[], version: number, now: Date) {
  const { namespace } = modelVersion.metadata;
  const names = services.map((name) => `InferenceService ${name}`).join(', ');
  const message =
    `version ${version} is served or wanted by ${names}: switch to another version ` +
    `(kubectl patch infsvc ${services[0]} -n ${namespace} --type=merge -p '{"spec":{"version":"latest"}}') or delete the service`;
  return withServedBy(blocked(modelVersion, { reason: Reason.InUse, message }, now), services);
}

const blocked = (
  { metadata, status }: ModelVersion,
  words: { reason: string; message: string },
  now: Date,
): ModelVersionStatus => {
  const at = { now, generation: metadata.generation };
  const condition = { type: DELETION_BLOCKED, status: 'True', ...words } as const;
  return { ...status, conditions: withCondition(status?.conditions ?? [], condition, at) };
};
