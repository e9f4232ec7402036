/**
 * The heart: from what is wanted, what is there and what is remembered to what must be there. Pure, and a function of the
 * present alone, so that an operator that was killed anywhere decides as if it had not been.
 */
import type { Rejection } from './api.ts';
import { Reason } from './api.ts';
import type { PodFacts } from './pods.ts';
import { crashInProbation, releaseBefore } from './probation.ts';
import { refusal, remembered, withoutProven, withRejection } from './rejections.ts';
import { isSame, type Release, type ReleaseId } from './release.ts';
import type { Memory, Rollout, Situation } from './situation.ts';
import { type Choice, choose, type Problem } from './versions.ts';

/** How soon pods that fetch are looked at again: the object storage comes and goes unseen by any watch. */
const FETCHING_MS = 10_000;

export interface Decision {
  /** What answered completely the last time anything did; going back means going back to this. */
  readonly serving?: ReleaseId;
  readonly rejected: readonly Rejection[];
  readonly choice: Choice;
  /** `apply` this release; `delete` the Deployment, which can never answer; or `leave` what is there as it is. */
  readonly act: { readonly do: 'apply'; readonly release: Release } | { readonly do: 'delete' | 'leave' };
  /** The release that is being brought in, when it is not the one that answers. */
  readonly rollout?: Rollout;
  /** What is applied answers on all replicas, and nothing else does. */
  readonly isComplete: boolean;
  /** When the first loading pod's time is up, or soon while pods fetch. */
  readonly lookAgainAfterMs?: number;
}

export function decide(situation: Situation): Decision {
  const { wanted, versions, memory, now } = situation;
  const serving = servingNow(situation);
  const fault = faultOfRollout(situation, serving) ?? crashInProbation(situation, serving);
  const known = withoutProven(remembered(memory.rejected, wanted), serving, answersSince(memory, serving));
  // Its pods stay in sight until they are gone; what is written down already is not written again.
  const isNew = fault !== undefined && !refusal(known, fault.release, wanted);
  const rejected = isNew ? withRejection(known, fault.release, fault, { asked: wanted, now }) : known;
  const refusalOf = (release: ReleaseId) => refusal(rejected, release, wanted);
  // What was turned down while it answered goes on doing so until what was there before it answers again.
  const trusted = serving && refusalOf(serving) ? undefined : serving;
  const choice = choose(wanted, { versions, serving: trusted, refusalOf });
  const act = actOn(situation, { serving, trusted, rejected }, choice, refusalOf);
  const rollout = act.do === 'apply' ? rolloutOf(situation, serving, act.release) : undefined;
  const wait = untilNextLook(situation, rollout);
  return {
    ...(serving && { serving }),
    rejected,
    choice,
    act,
    ...(rollout && { rollout }),
    isComplete: act.do === 'apply' && isComplete(situation, act.release),
    ...(wait !== undefined && { lookAgainAfterMs: wait }),
  };
}

/** The pods made from the Deployment's present template. */
export const currentPods = ({ deployment, pods }: Pick<Situation, 'deployment' | 'pods'>): readonly PodFacts[] =>
  pods.filter(({ template }) => deployment !== undefined && template === deployment.template);

/** True when all the pods the Deployment asks for answer with its release, and no others do. */
function answersFully({ deployment, pods }: Situation): boolean {
  if (!deployment?.isRolledOut || deployment.replicas === 0) return false;
  const ready = pods.filter(({ isReady }) => isReady);
  return ready.length >= deployment.replicas && ready.every(({ template }) => template === deployment.template);
}

/** What the Deployment has brought in completely is what answers; else what is remembered; else what old pods show. */
function servingNow(situation: Situation): ReleaseId | undefined {
  const { deployment, pods, memory } = situation;
  if (deployment?.release && answersFully(situation)) return idOf(deployment.release);
  if (memory.serving) return memory.serving;
  const others = pods.filter((pod) => pod.isReady && !isSame(pod, deployment?.release));
  const [newest] = [...others].sort((a, b) => b.version - a.version);
  return newest && idOf(newest);
}

const idOf = ({ version, digest }: ReleaseId): ReleaseId => ({ version, digest });

/** Since when `serving` answers, if it is remembered at all. */
const answersSince = (memory: Memory, serving: ReleaseId | undefined): string | undefined =>
  isSame(memory.serving, serving) ? memory.since : undefined;

/** What a release that is being brought in did wrong. */
function faultOfRollout(
  situation: Situation,
  serving: ReleaseId | undefined,
): (Problem & { readonly release: Release }) | undefined {
  const { deployment, memory } = situation;
  const release = deployment?.release;
  if (!deployment?.isCurrent || !release || isSame(release, serving)) return undefined;
  const since = isSame(memory.rollout, release) ? memory.rollout?.startTime : undefined;
  for (const pod of currentPods(situation)) {
    const fault = isOfThisTry(pod, since) ? pod.fault : undefined;
    const found = fault ?? loadTimeout(pod, situation);
    if (found) return { release, reason: found.reason, message: found.message };
  }
  return undefined;
}

/** A pod left over from an earlier try of the same release counts only for what it did since this one began. */
function isOfThisTry({ createdAt, fault }: PodFacts, since: string | undefined): boolean {
  if (since === undefined) return true;
  const start = Date.parse(since);
  return !(Date.parse(createdAt) < start) || !(Date.parse(fault?.at ?? '') < start);
}

/** Only the time its server runs counts: waiting for a node, an image or the object store is no fault of the model. */
function loadTimeout({ loadingSince }: PodFacts, { wanted, now }: Situation): Problem | undefined {
  if (loadingSince === undefined) return undefined;
  const seconds = wanted.progressDeadlineSeconds;
  if (now.getTime() - Date.parse(loadingSince) < seconds * 1000) return undefined;
  const message = `the model server was not ready ${seconds} s after it had started (spec.rollout.progressDeadline)`;
  return { reason: 'LoadTimeout', message };
}

function untilNextLook(situation: Situation, rollout: Rollout | undefined): number | undefined {
  const deadline = rollout && untilDeadline(situation);
  if (!currentPods(situation).some(({ isFetching }) => isFetching)) return deadline;
  return Math.min(FETCHING_MS, deadline ?? FETCHING_MS);
}

function untilDeadline(situation: Situation): number | undefined {
  const { wanted, now } = situation;
  const left = currentPods(situation)
    .filter(({ loadingSince }) => loadingSince !== undefined)
    .map(({ loadingSince = '' }) => Date.parse(loadingSince) + wanted.progressDeadlineSeconds * 1000 - now.getTime());
  return left.length === 0 ? undefined : Math.max(1000, Math.min(...left));
}

interface Answering {
  readonly serving: ReleaseId | undefined;
  /** The same, unless it was turned down since it answers. */
  readonly trusted: ReleaseId | undefined;
  readonly rejected: readonly Rejection[];
}

function actOn(
  { versions, deployment, memory }: Situation,
  { serving, trusted, rejected }: Answering,
  choice: Choice,
  refusalOf: (release: ReleaseId) => Problem | undefined,
): Decision['act'] {
  if ('release' in choice) return { do: 'apply', release: choice.release };
  const there = deployment?.release;
  const proven = versions.find(({ release }) => isSame(release, serving))?.release;
  const before = serving && !trusted ? releaseBefore(versions, memory.previous, rejected) : undefined;
  const back = before ?? proven ?? (isSame(there, serving) ? there : undefined);
  if (back) return { do: 'apply', release: back };
  // Something answers of which no more is known than its pods: the only thing that cannot hurt it is to do nothing.
  if (serving) return { do: 'leave' };
  if (!there) return { do: 'leave' };
  return refusalOf(there) ? { do: 'delete' } : { do: 'apply', release: there };
}

function rolloutOf(
  { wanted, memory, now }: Situation,
  serving: ReleaseId | undefined,
  release: Release,
): Rollout | undefined {
  if (wanted.replicas === 0 || isSame(release, serving)) return undefined;
  if (memory.rollout && isSame(memory.rollout, release)) return memory.rollout;
  // Whole seconds, like the cluster's own timestamps it is compared with.
  const startTime = `${now.toISOString().slice(0, 19)}Z`;
  return { ...idOf(release), startTime };
}

function isComplete(situation: Situation, release: Release): boolean {
  const { deployment, wanted } = situation;
  const isThere = isSame(deployment?.release, release) && deployment?.isCurrent === true;
  return isThere && deployment.replicas === wanted.replicas && answersFully(situation);
}

/** The versions that must not be deleted: what answers, what is there, what comes, and what is asked for by its number. */
export function usedBy({ wanted, deployment }: Situation, { serving, act }: Decision): readonly number[] {
  const found = [serving, deployment?.release, act.do === 'apply' ? act.release : undefined];
  const numbers = found.filter((release) => release !== undefined).map(({ version }) => version);
  return [...new Set([...numbers, ...(typeof wanted.version === 'number' ? [wanted.version] : [])])].sort(
    (a, b) => a - b,
  );
}

/** True when a release is to be brought in that neither answers nor is there already. */
export const begins = ({ deployment }: Situation, { act, serving }: Decision): boolean =>
  act.do === 'apply' && !isSame(act.release, serving) && !isSame(act.release, deployment?.release);

/** What keeps the pods from answering, if anything does: a store, the cluster, or the fault of a release that is not turned down for it. */
export function hindrance(situation: Situation): Problem | undefined {
  const pods = currentPods(situation);
  const { storageOutage } = situation;
  if (storageOutage && pods.some(({ isFetching }) => isFetching)) return storageOutage;
  const waiting = pods.find((pod) => pod.waiting)?.waiting;
  if (waiting) return waiting;
  const fault = pods.find((pod) => pod.fault)?.fault;
  if (fault) return { reason: fault.reason, message: fault.message };
  const refused = situation.deployment?.podsRefused;
  return refused === undefined ? undefined : { reason: Reason.PodsRefused, message: `pods cannot be made: ${refused}` };
}
