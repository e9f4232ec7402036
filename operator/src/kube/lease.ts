/** The coordination.k8s.io/v1 Lease that leaders are elected by. */
import { z } from 'zod';
import type { LeaseClient, LeaseRecord, LeaseUpdate } from '../runtime/election.ts';
import { isConflict, isNotFound } from './errors.ts';
import { microTime } from './events.ts';
import { resourcePath } from './paths.ts';
import type { Transport } from './transport.ts';

const LEASES = { apiVersion: 'coordination.k8s.io/v1', plural: 'leases' };

const Lease = z.object({
  metadata: z.object({ resourceVersion: z.string(), creationTimestamp: z.string() }),
  spec: z
    .object({
      holderIdentity: z.string().nullish(),
      leaseDurationSeconds: z.int().nullish(),
      leaseTransitions: z.int().nullish(),
      acquireTime: z.string().nullish(),
      renewTime: z.string().nullish(),
    })
    .nullish(),
});

function recordOf(raw: unknown): LeaseRecord {
  const { metadata, spec } = Lease.parse(raw);
  return {
    version: metadata.resourceVersion,
    holder: spec?.holderIdentity ?? '',
    durationSeconds: spec?.leaseDurationSeconds ?? 0,
    transitions: spec?.leaseTransitions ?? 0,
    acquireTime: spec?.acquireTime ?? undefined,
    createdAt: Math.floor(Date.parse(metadata.creationTimestamp) / 1000),
  };
}

/** Replaces only the version it was told of, so that of two candidates one is refused. */
export function leaseClient(
  transport: Transport,
  { namespace, name, now }: { readonly namespace: string; readonly name: string; readonly now: () => Date },
): LeaseClient {
  const path = resourcePath(LEASES, namespace, name);
  const timeoutMs = 5_000;

  function bodyOf(next: LeaseUpdate, resourceVersion?: string) {
    const time = microTime(now());
    return {
      apiVersion: LEASES.apiVersion,
      kind: 'Lease',
      metadata: { namespace, name, resourceVersion },
      spec: {
        holderIdentity: next.holder,
        leaseDurationSeconds: next.durationSeconds,
        leaseTransitions: next.transitions,
        acquireTime: next.acquireTime ?? time,
        renewTime: time,
      },
    };
  }

  return {
    async read() {
      try {
        return recordOf(await transport.json({ method: 'GET', path, timeoutMs }));
      } catch (error) {
        if (isNotFound(error)) return undefined;
        throw error;
      }
    },
    async write(next, version) {
      const create = version === undefined;
      try {
        const answer = await transport.json({
          method: create ? 'POST' : 'PUT',
          path: create ? resourcePath(LEASES, namespace) : path,
          body: bodyOf(next, version),
          timeoutMs,
        });
        return recordOf(answer);
      } catch (error) {
        if (isConflict(error)) return undefined;
        throw error;
      }
    },
  };
}
