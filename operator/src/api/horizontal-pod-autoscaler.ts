/**
 * The autoscaling/v2 HorizontalPodAutoscaler the operator writes, and what it reads of those that others made: one on a
 * Deployment of ours must not be fought over. So all of them are watched.
 */
import { z } from 'zod';
import { type Kind, type KubeObject, Metadata } from './meta.ts';

const Target = z.object({ apiVersion: z.string().default(''), kind: z.string(), name: z.string() });

const schema = z.object({
  apiVersion: z.literal('autoscaling/v2'),
  kind: z.literal('HorizontalPodAutoscaler'),
  metadata: Metadata,
  spec: z.object({ scaleTargetRef: Target }),
  status: z
    .object({
      conditions: z
        .array(
          z.object({
            type: z.string(),
            status: z.string(),
            reason: z.string().default(''),
            message: z.string().default(''),
          }),
        )
        .nullish(),
    })
    .prefault({}),
});
export type HorizontalPodAutoscaler = KubeObject & Readonly<Pick<z.infer<typeof schema>, 'spec' | 'status'>>;

export const HorizontalPodAutoscaler: Kind<HorizontalPodAutoscaler> = {
  apiVersion: 'autoscaling/v2',
  kind: 'HorizontalPodAutoscaler',
  plural: 'horizontalpodautoscalers',
  parse: (raw) => schema.parse(raw) as HorizontalPodAutoscaler,
};

/** The HorizontalPodAutoscaler the operator asks for. */
export interface DesiredAutoscaler extends KubeObject {
  readonly spec: {
    readonly scaleTargetRef: z.infer<typeof Target>;
    readonly minReplicas: number;
    readonly maxReplicas: number;
    readonly metrics: readonly object[];
  };
}

/** Whether it can tell how many are needed, and in its words why not; undefined before it has looked. */
export function scalingActive({
  status,
}: HorizontalPodAutoscaler): { readonly active: boolean; readonly message: string } | undefined {
  const found = status.conditions?.find(({ type }) => type === 'ScalingActive');
  return found && { active: found.status === 'True' || found.reason === 'ScalingDisabled', message: found.message };
}

/** The name of the Deployment it scales; undefined when it scales something else, or cannot be read. */
export function scaledDeployment(object: KubeObject): string | undefined {
  const target = (object as Partial<HorizontalPodAutoscaler>).spec?.scaleTargetRef;
  return target?.kind === 'Deployment' ? target.name : undefined;
}
