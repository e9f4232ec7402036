/** The slice of apps/v1 Deployment the operator reads, and the Deployment it writes. Only Deployments it made are watched. */
import { z } from 'zod';
import { MANAGED_BY_SELECTOR, type PodTemplate } from './containers.ts';
import { type Kind, type KubeObject, Metadata } from './meta.ts';

const Container = z.object({
  name: z.string(),
  env: z.array(z.object({ name: z.string(), value: z.string().default('') })).default([]),
});

const Labels = z.record(z.string(), z.string()).default({});

const schema = z.object({
  apiVersion: z.literal('apps/v1'),
  kind: z.literal('Deployment'),
  metadata: Metadata,
  spec: z.object({
    replicas: z.int().default(1),
    template: z.object({
      metadata: z.object({ labels: Labels, annotations: Labels }).default({ labels: {}, annotations: {} }),
      spec: z.object({ containers: z.array(Container).default([]) }).default({ containers: [] }),
    }),
  }),
  status: z
    .object({
      observedGeneration: z.int().default(0),
      replicas: z.int().default(0),
      updatedReplicas: z.int().default(0),
      readyReplicas: z.int().default(0),
      availableReplicas: z.int().default(0),
      conditions: z
        .array(z.object({ type: z.string(), status: z.string(), message: z.string().exactOptional() }))
        .default([]),
    })
    .prefault({}),
});
export type Deployment = KubeObject & Readonly<Pick<z.infer<typeof schema>, 'spec' | 'status'>>;

export const Deployment: Kind<Deployment> = {
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  plural: 'deployments',
  selector: MANAGED_BY_SELECTOR,
  parse: (raw) => schema.parse(raw) as Deployment,
};

/** The Deployment the operator asks for. */
export interface DesiredDeployment extends KubeObject {
  readonly apiVersion: 'apps/v1';
  readonly kind: 'Deployment';
  readonly spec: {
    readonly replicas: number;
    readonly revisionHistoryLimit: number;
    readonly progressDeadlineSeconds: number;
    readonly strategy: object;
    readonly selector: { readonly matchLabels: Readonly<Record<string, string>> };
    readonly template: PodTemplate;
  };
}

/** True when its controller has seen the newest spec and every pod it wants is of the newest template and available. */
export function isRolledOut({ metadata, spec, status }: Deployment): boolean {
  const seen = status.observedGeneration >= (metadata.generation ?? 0);
  const { replicas, updatedReplicas, readyReplicas, availableReplicas } = status;
  return seen && [replicas, updatedReplicas, readyReplicas, availableReplicas].every((n) => n === spec.replicas);
}

/** Why its pods are not even made (a quota, an admission rule); undefined when they are. */
export const podsRefused = ({ status }: Deployment): string | undefined => {
  const failure = status.conditions.find((c) => c.type === 'ReplicaFailure' && c.status === 'True');
  return failure && (failure.message ?? 'the API server refuses the pods');
};
