/** What the object says of itself: conditions whose messages name cause and next step, and where it answers. Pure. */
import { findCondition, type NewCondition, withCondition } from '../../api/conditions.ts';
import type { Outage } from '../outage.ts';
import {
  AUTOSCALED,
  AVAILABLE,
  type InferenceService,
  type InferenceServiceStatus,
  PROGRESSING,
  READY,
  Reason,
  TOKEN_KEYS_RENEWED,
} from './api.ts';
import { type Decision, hindrance } from './decide.ts';
import { SERVICE_LABEL, urlFor } from './names.ts';
import { isSame, type Release } from './release.ts';
import type { Situation } from './situation.ts';
import type { Problem, VersionFacts } from './versions.ts';

const MAX_HISTORY = 10;
/** Of what another controller says. */
const MAX_WORDS = 500;

interface Seen {
  readonly owner: InferenceService;
  readonly situation: Situation;
  readonly decision: Decision;
  /** The store without which nothing can be begun: the decision is not acted upon. */
  readonly outage?: Outage;
  /** Of a service that takes tokens: whether the keys to check them with are those of the cluster, or why not. */
  readonly tokenKeys: 'renewed' | 'kept' | Problem;
}

const replicasInWords = (count: number): string => (count === 1 ? '1 replica' : `${count} replicas`);
/** While pods go there are more than are wanted. */
const readyInWords = (ready: number, wanted: number): string =>
  ready > wanted
    ? `${replicasInWords(ready)}, of which ${ready - wanted} will go`
    : `${ready} of ${replicasInWords(wanted)}`;

/** The whole status. */
export function statusFor(seen: Seen): InferenceServiceStatus {
  const { owner, situation, decision } = seen;
  const at = { now: situation.now, generation: owner.metadata.generation };
  const verdict = verdictOn(seen);
  const conditions = [
    readyCondition(seen, verdict),
    availableCondition(seen, verdict),
    progressingCondition(seen, verdict),
    ...scalingCondition(seen),
    ...tokenKeysCondition(seen),
  ].reduce(
    (list, next) => withCondition(list, next, at),
    (owner.status?.conditions ?? []).filter(({ type }) => !isOver(type, seen)),
  );
  const { rejected } = decision;
  const rollout = seen.outage ? undefined : decision.rollout;
  const url = urlFor(owner);
  return {
    conditions,
    ...servedBy(seen),
    ...(rollout && { rollout }),
    url,
    endpoints: [
      ...predictionEndpoints(owner, url),
      ...(owner.spec.api?.trainingJob === undefined ? [] : [{ protocol: 'train', url: `${url}/train` }]),
    ],
    replicas: situation.pods.length,
    readyReplicas: situation.pods.filter(({ isReady }) => isReady).length,
    selector: `${SERVICE_LABEL}=${owner.metadata.name}`,
    ...(rejected.length > 0 && { rejected: [...rejected] }),
  };
}

/** What was said of something that is not any more. */
function isOver(type: string, { owner, tokenKeys }: Seen): boolean {
  if (type === AUTOSCALED) return owner.spec.autoscaling === undefined;
  return type === TOKEN_KEYS_RENEWED && tokenKeys === 'renewed';
}

/** Said while they cannot be renewed for a reason that somebody has to mend; the service answers all the same. */
const tokenKeysCondition = ({ tokenKeys }: Seen): readonly NewCondition[] =>
  typeof tokenKeys === 'string' ? [] : [{ type: TOKEN_KEYS_RENEWED, status: 'False', ...tokenKeys }];

/** What a server of one's own answers beside its protocol is not known here. */
function predictionEndpoints({ spec }: InferenceService, url: string): { protocol: string; url: string }[] {
  const model = encodeURIComponent(spec.model);
  const v2 = { protocol: 'open-inference-v2', url: `${url}/v2/models/${model}` };
  switch (spec.runtime?.protocol) {
    case undefined:
      return [{ protocol: 'predict', url: `${url}/predict` }, v2];
    case 'mlflow':
      return [{ protocol: 'mlflow', url: `${url}/invocations` }];
    case 'v1':
      return [{ protocol: 'kserve-v1', url: `${url}/v1/models/${model}:predict` }];
    case 'v2':
      return [v2];
  }
}

/** What answers, what did before, and since when. */
function servedBy({ owner, decision, situation }: Seen): Partial<InferenceServiceStatus> {
  const { status } = owner;
  const { serving } = decision;
  if (!serving) return {};
  const before = status?.version;
  const isNew = before !== serving.version;
  const previous = isNew ? before : status?.previousVersion;
  const history = status?.history ?? [];
  const now = { version: serving.version, time: situation.now.toISOString() };
  return {
    version: serving.version,
    digest: serving.digest,
    ...(previous !== undefined && { previousVersion: previous }),
    history: (isNew || history.length === 0 ? [now, ...history] : history).slice(0, MAX_HISTORY),
  };
}

/** Why the wanted version does not answer on all replicas; undefined when it does. */
function verdictOn(seen: Seen): Problem | undefined {
  const { situation, decision, outage } = seen;
  if (outage) return outage;
  const { choice, act } = decision;
  if ('problem' in choice) return withConsolation(choice.problem, seen);
  const { name, namespace, replicas, model } = situation.wanted;
  if (replicas === 0) {
    const message = `spec.replicas is 0, so nothing answers: kubectl scale infsvc ${name} -n ${namespace} --replicas=1`;
    return { reason: Reason.Stopped, message };
  }
  if (decision.isComplete) return undefined;
  const { release } = choice;
  const ready = situation.pods.filter((pod) => pod.isReady && isSame(pod, release)).length;
  const progress = `version ${release.version} of model ${model} is ready on ${readyInWords(ready, replicas)}`;
  const isApplied = act.do === 'apply' && isSame(situation.deployment?.release, act.release);
  const obstacle = isApplied ? hindrance(situation) : undefined;
  if (obstacle) {
    const message = `${progress}: ${obstacle.message}${secretsToLookAt(seen.owner, obstacle)}`;
    return withConsolation({ ...obstacle, message }, seen);
  }
  const isSilent = isSame(release, decision.serving) && isApplied && hasGoneSilent(seen);
  return withConsolation({ reason: isSilent ? Reason.NoReplicaAnswers : Reason.RollingOut, message: progress }, seen);
}

/** The server sees its Secrets as folders, and cannot say under which names they were looked for. */
function secretsToLookAt({ metadata, spec }: InferenceService, { reason }: Problem): string {
  const names = [spec.tls?.secretName, spec.auth?.apiKeys?.secretName].filter((name) => name !== undefined);
  if (reason !== Reason.ConfigurationError || names.length === 0) return '';
  return ` (kubectl get secrets -n ${metadata.namespace} ${names.join(' ')})`;
}

/** No pod answers, though one did: to answer for the first time, or again after a stop, takes its time. */
function hasGoneSilent({ owner, situation, decision }: Seen): boolean {
  if (situation.pods.some(({ isReady }) => isReady)) return false;
  const before = findCondition(owner.status?.conditions, AVAILABLE);
  if (!before) return decision.serving !== undefined;
  return before.status === 'True' || before.reason === Reason.NoReplicaAnswers;
}

/** A problem, with what goes on answering meanwhile. */
function withConsolation({ reason, message }: Problem, { situation, decision }: Seen): Problem {
  const { serving, choice, act } = decision;
  const isReturn = 'problem' in choice && serving && act.do === 'apply' && !isSame(act.release, serving);
  if (isReturn) return { reason, message: `${message}; version ${act.release.version} is brought back` };
  const isOther = serving && !('release' in choice && isSame(choice.release, serving));
  const answers = isOther && situation.pods.some((pod) => pod.isReady && isSame(pod, serving));
  const meanwhile = answers ? `; version ${serving.version} goes on answering` : '';
  return { reason, message: `${message}${meanwhile}` };
}

function readyCondition(seen: Seen, verdict: Problem | undefined): NewCondition {
  if (verdict) return { type: READY, status: 'False', ...verdict };
  const { owner, situation, decision } = seen;
  const { release } = decision.choice as { release: Release };
  const message = `version ${release.version} of model ${owner.spec.model} answers on ${replicasInWords(situation.wanted.replicas)} at ${urlFor(owner)}${passedOver(seen, release)}`;
  return { type: READY, status: 'True', reason: Reason.Serving, message };
}

/** With `latest`: the newer versions that are not served, and why. */
function passedOver({ situation, decision }: Seen, release: Release): string {
  if (situation.wanted.version !== 'latest') return '';
  const newer = situation.versions.filter(({ version }) => version > release.version).slice(0, 3);
  return newer.map((facts) => `; version ${facts.version} is passed over: ${whyNot(facts, decision)}`).join('');
}

function whyNot({ version, stage, gateFailure, isReady, reason }: VersionFacts, { rejected }: Decision): string {
  if (stage === 'Archived') return 'archived';
  if (gateFailure !== undefined) return gateFailure;
  const rejection = rejected.find((one) => one.version === version);
  if (rejection) return `rejected, ${rejection.reason}`;
  return isReady ? 'being deleted' : reason;
}

function availableCondition(seen: Seen, verdict: Problem | undefined): NewCondition {
  const { situation, decision, outage } = seen;
  const ready = situation.pods.filter(({ isReady }) => isReady);
  if (ready.length > 0) {
    const versions = [...new Set(ready.map(({ version }) => version))].sort((a, b) => a - b);
    const who = versions.length === 1 ? `version ${versions[0]} answers` : `versions ${versions.join(' and ')} answer`;
    const message = `${who} on ${replicasInWords(ready.length)}`;
    return { type: AVAILABLE, status: 'True', reason: Reason.Serving, message };
  }
  const no = { type: AVAILABLE, status: 'False' } as const;
  if (situation.wanted.replicas === 0) return { ...no, reason: Reason.Stopped, message: 'spec.replicas is 0' };
  const message = 'no pod is ready; the condition Ready says why';
  if (!verdict || hasGoneSilent(seen)) return { ...no, reason: Reason.NoReplicaAnswers, message };
  // In the words of Ready, so that one thing is told once.
  const isComing = decision.act.do === 'apply' && !outage;
  return { ...no, ...verdict, ...(isComing && { reason: Reason.RollingOut }) };
}

/** What the autoscaler does, or why it cannot and what to do; nothing before it has looked. */
function scalingCondition({ owner, situation }: Seen): readonly NewCondition[] {
  const { autoscaling } = owner.spec;
  const { scaling } = situation;
  if (!autoscaling || !scaling) return [];
  const { minReplicas, maxReplicas, targetCPUUtilization } = autoscaling;
  const aim = `between ${minReplicas} and ${replicasInWords(maxReplicas)}, for ${targetCPUUtilization} % of the CPU request`;
  if (scaling.active) return [{ type: AUTOSCALED, status: 'True', reason: Reason.Autoscaling, message: aim }];
  const { name, namespace } = owner.metadata;
  const message = `the autoscaler cannot tell how many pods are needed, so their number stays: ${scaling.message.slice(0, MAX_WORDS)} (is metrics-server installed? kubectl describe hpa ${name} -n ${namespace})`;
  return [{ type: AUTOSCALED, status: 'False', reason: Reason.MetricsUnavailable, message }];
}

function progressingCondition({ situation, decision, outage }: Seen, verdict: Problem | undefined): NewCondition {
  const { choice, isComplete } = decision;
  if (outage) return { type: PROGRESSING, status: 'False', ...outage };
  if ('problem' in choice) return { type: PROGRESSING, status: 'False', ...(verdict as Problem) };
  if (verdict?.reason === Reason.Stopped) return { type: PROGRESSING, status: 'False', ...verdict };
  const what = `version ${choice.release.version} of model ${situation.wanted.model}`;
  if (isComplete) {
    const message = `${what} has been brought in`;
    return { type: PROGRESSING, status: 'False', reason: Reason.RolloutComplete, message };
  }
  return { type: PROGRESSING, status: 'True', reason: Reason.RollingOut, message: verdict?.message ?? what };
}
