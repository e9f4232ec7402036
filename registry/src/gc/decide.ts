/** Which stored bytes nobody needs any more. Pure: a table of objects and what speaks for them in, a list out. */
import type { References, RunState } from '@slipway/database';

export interface StoredAt {
  /** Below `<namespace>/`. */
  readonly path: string;
  readonly size: number;
  /** Milliseconds since the epoch. */
  readonly lastModified: number;
}

export type Reason =
  /** The run, or its experiment, was deleted and its grace is over. */
  | 'RunDeleted'
  /** There is no run of this id: it was purged, or never made. */
  | 'RunMissing'
  /** What a pod of a TrainingJob wrote before it failed: its run ended otherwise. */
  | 'AttemptAbandoned'
  | 'ModelDeleted'
  | 'ModelMissing'
  /** A later upload of the data set is what its name means, and no version was trained on this one. */
  | 'DataSuperseded'
  /** An upload whose row was never written, or is deleted. */
  | 'DataMissing'
  /** What a version was converted to: the version is deleted, or the conversion was never recorded. */
  | 'DerivedUnused';

export interface Candidate extends StoredAt {
  readonly reason: Reason;
}

const RUN = /^\d{1,9}\/[0-9a-f]{32}(?=\/)/;
const MODEL = /^\d{1,9}\/models\/m-[0-9a-f]{32}(?=\/)/;
const UPLOAD = /^data\/[0-9a-f]{32}(?=\/)/;
const DERIVED = /^derived\/[^/]+\/\d{1,10}\/[0-9a-f]{64}(?=\/)/;
/** How publishing names the folder of an attempt. */
const ATTEMPT = /^\d+\/[0-9a-f]{32}\/artifacts\/[0-9a-f]{12}(?=\/)/;

/** The folder that some row speaks for, or should; undefined for a path that is none of ours to judge. */
export const unitOf = (path: string): string | undefined =>
  (RUN.exec(path) ?? MODEL.exec(path) ?? UPLOAD.exec(path) ?? DERIVED.exec(path))?.[0];

/** True when a reference names the path or a folder around it. */
function isKept(path: string, kept: ReadonlySet<string>): boolean {
  if (kept.size === 0) return false;
  for (let end = path.length; end > 0; end = path.lastIndexOf('/', end - 1))
    if (kept.has(path.slice(0, end))) return true;
  return kept.has('');
}

const isOver = (time: number | undefined, cutoff: number): boolean => time !== undefined && time < cutoff;

/** An attempt is needed while its run goes on, when it is the one that was published, or when nobody knows which was. */
function isAbandoned(path: string, run: RunState, kept: ReadonlySet<string>): boolean {
  const attempt = ATTEMPT.exec(path)?.[0];
  if (attempt === undefined || !run.owned || run.open) return false;
  if (run.published && run.publishedPath === undefined) return false;
  // Beside a model lie the files that were published with it.
  const holds = (other: string) => other === attempt || other.startsWith(`${attempt}/`);
  return !(run.publishedPath !== undefined && holds(run.publishedPath)) && ![...kept].some(holds);
}

function reasonFor(path: string, unit: string, references: References, cutoff: number): Reason | undefined {
  if (UPLOAD.test(path)) {
    const upload = references.uploads.get(unit);
    if (!upload) return 'DataMissing';
    return isOver(upload.supersededTime, cutoff) && !upload.inLineage ? 'DataSuperseded' : undefined;
  }
  if (MODEL.test(path)) {
    const model = references.models.get(unit);
    if (!model) return 'ModelMissing';
    return isOver(model.deletedTime, cutoff) ? 'ModelDeleted' : undefined;
  }
  const run = references.runs.get(unit);
  if (!run) return 'RunMissing';
  if (isOver(run.deletedTime, cutoff) && !run.open) return 'RunDeleted';
  return isAbandoned(path, run, references.kept) ? 'AttemptAbandoned' : undefined;
}

/**
 * The objects that may go. Nothing younger than the grace does, nothing a reference names or lies around, and nothing
 * outside the folders of runs, logged models, data sets and derived models. `references` covers the folders of all `objects`.
 */
export function decide(
  objects: readonly StoredAt[],
  references: References,
  now: number,
  graceMs: number,
): Candidate[] {
  const cutoff = now - graceMs;
  return objects.flatMap((object) => {
    const unit = unitOf(object.path);
    if (unit === undefined || !(object.lastModified < cutoff) || isKept(object.path, references.kept)) return [];
    // For derived models only references speak, and none does.
    const reason = DERIVED.test(object.path) ? 'DerivedUnused' : reasonFor(object.path, unit, references, cutoff);
    return reason === undefined ? [] : [{ ...object, reason }];
  });
}
