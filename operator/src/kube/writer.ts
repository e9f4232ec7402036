/** The writes that are not an apply, and what all writes have in common. */
import type { Kind, KubeObject } from '../api/meta.ts';
import { isInvalid, isNotFound, KubeError } from './errors.ts';
import type { Entry } from './object-cache.ts';
import type { KubeRequest, Transport } from './transport.ts';

/** How the writers reach the cluster and the cache. */
export interface Access {
  readonly transport: Transport;
  /** Sends only while this process leads; the check is made when the connection stands. */
  write(request: KubeRequest): Promise<unknown>;
  pathOf(object: KubeObject): string;
  cached(object: KubeObject): Entry | undefined;
  /** Lets the cache know what a write left behind, so that the next read sees it. */
  observe(object: KubeObject, answer: unknown): void;
}

/** Writes that are sent only while this process leads; the check is made again when the connection stands. */
export const guardedWrites =
  (transport: Transport, assertLeading: () => void) =>
  async (request: KubeRequest): Promise<unknown> => {
    assertLeading();
    return await transport.json({ ...request, guard: assertLeading });
  };

type Operation = { readonly op: 'test' | 'add' | 'replace'; readonly path: string; readonly value: unknown };

export function writer(access: Access) {
  async function remove<T extends KubeObject>(
    _kind: Kind<T>,
    object: T,
    options: { readonly propagation?: 'Background' | 'Foreground' } = {},
  ): Promise<void> {
    const { uid, resourceVersion } = object.metadata;
    const body = {
      apiVersion: 'v1',
      kind: 'DeleteOptions',
      propagationPolicy: options.propagation ?? 'Background',
      preconditions: { uid, resourceVersion },
    };
    try {
      await access.write({ method: 'DELETE', path: access.pathOf(object), body });
    } catch (error) {
      if (!isNotFound(error)) throw error;
    }
  }

  /** Replaces the finalizers of exactly the state that was read. */
  async function setFinalizers(object: KubeObject, finalizers: readonly string[]): Promise<void> {
    const { uid, resourceVersion } = object.metadata;
    const body: Operation[] = [
      { op: 'test', path: '/metadata/uid', value: uid },
      { op: 'test', path: '/metadata/resourceVersion', value: resourceVersion },
      { op: 'add', path: '/metadata/finalizers', value: finalizers },
    ];
    try {
      const contentType = 'application/json-patch+json';
      const answer = await access.write({ method: 'PATCH', path: access.pathOf(object), contentType, body });
      access.observe(object, answer);
    } catch (error) {
      // A failed `test` is answered as an invalid request.
      if (!isInvalid(error)) throw error;
      const { kind, metadata } = object;
      const message = `${kind} ${metadata.namespace}/${metadata.name} changed since it was read`;
      throw new KubeError(409, 'Conflict', message, { cause: error });
    }
  }

  const addFinalizer = (object: KubeObject, finalizer: string): Promise<void> =>
    setFinalizers(object, [...(object.metadata.finalizers ?? []), finalizer]);

  async function removeFinalizer(object: KubeObject, finalizer: string): Promise<void> {
    const left = (object.metadata.finalizers ?? []).filter((name) => name !== finalizer);
    await setFinalizers(object, left).catch((error) => {
      if (!isNotFound(error)) throw error;
    });
  }

  return { delete: remove, addFinalizer, removeFinalizer };
}
