/** Observe → decide → act. What the next look must know is in the status before anything is done that forgets it. */
import { isDeepStrictEqual } from 'node:util';
import { Deployment } from '../../api/deployment.ts';
import { TerminalError } from '../../api/errors.ts';
import { isControlledBy } from '../../api/meta.ts';
import { Pod } from '../../api/pod.ts';
import type { Context, Result } from '../../runtime/reconcile.ts';
import { ModelVersion } from '../model-version/api.ts';
import type { ControllerDeps } from '../ports.ts';
import type { InferenceService, InferenceServiceStatus } from './api.ts';
import { type Decision, decide, type Memory } from './decide.ts';
import { deploymentFor } from './deployment.ts';
import { childKey, podLabels } from './names.ts';
import { type Observed, situationOf } from './observe.ts';
import { budgetFor } from './pod-disruption-budget.ts';
import { serviceFor } from './service.ts';
import { statusFor } from './status.ts';

/** How soon credentials are asked for again when a service runs but they could not be renewed. */
const TENANT_RETRY_MS = 30_000;

export async function reconcile(
  deps: ControllerDeps,
  ctx: Context,
  owner: InferenceService,
): Promise<Result<InferenceServiceStatus>> {
  const observed = observe(ctx, owner);
  const isRenewed = await ensureTenant(deps, ctx, observed);
  const situation = situationOf(observed, deps.settings, ctx.now());
  const decision = decide(situation);
  const { objectStorage } = deps.health();
  const status = statusFor({ owner, situation, decision, objectStorage });
  if (isNews(decision, situation.memory)) return { status, requeueAfterMs: 0 };
  await act(deps, ctx, observed, decision);
  const waits = [decision.lookAgainAfterMs, isRenewed ? undefined : TENANT_RETRY_MS].filter((ms) => ms !== undefined);
  return { status, ...(waits.length > 0 && { requeueAfterMs: Math.min(...waits) }) };
}

function observe({ kube }: Context, owner: InferenceService): Observed {
  const { namespace } = owner.metadata;
  const deployment = kube.get(Deployment, childKey(owner));
  return {
    owner,
    versions: kube.list(ModelVersion, { namespace }).filter(({ spec }) => spec.model === owner.spec.model),
    deployment: deployment && isControlledBy(deployment, owner) ? deployment : undefined,
    pods: kube.list(Pod, { namespace, labels: podLabels(owner) }),
  };
}

/** The Secret new pods need. What runs already is looked after even while it cannot be renewed. */
async function ensureTenant(deps: ControllerDeps, ctx: Context, { owner, deployment }: Observed): Promise<boolean> {
  try {
    await deps.tenants.ensure(owner.metadata.namespace);
    return true;
  } catch (error) {
    if (!deployment || error instanceof TerminalError) throw error;
    ctx.log.warn({ error }, 'tenant credentials could not be renewed');
    return false;
  }
}

/** A verdict or a completed rollout is written down first and acted upon in the next turn. */
const isNews = ({ serving, rejected }: Decision, memory: Memory): boolean =>
  !isDeepStrictEqual({ serving, rejected }, { serving: memory.serving, rejected: memory.rejected });

async function act(
  { settings }: ControllerDeps,
  { kube }: Context,
  { owner, deployment }: Observed,
  decision: Decision,
): Promise<void> {
  await kube.apply(serviceFor(owner));
  if (decision.act.do === 'apply') await kube.apply(deploymentFor(owner, decision.act.release, settings));
  if (decision.act.do === 'delete' && deployment) await kube.delete(Deployment, deployment);
  await kube.apply(budgetFor(owner));
}
