/** A release is one version's very bytes: what a pod template is made from. */
import type { Artifact } from '@slipway/contract';

/** The number and the digest of a version: the same number with other bytes is something else. */
export interface ReleaseId {
  readonly version: number;
  readonly digest: string;
}

export interface Release extends ReleaseId {
  readonly artifact: Artifact;
}

/** True when both are there and mean the same bytes under the same number. */
export const isSame = (a: ReleaseId | undefined, b: ReleaseId | undefined): boolean =>
  a !== undefined && b !== undefined && a.version === b.version && a.digest === b.digest;
