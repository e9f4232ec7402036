/** A kind that did not exist before: the API server's memory of it begins when it is made. */
import { z } from 'zod';
import { type Kind, type KubeObject, Metadata } from '../../operator/src/api/meta.ts';
import type { Transport } from '../../operator/src/kube/transport.ts';
import { eventually } from '../support/eventually.ts';

export interface NewKind {
  readonly kind: Kind<KubeObject>;
  /** Makes an object of it. */
  put(namespace: string, name: string): Promise<unknown>;
  remove(): Promise<unknown>;
}

/** Defines the kind and waits until it is served. */
export async function newKind(api: Transport): Promise<NewKind> {
  const group = `g${Date.now().toString(36)}.slipway.test`;
  const apiVersion = `${group}/v1`;
  const path = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
  const schema = { openAPIV3Schema: { type: 'object' } };
  await api.json({
    method: 'POST',
    path,
    body: {
      apiVersion: 'apiextensions.k8s.io/v1',
      kind: 'CustomResourceDefinition',
      metadata: { name: `things.${group}` },
      spec: {
        group,
        scope: 'Namespaced',
        names: { kind: 'Thing', plural: 'things', singular: 'thing' },
        versions: [{ name: 'v1', served: true, storage: true, schema }],
      },
    },
  });
  const things = (namespace: string) => `/apis/${apiVersion}/namespaces/${namespace}/things`;
  await eventually(() => api.json({ method: 'GET', path: things('default') }), 20_000, 50);
  const parsed = z.object({ apiVersion: z.literal(apiVersion), kind: z.literal('Thing'), metadata: Metadata });
  return {
    kind: { apiVersion, kind: 'Thing', plural: 'things', parse: (raw) => parsed.parse(raw) as KubeObject },
    put: (namespace, name) =>
      api.json({
        method: 'POST',
        path: things(namespace),
        body: { apiVersion, kind: 'Thing', metadata: { namespace, name } },
      }),
    remove: () => api.json({ method: 'DELETE', path: `${path}/things.${group}` }),
  };
}
