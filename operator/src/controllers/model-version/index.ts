import { FailureReason } from '@slipway/contract';
import { Job } from '../../api/batch-job.ts';
import type { KubeObject, ObjectKey } from '../../api/meta.ts';
import { Pod } from '../../api/pod.ts';
import type { KubeReader } from '../../kube/client.ts';
import type { ControllerDefinition } from '../../runtime/reconcile.ts';
import { InferenceService } from '../inference-service/api.ts';
import type { ControllerDeps } from '../ports.ts';
import { ModelVersion, READY, Reason } from './api.ts';
import { finalize } from './finalize.ts';
import { MODEL_VERSION_LABEL } from './names.ts';
import { reconcile } from './reconcile.ts';

const CALM: ReadonlySet<string> = new Set([
  ...[Reason.Pending, Reason.Verifying, Reason.Verified],
  ...[Reason.Converting, Reason.Converted],
]);
const warnings = new Set([...FailureReason.options, ...Object.values(Reason)].filter((reason) => !CALM.has(reason)));

/** The ModelVersion a pod verifies or converts. */
function modelVersionOf({ metadata }: KubeObject): readonly ObjectKey[] {
  const name = metadata.labels?.[MODEL_VERSION_LABEL];
  return name === undefined ? [] : [{ namespace: metadata.namespace, name }];
}

/** The versions of the model a service serves; every version of the namespace when the service cannot be read. */
function versionsServedBy(changed: KubeObject, kube: KubeReader): readonly ObjectKey[] {
  const model = (changed as Partial<InferenceService>).spec?.model;
  return kube
    .list(ModelVersion, { namespace: changed.metadata.namespace })
    .filter(({ spec }) => model === undefined || spec.model === model)
    .map(({ metadata }) => ({ namespace: metadata.namespace, name: metadata.name }));
}

/** ModelVersion → row, verification or conversion, proof. */
export const modelVersionController = (deps: ControllerDeps): ControllerDefinition<ModelVersion> => ({
  for: ModelVersion,
  owns: [Job],
  watches: [
    { kind: Pod, keys: modelVersionOf },
    { kind: InferenceService, keys: versionsServedBy },
  ],
  warnings,
  summary: READY,
  reconcile: (ctx, modelVersion) => reconcile(deps, ctx, modelVersion),
  finalizer: 'slipway.dev/model-version',
  finalize: (ctx, modelVersion) => finalize(deps, ctx, modelVersion),
});
