/** What a ModelVersion's status says, given what was found. Pure: time comes in, nothing goes out. */
import type { Artifact, ModelSignature } from '@slipway/contract';
import { type NewCondition, withCondition } from '../../api/conditions.ts';
import type { Condition } from '../../api/meta.ts';
import { ARTIFACT_VERIFIED, type ModelVersion, type ModelVersionStatus, READY, Reason, SERVABLE } from './api.ts';
import type { Words } from './verdict.ts';

/** The proven bytes of a version. */
export interface Proof {
  readonly artifact: Artifact;
  readonly signature?: ModelSignature;
  readonly message: string;
  /** Absent: the bytes are those that were registered. */
  readonly conversion?: ModelVersionStatus['conversion'];
}

type Said = Omit<NewCondition, 'type'>;
type Three = { readonly artifactVerified: Said; readonly servable: Said; readonly ready: Said };

/** Not decided yet: why, and what it waits for. */
export const undecided = ({ reason, message }: Words): Three => {
  const said = { status: 'Unknown', reason, message } as const;
  return { artifactVerified: said, servable: said, ready: said };
};

/** Proven by what it was converted to: that may be served. */
export const converted = (message: string): Three => {
  const held = { status: 'True', reason: Reason.Verified, message: 'every file has the digest it must have' } as const;
  const said = { status: 'True', reason: Reason.Converted, message } as const;
  return { artifactVerified: held, servable: said, ready: said };
};

/** Proven: it may be served. */
export const proven = (message: string): Three => {
  const said = { status: 'True', reason: Reason.Verified, message } as const;
  return { artifactVerified: said, servable: said, ready: said };
};

const WRONG_BYTES: ReadonlySet<string> = new Set(['DigestMismatch', 'ArtifactMissing']);

/** Not servable. `container` tells how far it came: `verify` loads a model only after its digests were found right. */
export function refused({ reason, message, container }: Words & { readonly container?: string }): Three {
  const no = { status: 'False', reason, message } as const;
  const unknown = { status: 'Unknown', reason, message } as const;
  if (WRONG_BYTES.has(reason)) return { artifactVerified: no, servable: unknown, ready: no };
  if (container !== 'verify') return { artifactVerified: unknown, servable: unknown, ready: no };
  const held = { status: 'True', reason: Reason.Verified, message: 'every file has the digest it must have' } as const;
  return { artifactVerified: held, servable: no, ready: no };
}

/** Never to be served, for a reason that does not lie in the bytes: they are not looked at. */
export const notServable = ({ reason, message }: Words): Three => {
  const no = { status: 'False', reason, message } as const;
  return { artifactVerified: { ...no, status: 'Unknown' }, servable: no, ready: no };
};

interface Seen {
  readonly version: number;
  readonly servedBy: readonly string[];
  readonly said: Three;
  readonly proof?: Proof;
  /** Of a conversion that failed for good: what was tried. */
  readonly tried?: ModelVersionStatus['conversion'];
  readonly now: Date;
}

/** The whole status of a version that has a number. */
export function statusFor(
  modelVersion: ModelVersion,
  { version, servedBy, said, proof, tried, now }: Seen,
): ModelVersionStatus {
  const { conversion: _, ...before } = modelVersion.status ?? {};
  const conversion = proof?.conversion ?? tried;
  return {
    ...withServedBy(before, servedBy),
    version,
    ...(conversion && { conversion }),
    conditions: conditionsFor(modelVersion, said, now),
    ...(proof && {
      artifact: { ...proof.artifact, files: [...proof.artifact.files] },
      ...(proof.signature && { signature: proof.signature }),
      size: sizeOf(proof.artifact.files),
    }),
  };
}

/** The conditions with these three in them. */
export function conditionsFor({ metadata, status }: ModelVersion, said: Three, now: Date): Condition[] {
  const at = { now, generation: metadata.generation };
  const three = [
    { type: ARTIFACT_VERIFIED, ...said.artifactVerified },
    { type: SERVABLE, ...said.servable },
    { type: READY, ...said.ready },
  ];
  return three.reduce(
    (conditions, next) => withCondition(conditions, next, at),
    status?.conditions ?? [],
  ) as Condition[];
}

/** The status as it is, said of the spec as it is now: stage, aliases, tags and description change nothing in it. */
export function ofThisGeneration({ metadata, status = {} }: ModelVersion, now: Date): ModelVersionStatus {
  const at = { now, generation: metadata.generation };
  const { conditions = [] } = status;
  return {
    ...status,
    conditions: conditions.reduce<Condition[]>((list, condition) => withCondition(list, condition, at), conditions),
  };
}

/** The status with the services that use the version; the field is absent when there are none. */
export function withServedBy(status: ModelVersionStatus, servedBy: readonly string[]): ModelVersionStatus {
  const { servedBy: _, serving: __, ...rest } = status;
  if (servedBy.length === 0) return rest;
  const shown = servedBy.slice(0, 64);
  return { ...rest, servedBy: shown, serving: shown.join(', ') };
}

const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];

/** `3.4 KiB`: two significant digits are enough to compare. */
export function sizeOf(files: Artifact['files']): string {
  let size = files.reduce((sum, file) => sum + file.size, 0);
  let unit = 0;
  while (size >= 1024 && unit < UNITS.length - 1) {
    size /= 1024;
    unit += 1;
  }
  return `${size < 10 && unit > 0 ? size.toFixed(1) : Math.round(size)} ${UNITS[unit]}`;
}
