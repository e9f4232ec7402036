/** spec.version of an InferenceService, as a client of the service asks for it: written under a field manager of its own. */
import { z } from 'zod';
import type { KubeObject } from '../api/meta.ts';
import { KubeError } from './errors.ts';
import { resourcePath } from './paths.ts';
import type { Transport } from './transport.ts';

/** Who `kubectl get --show-managed-fields` names for a version that a client asked for. */
export const VERSION_MANAGER = 'slipway-version-api';

const SERVICES = { apiVersion: 'slipway.dev/v1alpha1', plural: 'inferenceservices' };
const TIMEOUT_MS = 5_000;

const Version = z.union([z.int(), z.string()]).default('latest').transform(String);

const Managed = z.object({
  metadata: z.object({
    uid: z.string().default(''),
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
  spec: z.object({ version: Version }).prefault({}),
});

/** spec.version as the API server has it. */
export interface DeclaredVersion {
  readonly version: string;
  readonly generation: number;
  /** Who declares it by server-side apply, clients of services left out; absent: nobody. */
  readonly applier?: string;
}

/** Uncached; every failure is a KubeError. */
export function versionAccess(transport: Transport) {
  const pathOf = ({ metadata }: KubeObject): string => resourcePath(SERVICES, metadata.namespace, metadata.name);
  return {
    async declared(service: KubeObject): Promise<DeclaredVersion> {
      const answer = await transport.json({ method: 'GET', path: pathOf(service), timeoutMs: TIMEOUT_MS });
      const { metadata, spec } = Managed.parse(answer);
      if (metadata.uid !== service.metadata.uid)
        throw new KubeError(409, 'Conflict', 'another object has the name now');
      const applied = metadata.managedFields.find(
        ({ manager, operation, fieldsV1 }) =>
          operation === 'Apply' && manager !== VERSION_MANAGER && 'f:version' in fieldsV1['f:spec'],
      );
      return { version: spec.version, generation: metadata.generation, ...(applied && { applier: applied.manager }) };
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
