/** What the operator does with a tenant's namespace: asks who and how it is, writes Secrets, deletes one by name. */
import { z } from 'zod';
import { FIELD_MANAGER } from './apply.ts';
import { isNotFound } from './errors.ts';
import { resourcePath } from './paths.ts';
import type { Transport } from './transport.ts';
import { guardedWrites } from './writer.ts';

const SECRETS = { apiVersion: 'v1', plural: 'secrets' };
const NAMESPACES = { apiVersion: 'v1', plural: 'namespaces' };

const Namespace = z.object({
  metadata: z.object({
    uid: z.string(),
    annotations: z.record(z.string(), z.string()).default({}),
    deletionTimestamp: z.string().optional(),
  }),
});

interface Secret {
  readonly metadata: { readonly namespace: string; readonly name: string };
}

/** Uncached, and able to write only while this process leads. */
export function tenantAccess(transport: Transport, assertLeading: () => void) {
  const write = guardedWrites(transport, assertLeading);
  async function namespace(name: string): Promise<z.infer<typeof Namespace>['metadata']> {
    const path = `${resourcePath(NAMESPACES)}/${encodeURIComponent(name)}`;
    return Namespace.parse(await transport.json({ method: 'GET', path })).metadata;
  }

  return {
    async readNamespace(name: string): Promise<{ uid: string; annotations: Readonly<Record<string, string>> }> {
      const { uid, annotations } = await namespace(name);
      return { uid, annotations };
    },
    /** True on its way out, and when it is gone. */
    async isBeingDeleted(name: string): Promise<boolean> {
      try {
        return (await namespace(name)).deletionTimestamp !== undefined;
      } catch (error) {
        if (isNotFound(error)) return true;
        throw error;
      }
    },
    async applySecret(secret: Secret): Promise<void> {
      await write({
        method: 'PATCH',
        path: resourcePath(SECRETS, secret.metadata.namespace, secret.metadata.name),
        query: { fieldManager: FIELD_MANAGER, force: 'true' },
        contentType: 'application/apply-patch+yaml',
        body: secret,
      });
    },
    async deleteSecret(namespace: string, name: string): Promise<void> {
      try {
        await write({ method: 'DELETE', path: resourcePath(SECRETS, namespace, name) });
      } catch (error) {
        if (!isNotFound(error)) throw error;
      }
    },
  };
}
