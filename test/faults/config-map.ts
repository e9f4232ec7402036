/** ConfigMaps stand in for our kinds: every API server has them, and nobody else writes them. */
import { z } from 'zod';
import { type Kind, type KubeObject, Metadata } from '../../operator/src/api/meta.ts';
import type { Transport } from '../../operator/src/kube/transport.ts';

export interface ConfigMap extends KubeObject {
  readonly data?: Readonly<Record<string, string>>;
}

const schema = z.object({
  apiVersion: z.literal('v1'),
  kind: z.literal('ConfigMap'),
  metadata: Metadata,
  data: z.record(z.string(), z.string()).exactOptional(),
});

/** Refuses an object that carries the key `poison`, so that there is something a Kind cannot read. */
export const ConfigMap: Kind<ConfigMap> = {
  apiVersion: 'v1',
  kind: 'ConfigMap',
  plural: 'configmaps',
  selector: 'slipway.dev/test=faults',
  parse(raw) {
    const object = schema.parse(raw);
    if (object.data?.['poison']) throw new Error('data.poison: must not be there');
    return object as ConfigMap;
  },
};

export const configMap = (namespace: string, name: string, data: Record<string, string> = {}): ConfigMap => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { namespace, name, labels: { 'slipway.dev/test': 'faults' } },
  data,
});

/** Makes or changes a ConfigMap as somebody else would. */
export const putConfigMap = (api: Transport, object: ConfigMap): Promise<unknown> =>
  api.json({
    method: 'PATCH',
    path: `/api/v1/namespaces/${object.metadata.namespace}/configmaps/${object.metadata.name}`,
    query: { fieldManager: 'somebody', force: 'true' },
    contentType: 'application/apply-patch+yaml',
    body: object,
  });

export const deleteConfigMap = (api: Transport, { metadata }: KubeObject): Promise<unknown> =>
  api.json({ method: 'DELETE', path: `/api/v1/namespaces/${metadata.namespace}/configmaps/${metadata.name}` });

/** A namespace for one test file, removed when `cleanUp` is called. */
export async function testNamespace(api: Transport, prefix: string) {
  const name = `${prefix}-${Date.now().toString(36)}${process.pid.toString(36)}`;
  const body = { apiVersion: 'v1', kind: 'Namespace', metadata: { name } };
  await api.json({ method: 'POST', path: '/api/v1/namespaces', body });
  return { name, cleanUp: () => api.json({ method: 'DELETE', path: `/api/v1/namespaces/${name}` }) };
}
