/** Tells when the last object of a namespace is gone, and has stayed away for a while. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Kind, KubeObject } from '../api/meta.ts';
import type { KubeReader } from '../kube/client.ts';
import type { Change } from '../kube/informer.ts';

export interface EmptyNamespacesOptions {
  /** The kinds that make a namespace a tenant. */
  readonly kinds: readonly Kind<KubeObject>[];
  readonly kube: () => KubeReader;
  /** False while absence proves nothing: the caches are not whole, or this process does not lead. */
  readonly mayDecide: () => boolean;
  /** Its failures are the caller's to report. */
  readonly onEmpty: (namespace: string) => Promise<void>;
  readonly signal: AbortSignal;
  /** Somebody who deletes and applies again should find everything in place. */
  readonly graceMs?: number;
}

/** A handler for every change; cheap for those that delete nothing. */
export function watchEmptyNamespaces(
  options: EmptyNamespacesOptions,
): (kind: Kind<KubeObject>, change: Change) => void {
  const { kinds, kube, mayDecide, onEmpty, signal, graceMs = 30_000 } = options;
  const pending = new Set<string>();
  const isEmpty = (namespace: string): boolean =>
    mayDecide() && kinds.every((kind) => kube().list(kind, { namespace }).length === 0);

  async function decide(namespace: string): Promise<void> {
    await delay(graceMs, undefined, { signal, ref: false }).catch(() => {});
    pending.delete(namespace);
    if (!signal.aborted && isEmpty(namespace)) await onEmpty(namespace);
  }

  return (kind, { before, after }) => {
    const namespace = before?.metadata.namespace;
    if (after || namespace === undefined || pending.has(namespace)) return;
    if (!kinds.some(({ apiVersion, kind: name }) => apiVersion === kind.apiVersion && name === kind.kind)) return;
    if (!isEmpty(namespace)) return;
    pending.add(namespace);
    void decide(namespace);
  };
}
