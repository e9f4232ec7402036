/** Namespaces, asked of the API server. */

import { ApiException, CoreV1Api, type KubeConfig } from '@kubernetes/client-node';
import { ADOPT_ANNOTATION } from '@slipway/contract';
import type { NamespaceFacts } from './tenants.ts';

/** Longer than an API server that is well takes; a request waits for it. */
const TIMEOUT_MS = 3_000;

/** As `KubernetesTenantsOptions.read` wants it. */
export function namespaceReader(config: KubeConfig): (namespace: string) => Promise<NamespaceFacts | undefined> {
  const core = config.makeApiClient(CoreV1Api);
  const get = async (name: string): Promise<NamespaceFacts | undefined> => {
    try {
      const { metadata } = await core.readNamespace({ name });
      if (!metadata?.uid) return undefined;
      const { uid, annotations, deletionTimestamp } = metadata;
      return { uid, adoptUid: annotations?.[ADOPT_ANNOTATION], terminating: deletionTimestamp !== undefined };
    } catch (error) {
      if (error instanceof ApiException && error.code === 404) return undefined;
      throw error;
    }
  };
  return async (namespace) => {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(`no answer for ${TIMEOUT_MS} ms`)), TIMEOUT_MS);
    });
    try {
      return await Promise.race([get(namespace), late]);
    } finally {
      clearTimeout(timer);
    }
  };
}
