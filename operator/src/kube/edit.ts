/** Changes to objects that people write too: exactly the state that was read is changed, or nothing. */
import { z } from 'zod';
import type { KubeObject } from '../api/meta.ts';
import { FIELD_MANAGER } from './apply.ts';
import type { KubeEditor } from './client.ts';
import { isNotFound, KubeError } from './errors.ts';
import type { Access } from './writer.ts';

const MERGE = 'application/merge-patch+json';

const Managed = z.object({
  metadata: z.object({
    managedFields: z
      .array(
        z.object({
          manager: z.string().default(''),
          subresource: z.string().default(''),
          time: z.string().default(''),
          fieldsV1: z.object({ 'f:spec': z.record(z.string(), z.unknown()).default({}) }).default({ 'f:spec': {} }),
        }),
      )
      .default([]),
  }),
});

/** Who wrote any of these fields last, this operator left out. A field that was removed is nobody's: then who wrote last at all. */
function lastEditor(answer: unknown, fields: readonly string[]): string | undefined {
  const others = Managed.parse(answer)
    .metadata.managedFields.filter(
      ({ manager, subresource }) => !manager.startsWith(FIELD_MANAGER) && subresource === '',
    )
    .sort((a, b) => (a.time < b.time ? 1 : -1));
  const wrote = others.find(({ fieldsV1 }) => fields.some((field) => `f:${field}` in fieldsV1['f:spec']));
  return (wrote ?? others[0])?.manager;
}

export function editor(access: Access): KubeEditor {
  return {
    async patch(object, change) {
      // A namesake has another version, so the uid need not be named.
      const { resourceVersion } = object.metadata;
      const body = { ...change, metadata: { ...change.metadata, resourceVersion } };
      const path = access.pathOf(object);
      try {
        const query = { fieldManager: FIELD_MANAGER };
        const answer = await access.write({ method: 'PATCH', path, query, contentType: MERGE, body });
        access.observe(object, answer);
      } catch (error) {
        if (!isNotFound(error)) throw error;
        throw new KubeError(409, 'Conflict', `${nameOf(object)} is gone`, { cause: error });
      }
    },

    async editorOf(object, fields) {
      const answer = await access.transport.json({ method: 'GET', path: access.pathOf(object) }).catch((error) => {
        if (isNotFound(error)) return { metadata: {} };
        throw error;
      });
      return lastEditor(answer, fields);
    },
  };
}

const nameOf = ({ kind, metadata }: KubeObject): string => `${kind} ${metadata.namespace}/${metadata.name}`;
