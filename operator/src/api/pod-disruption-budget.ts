/** The policy/v1 PodDisruptionBudget the operator writes; of those in the cluster it reads the metadata only. */
import { z } from 'zod';
import { MANAGED_BY_SELECTOR } from './containers.ts';
import { type Kind, type KubeObject, Metadata } from './meta.ts';

const schema = z.object({
  apiVersion: z.literal('policy/v1'),
  kind: z.literal('PodDisruptionBudget'),
  metadata: Metadata,
});

export interface PodDisruptionBudget extends KubeObject {
  readonly spec?: {
    readonly maxUnavailable: number;
    readonly selector: { readonly matchLabels: Readonly<Record<string, string>> };
  };
}

export const PodDisruptionBudget: Kind<PodDisruptionBudget> = {
  apiVersion: 'policy/v1',
  kind: 'PodDisruptionBudget',
  plural: 'poddisruptionbudgets',
  selector: MANAGED_BY_SELECTOR,
  parse: (raw) => schema.parse(raw),
};
