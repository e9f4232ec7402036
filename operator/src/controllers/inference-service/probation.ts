/**
 * A release that was brought in is on probation for one progress deadline more: it may have answered its examples and yet
 * die of what clients send. Until then a server of it that ends by its own doing turns it down, and what answered before
 * comes back. Pure.
 */
import type { Rejection } from './api.ts';
import type { PodFacts } from './pods.ts';
import { isSame, type Release, type ReleaseId } from './release.ts';
import type { Situation } from './situation.ts';
import type { Problem, VersionFacts } from './versions.ts';

/**
 * The crash that turns down what answers. Only where there is something to go back to that was not turned down itself:
 * so a release that was come back to is not on probation, and a client that kills every version does not lead from one
 * to the next.
 */
export function crashInProbation(
  situation: Situation,
  serving: ReleaseId | undefined,
): (Problem & { readonly release: Release }) | undefined {
  const { deployment, memory, versions, pods } = situation;
  const release = deployment?.release;
  if (!deployment?.isCurrent || !release || !isSame(release, serving) || !isSame(memory.serving, serving))
    return undefined;
  if (!releaseBefore(versions, memory.previous, memory.rejected)) return undefined;
  const ofIt = pods.filter(({ template }) => template === deployment.template);
  const crash = ofIt.map((pod) => pod.crash).find((one) => one !== undefined && counts(one.at, situation, release));
  return crash && { release, reason: crash.reason, message: crash.message };
}

/** Within the probation, and not what it was turned down for already. The cluster's timestamps are whole seconds. */
function counts(at: NonNullable<PodFacts['crash']>['at'], { memory, wanted }: Situation, release: Release): boolean {
  const since = Math.floor(Date.parse(memory.since ?? '') / 1000) * 1000;
  const time = Date.parse(at);
  const known = memory.rejected.find((one) => isSame(one, release));
  const isNew = !known || time > Date.parse(known.time);
  return isNew && time >= since && time <= since + wanted.progressDeadlineSeconds * 1000;
}

/** What can be gone back to: the bytes of the version that answered before, unless they were turned down themselves. */
export function releaseBefore(
  versions: readonly VersionFacts[],
  previous: number | undefined,
  rejected: readonly Rejection[],
): Release | undefined {
  const facts = versions.find(({ version }) => version === previous);
  const release = facts?.isDeleting ? undefined : facts?.release;
  return release && !rejected.some((one) => isSame(one, release)) ? release : undefined;
}
