/**
 * Who says how many pods answer: always `spec.replicas` of the InferenceService. The autoscaler made for
 * `spec.autoscaling` writes it through the object's scale, as `kubectl scale` does, so it holds through a rollout, a
 * restart of the operator and a manifest applied again, and stays what it is when the autoscaler goes. Pure.
 */
import type { DesiredAutoscaler, HorizontalPodAutoscaler } from '../../api/horizontal-pod-autoscaler.ts';
import { scaledDeployment } from '../../api/horizontal-pod-autoscaler.ts';
import { API_VERSION, controllerReference, isControlledBy } from '../../api/meta.ts';
import type { InferenceService } from './api.ts';
import { childKey, labelsFor, SERVER_CONTAINER } from './names.ts';

/** The autoscaler of `spec.autoscaling`; undefined without it. Only the model server's own CPU counts. */
export function autoscalerFor(owner: InferenceService): DesiredAutoscaler | undefined {
  const { autoscaling } = owner.spec;
  if (!autoscaling) return undefined;
  const { minReplicas, maxReplicas, targetCPUUtilization: averageUtilization } = autoscaling;
  const target = { type: 'Utilization', averageUtilization };
  return {
    apiVersion: 'autoscaling/v2',
    kind: 'HorizontalPodAutoscaler',
    metadata: { ...childKey(owner), labels: labelsFor(owner), ownerReferences: [controllerReference(owner)] },
    spec: {
      scaleTargetRef: { apiVersion: API_VERSION, kind: owner.kind, name: owner.metadata.name },
      minReplicas,
      maxReplicas,
      metrics: [{ type: 'ContainerResource', containerResource: { name: 'cpu', container: SERVER_CONTAINER, target } }],
    },
  };
}

/**
 * How many pods are wanted. Somebody else's autoscaler on the Deployment itself is left its say for as long as it is
 * there, for it would set its number again after every change of ours; 0 stops the service all the same.
 */
export function wantedReplicas(
  owner: InferenceService,
  deployment: { readonly spec: { readonly replicas: number } } | undefined,
  autoscalers: readonly HorizontalPodAutoscaler[],
): number {
  const { replicas } = owner.spec;
  const scaled = deployment?.spec.replicas ?? 0;
  if (replicas === 0 || scaled === 0) return replicas;
  const isForeign = autoscalers.some(
    (one) => scaledDeployment(one) === owner.metadata.name && !isControlledBy(one, owner),
  );
  return isForeign ? scaled : replicas;
}
