/** What the operator does with a tenant's namespace: asks who and how it is, writes Secrets, deletes one by name. */
import { z } from 'zod';
import { TerminalError } from '../api/errors.ts';
import { FIELD_MANAGER } from './apply.ts';
import { isForbidden, isInvalid, isNotFound, type KubeError } from './errors.ts';
import { resourcePath } from './paths.ts';
import type { Transport } from './transport.ts';
import { guardedWrites } from './writer.ts';

const SECRETS = { apiVersion: 'v1', plural: 'secrets' };
const NAMESPACES = { apiVersion: 'v1', plural: 'namespaces' };

const Namespace = z.object({
  metadata: z.object({
    uid: z.string(),
    annotations: z.record(z.string(), z.string()).default({}),
    labels: z.record(z.string(), z.string()).default({}),
    deletionTimestamp: z.string().optional(),
  }),
});

interface Secret {
  readonly metadata: { readonly namespace: string; readonly name: string };
}

/** Quotas are raised and Roles bound without a watch telling us. */
const LOOK_AGAIN_MS = 60_000;

/** A refusal that will not pass by itself, in words for whoever looks at the object; the rest is ours to retry. */
function secretRefusal({ metadata: { namespace, name } }: Secret, error: unknown): unknown {
  if (!isForbidden(error) && !isInvalid(error)) return error;
  return new TerminalError(
    'TenantSecretsRefused',
    `the API server refuses Secret ${namespace}/${name}, which the pods of this namespace need: ` +
      `${(error as KubeError).message}. Raise the quota, change the policy or bind the operator's Role in ${namespace} ` +
      `(kubectl auth can-i patch secrets/${name} -n ${namespace} --as=<the operator's ServiceAccount>), whichever it names; ` +
      'it is tried again every minute',
    { cause: error, retryAfterMs: LOOK_AGAIN_MS },
  );
}

function namespaceRefusal(name: string, error: unknown): unknown {
  if (!isForbidden(error)) return error;
  return new TerminalError(
    'NamespaceForbidden',
    `the operator may not get namespace ${name}: ${(error as KubeError).message}. Bind the operator's Role in ${name} ` +
      '(operator.watchNamespaces and rbac.create of the chart do it); it is tried again every minute',
    { cause: error, retryAfterMs: LOOK_AGAIN_MS },
  );
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
      const { uid, annotations } = await namespace(name).catch((error) => {
        throw namespaceRefusal(name, error);
      });
      return { uid, annotations };
    },
    /** The uid of a namespace that is there to stay; undefined when it is gone, on its way out, or not ours to see. */
    async uidOf(name: string): Promise<string | undefined> {
      try {
        const { uid, deletionTimestamp } = await namespace(name);
        return deletionTimestamp === undefined ? uid : undefined;
      } catch (error) {
        if (isNotFound(error) || isForbidden(error)) return undefined;
        throw error;
      }
    },
    /** Its labels; none when it is gone. TerminalError when it may not be asked for. */
    async labelsOf(name: string): Promise<Readonly<Record<string, string>>> {
      try {
        return (await namespace(name)).labels;
      } catch (error) {
        if (isNotFound(error)) return {};
        throw namespaceRefusal(name, error);
      }
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
      }).catch((error) => {
        throw secretRefusal(secret, error);
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
