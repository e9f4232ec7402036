/** A version that is served is not deleted; one that is not takes its row with it, but not while its namespace goes. */
import { withCondition } from '../../api/conditions.ts';
import type { Context, Finalized } from '../../runtime/reconcile.ts';
import { InferenceService } from '../inference-service/api.ts';
import { outageOf } from '../outage.ts';
import type { ControllerDeps } from '../ports.ts';
import { DELETION_BLOCKED, ModelVersion, type ModelVersionStatus, Reason } from './api.ts';
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
    if (await deps.namespaces.isBeingDeleted(namespace)) return { done: true };
    const version = await numberOf(deps, modelVersion);
    if (version === undefined || isMirroredElsewhere(ctx, modelVersion, version)) return { done: true };
    const services = usersOf(ctx.kube.list(InferenceService, { namespace }), modelVersion.spec.model, version);
    if (services.length > 0) return { done: false, status: blockedBy(modelVersion, services, version, ctx.now()) };
    await deps.versions.delete(namespace, modelVersion.spec.model, version, 'modelversion');
    return { done: true };
  } catch (error) {
    const { status } = modelVersion;
    const outage = outageOf(error, { health: deps.health(), status, summary: DELETION_BLOCKED, now: ctx.now() });
    if (!outage) throw error;
    return { done: false, status: blocked(modelVersion, outage, ctx.now()), requeueAfterMs: RETRY_MS };
  }
}

/** The number of the row this object mirrors; undefined when it never mirrored one. */
async function numberOf(deps: ControllerDeps, { metadata, spec, status }: ModelVersion): Promise<number | undefined> {
  if (status?.version !== undefined) return status.version;
  if (spec.version === undefined) return undefined;
  const row = await deps.versions.find(metadata.namespace, spec.model, spec.version);
  return row?.sourceUri === spec.source.uri ? spec.version : undefined;
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
