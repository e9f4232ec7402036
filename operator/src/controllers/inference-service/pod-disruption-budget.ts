import { controllerReference } from '../../api/meta.ts';
import type { PodDisruptionBudget } from '../../api/pod-disruption-budget.ts';
import type { InferenceService } from './api.ts';
import { childKey, labelsFor, podLabels } from './names.ts';

/** A drain takes one pod at a time; with a single replica it does not block the drain. */
export const budgetFor = (owner: InferenceService): PodDisruptionBudget => ({
  apiVersion: 'policy/v1',
  kind: 'PodDisruptionBudget',
  metadata: { ...childKey(owner), labels: labelsFor(owner), ownerReferences: [controllerReference(owner)] },
  spec: { maxUnavailable: 1, selector: { matchLabels: podLabels(owner) } },
});
