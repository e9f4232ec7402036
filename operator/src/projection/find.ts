/** The object that stands for a row, and whether it says what the row says. Reads the cache alone. */
import type { MirroredRow } from '@slipway/database';
import { projected, syncedText } from '../controllers/mirror.ts';
import { ModelVersion, SYNCED_ANNOTATION } from '../controllers/model-version/api.ts';
import { modelVersionName } from '../controllers/model-version/names.ts';
import type { KubeReader } from '../kube/client.ts';

/** The number an object stands for; undefined until it has one. */
export const numberOf = ({ spec, status }: ModelVersion): number | undefined => status?.version ?? spec.version;

const standsFor = (object: ModelVersion, { model, version }: MirroredRow): boolean =>
  object.spec.model === model && numberOf(object) === version;

/** `taken`: the name the object would have belongs to another one. `unreadable`: something is there that cannot be read. */
export function findMirror(kube: KubeReader, row: MirroredRow): ModelVersion | 'taken' | 'unreadable' | undefined {
  const { namespace, model, version, objectUid } = row;
  if (objectUid !== undefined) {
    const own = kube.list(ModelVersion, { namespace }).find(({ metadata }) => metadata.uid === objectUid);
    if (own) return own;
  }
  try {
    const named = kube.get(ModelVersion, { namespace, name: modelVersionName(model, version) });
    if (!named) return undefined;
    return standsFor(named, row) ? named : 'taken';
  } catch {
    return 'unreadable';
  }
}

/** True when the object was written with what the row says now. */
export const agrees = ({ metadata }: ModelVersion, row: MirroredRow): boolean =>
  metadata.annotations?.[SYNCED_ANNOTATION] === syncedText(projected(row));
