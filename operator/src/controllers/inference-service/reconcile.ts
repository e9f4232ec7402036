/** Observe → decide → act. What the next look must know is in the status before anything is done that forgets it. */
import { isDeepStrictEqual } from 'node:util';
import { Deployment } from '../../api/deployment.ts';
import { TerminalError } from '../../api/errors.ts';
import { HorizontalPodAutoscaler } from '../../api/horizontal-pod-autoscaler.ts';
import { isControlledBy } from '../../api/meta.ts';
import { Pod } from '../../api/pod.ts';
import type { Context, Result } from '../../runtime/reconcile.ts';
import { ModelVersion } from '../model-version/api.ts';
import { knownOutage, type Outage, outageOf } from '../outage.ts';
import type { ControllerDeps } from '../ports.ts';
import { type InferenceService, type InferenceServiceStatus, READY } from './api.ts';
import { autoscalerFor } from './autoscaling.ts';
import { begins, type Decision, decide, usedBy } from './decide.ts';
import { deploymentFor } from './deployment.ts';
import { childKey, podLabels } from './names.ts';
import { type Observed, situationOf } from './observe.ts';
import { budgetFor } from './pod-disruption-budget.ts';
import { ensureTokenKeys } from './reconcile-keys.ts';
import { serviceFor } from './service.ts';
import type { Memory, Situation } from './situation.ts';
import { statusFor } from './status.ts';

/** How soon credentials are asked for again when a service runs but they could not be renewed. */
const TENANT_RETRY_MS = 30_000;
/** How soon it is tried again when a service cannot be begun with because a store is away. */
const OUTAGE_RETRY_MS = 10_000;

export async function reconcile(
  deps: ControllerDeps,
  ctx: Context,
  owner: InferenceService,
): Promise<Result<InferenceServiceStatus>> {
  const observed = observe(ctx, owner);
  const tenant = await ensureTenant(deps, ctx, observed);
  const tokenKeys = await ensureTokenKeys(deps, ctx, observed);
  const isRenewed = tokenKeys === 'renewed' && tenant !== 'kept';
  const seen = situationOf(observed, { settings: deps.settings, health: deps.health(), now: ctx.now() });
  const held = await hold(deps, ctx, owner, seen);
  const { situation, decision } = held;
  const outage = typeof tenant === 'object' ? tenant : held.outage;
  if (outage)
    return { status: statusFor({ owner, situation, decision, tokenKeys, outage }), requeueAfterMs: OUTAGE_RETRY_MS };
  const status = statusFor({ owner, situation, decision, tokenKeys });
  if (isNews(decision, situation.memory)) return { status, requeueAfterMs: 0 };
  await act(deps, ctx, observed, held);
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
    autoscalers: kube.list(HorizontalPodAutoscaler, { namespace }),
  };
}

/**
 * The Secret new pods need: `renewed`, or `kept` as it was (what runs already is looked after even while it cannot be
 * renewed), or the outage because of which there is none to begin with.
 */
async function ensureTenant(
  deps: ControllerDeps,
  ctx: Context,
  { owner, deployment }: Observed,
): Promise<'renewed' | 'kept' | Outage> {
  const { metadata, status } = owner;
  try {
    await deps.tenants.ensure(metadata.namespace);
    return 'renewed';
  } catch (error) {
    if (error instanceof TerminalError) throw error;
    if (!deployment) {
      const outage = outageOf(error, { health: deps.health(), status, summary: READY, now: ctx.now() });
      if (outage) return outage;
      throw error;
    }
    ctx.log.warn({ error }, 'tenant credentials could not be renewed');
    return 'kept';
  }
}

interface Held {
  readonly situation: Situation;
  readonly decision: Decision;
  /** Nothing new may be begun, because it cannot be written down that it is used. */
  readonly outage?: Outage;
}

/**
 * Says in Postgres, under each version's lock, what is used from now on, before anything is rolled: of a rollout and a
 * deletion only one can win. A version that was deleted first is none, and it is decided anew without it.
 */
async function hold(deps: ControllerDeps, ctx: Context, owner: InferenceService, situation: Situation): Promise<Held> {
  const decision = decide(situation);
  const { namespace, name } = owner.metadata;
  const isNew = begins(situation, decision);
  const away = knownOutage('postgres', deps.health());
  if (away) return { situation, decision, ...(isNew && { outage: away }) };
  try {
    const held = await deps.uses.hold({ namespace, service: name }, owner.spec.model, usedBy(situation, decision));
    const { act } = decision;
    if (!isNew || act.do !== 'apply' || held.includes(act.release.version)) return { situation, decision };
    const left = situation.versions.filter(({ version }) => version !== act.release.version);
    return { situation: { ...situation, versions: left }, decision: decide({ ...situation, versions: left }) };
  } catch (error) {
    const { status } = owner;
    const outage = outageOf(error, { health: deps.health(), status, summary: READY, now: ctx.now() });
    if (!outage) throw error;
    return { situation, decision, ...(isNew && { outage }) };
  }
}

/** A verdict or a completed rollout is written down first and acted upon in the next turn. */
const isNews = ({ serving, rejected }: Decision, memory: Memory): boolean =>
  !isDeepStrictEqual({ serving, rejected }, { serving: memory.serving, rejected: memory.rejected });

async function act(
  { settings }: ControllerDeps,
  { kube }: Context,
  observed: Observed,
  { situation, decision }: Held,
): Promise<void> {
  const { owner, deployment } = observed;
  const { replicas } = situation.wanted;
  await kube.apply(serviceFor(owner, observed.pods));
  if (decision.act.do === 'apply') await kube.apply(deploymentFor(owner, decision.act.release, settings, replicas));
  if (decision.act.do === 'delete' && deployment) await kube.delete(Deployment, deployment);
  await kube.apply(budgetFor(owner));
  await scale(kube, observed);
}

/** Last, so that an autoscaler of that name which is somebody else's keeps nothing from answering. */
async function scale(kube: Context['kube'], { owner, autoscalers }: Observed): Promise<void> {
  const wanted = autoscalerFor(owner);
  if (wanted) return kube.apply(wanted);
  const { name } = owner.metadata;
  const left = autoscalers.find((one) => one.metadata.name === name && isControlledBy(one, owner));
  if (left) await kube.delete(HorizontalPodAutoscaler, left);
}
