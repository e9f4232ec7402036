/** From a changed object to the keys of one controller that have to be looked at. Pure. */
import type { Kind, KubeObject, ObjectKey } from '../api/meta.ts';
import type { KubeReader } from '../kube/client.ts';
import type { Change } from '../kube/informer.ts';
import type { ControllerDefinition } from './reconcile.ts';

const isKind = (a: { apiVersion: string; kind: string }, b: { apiVersion: string; kind: string }): boolean =>
  a.apiVersion === b.apiVersion && a.kind === b.kind;

/** The key of the controller owner, if it is of this kind. The API version it was written with does not matter. */
function ownerKey(owner: Kind<KubeObject>, { metadata }: KubeObject): readonly ObjectKey[] {
  const group = owner.apiVersion.split('/')[0];
  const ref = metadata.ownerReferences?.find(({ controller }) => controller === true);
  if (ref?.kind !== owner.kind || ref.apiVersion.split('/')[0] !== group) return [];
  return [{ namespace: metadata.namespace, name: ref.name }];
}

/** Every kind a controller reads or writes. */
export const kindsOf = (definition: ControllerDefinition): readonly Kind<KubeObject>[] => [
  definition.for,
  ...definition.owns,
  ...(definition.watches ?? []).map(({ kind }) => kind),
];

/** The keys this controller has to look at; the states before and after both count, so that a moved reference does. */
export function keysFor(
  definition: ControllerDefinition,
  kind: Kind<KubeObject>,
  { before, after }: Change,
  kube: KubeReader,
): readonly ObjectKey[] {
  const states = [before, after].filter((state) => state !== undefined);
  const changed = before === after && before !== undefined ? [before] : states;
  const found: ObjectKey[] = [];
  for (const state of changed) {
    if (isKind(definition.for, kind)) found.push(state.metadata);
    if (definition.owns.some((owned) => isKind(owned, kind))) found.push(...ownerKey(definition.for, state));
    for (const watch of definition.watches ?? []) if (isKind(watch.kind, kind)) found.push(...watch.keys(state, kube));
  }
  return found;
}
