import { Deployment } from '../../api/deployment.ts';
import { HorizontalPodAutoscaler, scaledDeployment } from '../../api/horizontal-pod-autoscaler.ts';
import type { KubeObject } from '../../api/meta.ts';
import { Pod } from '../../api/pod.ts';
import { PodDisruptionBudget } from '../../api/pod-disruption-budget.ts';
import { Service } from '../../api/service.ts';
import type { ControllerDefinition } from '../../runtime/reconcile.ts';
import { ModelVersion } from '../model-version/api.ts';
import type { ControllerDeps } from '../ports.ts';
import { InferenceService, READY, Reason } from './api.ts';
import { SERVICE_LABEL } from './names.ts';
import { reconcile } from './reconcile.ts';

/** Reasons somebody has to look at. A model that is not trained yet, and a version still being proven, are none. */
const WARNINGS: ReadonlySet<string> = new Set([
  Reason.VersionNotFound,
  Reason.VersionRejected,
  Reason.NoReplicaAnswers,
  Reason.OutOfMemory,
  Reason.CrashLoop,
  Reason.FetchFailed,
  Reason.PodsRefused,
  Reason.ConfigurationError,
  Reason.ImagePull,
  Reason.Unschedulable,
  Reason.PostgresUnavailable,
  Reason.ObjectStorageUnavailable,
  Reason.ObjectStorageDenied,
  Reason.BucketMissing,
  Reason.NameTaken,
]);

/** The name of the InferenceService a pod was made for. */
const serviceOf = ({ metadata }: KubeObject) => {
  const name = metadata.labels?.[SERVICE_LABEL];
  return name === undefined ? [] : [{ namespace: metadata.namespace, name }];
};

/** The key of the InferenceService whose Deployment somebody else's autoscaler scales. */
const scaledService = (changed: KubeObject) => {
  const name = scaledDeployment(changed);
  return name === undefined ? [] : [{ namespace: changed.metadata.namespace, name }];
};

/** Serves the wanted version of a model and rolls to another without losing a request. */
export const inferenceServiceController = (deps: ControllerDeps): ControllerDefinition<InferenceService> => ({
  for: InferenceService,
  owns: [Deployment, Service, PodDisruptionBudget, HorizontalPodAutoscaler],
  watches: [
    { kind: Pod, keys: serviceOf },
    { kind: HorizontalPodAutoscaler, keys: scaledService },
    {
      kind: ModelVersion,
      keys: (changed, kube) => {
        const { namespace } = changed.metadata;
        // Of an object that cannot be read there is only its metadata.
        const model = (changed as Partial<ModelVersion>).spec?.model;
        return kube
          .list(InferenceService, { namespace })
          .filter(({ spec }) => spec.model === model)
          .map(({ metadata }) => metadata);
      },
    },
  ],
  warnings: WARNINGS,
  summary: READY,
  reconcile: (ctx, object) => reconcile(deps, ctx, object),
});
