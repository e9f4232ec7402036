/** What one reconcile of a ModelVersion works with. Pure. */
import type { Context } from '../../runtime/reconcile.ts';
import { InferenceService } from '../inference-service/api.ts';
import type { ControllerDeps } from '../ports.ts';
import type { ModelVersion } from './api.ts';
import { usersOf } from './usage.ts';

export interface Turn {
  readonly deps: ControllerDeps;
  readonly ctx: Context;
  readonly modelVersion: ModelVersion;
}

/** Names of the services that use the version; none while it has no number. */
export const users = ({ ctx, modelVersion }: Turn, version: number | undefined): string[] => {
  const { namespace } = modelVersion.metadata;
  if (version === undefined) return [];
  return usersOf(ctx.kube.list(InferenceService, { namespace }), modelVersion.spec.model, version);
};
