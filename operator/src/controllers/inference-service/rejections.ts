/**
 * What is remembered of versions that were turned down, so that none is tried for ever. A rejection holds for these very
 * bytes under these settings. `latest` passes over it; an explicit wish is refused only if it was this wish that failed.
 */
import { RETRY_ANNOTATION, Reason, type Rejection } from './api.ts';
import { isSame, type ReleaseId } from './release.ts';
import type { Problem, Wish } from './versions.ts';

const MAX_REMEMBERED = 10;
const MAX_MESSAGE = 4000;

export interface Asked extends Wish {
  /** Digest of the settings a version is tried under. */
  readonly settings: string;
  /** The value of the retry annotation. */
  readonly retry?: string;
}

const isRetryOf = (retry: string | undefined, version: number): boolean =>
  retry !== undefined && /^[0-9]+/.exec(retry)?.[0] === String(version);

/** The rejections as they count for this wish: asking for anything else lets an explicit wish be tried again later. */
export const remembered = (rejected: readonly Rejection[], { version }: Wish): readonly Rejection[] =>
  rejected.map((rejection) =>
    rejection.wanted === String(version) || rejection.wanted === 'latest'
      ? rejection
      : { ...rejection, wanted: 'latest' },
  );

/** Why this release must not be tried now; undefined when it may. */
export function refusal(rejected: readonly Rejection[], release: ReleaseId, asked: Asked): Problem | undefined {
  const rejection = rejected.find((one) => isSame(one, release) && one.settings === asked.settings);
  if (!rejection) return undefined;
  if (asked.version !== 'latest' && rejection.wanted !== String(asked.version)) return undefined;
  if (isRetryOf(asked.retry, release.version) && asked.retry !== rejection.retry) return undefined;
  const again = asked.retry === String(release.version) ? `${release.version}-again` : String(release.version);
  const command = `kubectl annotate infsvc ${asked.name} -n ${asked.namespace} --overwrite ${RETRY_ANNOTATION}=${again}`;
  const message = `version ${release.version} was rejected: ${rejection.reason}: ${rejection.message} (to try it again: ${command})`;
  return { reason: Reason.VersionRejected, message };
}

/** With one more, which replaces what was known of that version. Newest first. */
export function withRejection(
  rejected: readonly Rejection[],
  release: ReleaseId,
  fault: Problem,
  { asked, now }: { readonly asked: Asked; readonly now: Date },
): readonly Rejection[] {
  const one: Rejection = {
    version: release.version,
    digest: release.digest,
    wanted: String(asked.version),
    settings: asked.settings,
    ...(isRetryOf(asked.retry, release.version) && { retry: (asked.retry as string).slice(0, 64) }),
    reason: fault.reason,
    message: fault.message.slice(0, MAX_MESSAGE),
    time: now.toISOString(),
  };
  return [one, ...rejected.filter(({ version }) => version !== release.version)].slice(0, MAX_REMEMBERED);
}

/** Without the version that has shown that it works, unless it was turned down since (`since`: when it began to answer). */
export const withoutProven = (
  rejected: readonly Rejection[],
  serving: ReleaseId | undefined,
  since: string | undefined,
): readonly Rejection[] =>
  rejected.filter((one) => one.version !== serving?.version || (isSame(one, serving) && isLater(one.time, since)));

const isLater = (time: string, since: string | undefined): boolean =>
  since !== undefined && Date.parse(time) >= Date.parse(since);
