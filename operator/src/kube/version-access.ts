/** spec.version of an InferenceService, as a client of the service asks for it: written under a field manager of its own. */
import { z } from 'zod';
import type { KubeObject } from '../api/meta.ts';
import { resourcePath } from './paths.ts';
import type { Transport } from './transport.ts';

/** Who `kubectl get --show-managed-fields` names for a version that a client asked for. */
export const VERSION_MANAGER = 'slipway-version-api';

const SERVICES = { apiVersion: 'slipway.dev/v1alpha1', plural: 'inferenceservices' };
const TIMEOUT_MS = 5_000;

const Managed = z.object({
  metadata: z.object({
    generation: z.int().default(0),
    managedFields: z
      .array(
        z.object({
          manager: z.string().default(''),
          operation: z.string().default(''),
          fieldsV1: z.object({ 'f:spec': z.record(z.string(), z.unknown()).default({}) }).default({ 'f:spec': {} }),
        }),
      )
      .default([]),
  }),
});

/** Uncached; every failure is a KubeError. */
export function versionAccess(transport: Transport) {
  const pathOf = ({ metadata }: KubeObject): string => resourcePath(SERVICES, metadata.namespace, metadata.name);
  return {
    async applierOf(service: KubeObject): Promise<string | undefined> {
      const answer = await transport.json({ method: 'GET', path: pathOf(service), timeoutMs: TIMEOUT_MS });
      const declared = Managed.parse(answer).metadata.managedFields.find(
        ({ manager, operation, fieldsV1 }) =>
          operation === 'Apply' && manager !== VERSION_MANAGER && 'f:version' in fieldsV1['f:spec'],
      );
      return declared?.manager;
    },

    async setVersion(service: KubeObject, version: string): Promise<number> {
      const answer = await transport.json({
        method: 'PATCH',
        path: pathOf(service),
        query: { fieldManager: VERSION_MANAGER },
        contentType: 'application/merge-patch+json',
        // The uid is a precondition: a namesake made meanwhile is another service.
        body: { metadata: { uid: service.metadata.uid }, spec: { version } },
        timeoutMs: TIMEOUT_MS,
      });
      return Managed.parse(answer).metadata.generation;
    },
  };
}
