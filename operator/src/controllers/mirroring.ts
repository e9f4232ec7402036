/**
 * Brings a ModelVersion object and its row together: what was changed on one side is written to the other, first to the
 * row (one transaction), then to the object (one patch under its resourceVersion, with the base of the next merge in it).
 * Stopped anywhere it finds the same labels on both sides the next time and only writes down that they agree.
 */
import type { ModelVersionRow } from '@slipway/database';
import type { KubeObject } from '../api/meta.ts';
import type { Kube } from '../kube/client.ts';
import type { Context, Note } from '../runtime/reconcile.ts';
import { labelsOf, NO_LABELS, projected, specOf, syncedOf, syncedText } from './mirror.ts';
import { ModelVersion, SYNCED_ANNOTATION } from './model-version/api.ts';
import { type Conflict, editedFields, type Merged, merge, type Sides } from './model-version/merge.ts';
import type { ControllerDeps } from './ports.ts';

export interface Mirrored {
  /** The object was written: the next turn has to look at it anew. */
  readonly rewritten: boolean;
  readonly notes: readonly Note[];
}

/** A version somebody brings has met no row before it has a number: what the annotation says then was copied from another. */
const isNew = ({ spec, status }: ModelVersion): boolean => spec.version === undefined && status?.version === undefined;

const sidesOf = (object: ModelVersion, row: ModelVersionRow): Sides => ({
  object: labelsOf(object.spec),
  base: (isNew(object) ? undefined : syncedOf(object)) ?? NO_LABELS,
  row: projected(row),
});

/** Writes what differs. An object and a row that agree cost nothing. */
export async function mirror(
  deps: Pick<ControllerDeps, 'versions'>,
  { kube }: Pick<Context, 'kube'>,
  object: ModelVersion,
  row: ModelVersionRow,
): Promise<Mirrored> {
  let merged = merge(sidesOf(object, row));
  if (isAgreed(object, merged) && !lacksGate(object, row)) return { rewritten: false, notes: [] };
  let after: ModelVersionRow | undefined = row;
  const fields = editedFields(merged.edit);
  if (fields.length > 0) {
    const takenElsewhere = await takenFrom(deps, kube, object, merged);
    const actor = `kubernetes/${(await kube.editorOf(object, fields)) ?? 'unknown'}`;
    after = await deps.versions.edit(row, actor, (locked) => {
      merged = merge({ ...sidesOf(object, locked), takenElsewhere });
      return merged.edit;
    });
  }
  // Deleted meanwhile: the next turn sees that.
  if (!after) return { rewritten: true, notes: [] };
  await kube.patch(object, patchFor(object, after));
  return { rewritten: true, notes: merged.conflicts.map(conflictNote) };
}

const isAgreed = (object: ModelVersion, { labels, edit }: Merged): boolean => {
  const text = syncedText(labels);
  const { annotations } = object.metadata;
  const isSame = syncedText(labelsOf(object.spec)) === text && annotations?.[SYNCED_ANNOTATION] === text;
  return isSame && editedFields(edit).length === 0;
};

/** Aliases the registry gave to a version whose object does not say so yet: whoever asked for them here had not seen it. */
async function takenFrom(
  { versions }: Pick<ControllerDeps, 'versions'>,
  kube: Kube,
  { metadata, spec, status }: ModelVersion,
  { edit }: Merged,
): Promise<ReadonlySet<string>> {
  const asked = edit.aliases?.set ?? [];
  if (asked.length === 0) return new Set();
  const holders = await versions.aliasHolders(metadata.namespace, spec.model, asked);
  const objects = kube.list(ModelVersion, { namespace: metadata.namespace });
  const isNews = ([alias, version]: readonly [string, number]): boolean => {
    if (version === (status?.version ?? spec.version)) return false;
    const holder = objects.find(
      (other) => other.spec.model === spec.model && (other.status?.version ?? other.spec.version) === version,
    );
    return !(holder && syncedOf(holder)?.aliases.includes(alias));
  };
  return new Set(
    Object.entries(holders)
      .filter(isNews)
      .map(([alias]) => alias),
  );
}

/** A version that a script registered is judged when its run ends: its object may be there by then. */
const lacksGate = ({ spec }: ModelVersion, { lineage }: ModelVersionRow): boolean =>
  spec.lineage !== undefined && spec.lineage.gate === undefined && lineage.gate !== undefined;

/** The object as it must be, as a merge patch: null removes. */
function patchFor(object: ModelVersion, row: ModelVersionRow) {
  const { spec } = object;
  const labels = projected(row);
  const { stage, aliases = null, tags, description = null } = specOf(labels);
  const dropped = Object.fromEntries(Object.keys(spec.tags ?? {}).map((key) => [key, null]));
  return {
    metadata: { annotations: { [SYNCED_ANNOTATION]: syncedText(labels) } },
    spec: {
      ...{ stage, aliases, tags: tags ? { ...dropped, ...tags } : null, description },
      ...(lacksGate(object, row) && { lineage: { gate: row.lineage.gate } }),
    },
  };
}

const conflictNote = ({ field, asked, stays }: Conflict): Note => ({
  type: 'Warning',
  reason: 'SyncConflict',
  note:
    `spec.${field}: ${asked.slice(0, 200)} was asked for here while the registry changed it too (${stays.slice(0, 200)}); ` +
    "the registry's word stays: change it again if it still has to be",
});

/** True when the object says something that its row has not been told yet. */
export const isEdited = (object: ModelVersion): boolean => {
  const synced = syncedOf(object);
  return synced !== undefined && syncedText(synced) !== syncedText(labelsOf(object.spec));
};

/** True when the operator made this object from a row, and may take it away again. */
export const isProjection = ({ metadata, spec }: KubeObject & Pick<ModelVersion, 'spec'>): boolean =>
  spec.version !== undefined && metadata.annotations?.[SYNCED_ANNOTATION] !== undefined;
