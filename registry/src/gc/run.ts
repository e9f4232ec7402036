/**
 * Garbage collection: versions and runs that retention gives up, then rows whose deletion is long past, then bytes that nothing
 * speaks for. In this order every step may be repeated, and a run that is cut short is finished by the next.
 */
import type { ExpiredRow, GarbageRows, RetiredVersion } from '@slipway/database';
import type { ObjectInfo, StreamingObjectStore } from '@slipway/object-store';
import { artifactKey } from '../artifacts/location.ts';
import { type Candidate, decide, type StoredAt, unitOf } from './decide.ts';

export interface GcDeps {
  readonly store: StreamingObjectStore;
  readonly rows: GarbageRows;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** Told of everything that is (or, in a dry run, would be) taken. */
  readonly report: (found: Found) => void;
}

export interface GcOptions {
  readonly dryRun: boolean;
  /** How long ago something must have been stored, deleted or superseded. */
  readonly graceMs: number;
  /** One namespace; all of them when absent. */
  readonly namespace?: string | undefined;
  /** So many of the newest versions of a model stay. */
  readonly keepLast?: number | undefined;
  /** Younger versions stay. Without either setting all versions do. */
  readonly maxAgeMs?: number | undefined;
  /** Versions in one of these stages stay in any case. Absent: those in any stage but None. */
  readonly keepStages?: readonly string[] | undefined;
  /** The same of runs, by experiment and by their end. Without either setting all runs stay. */
  readonly runs?: { readonly keepLast?: number | undefined; readonly maxAgeMs?: number | undefined };
}

export type Found = { readonly namespace: string } & (
  | ({ readonly what: 'version'; readonly reason: 'Retention' } & RetiredVersion)
  | { readonly what: 'run'; readonly reason: 'Retention'; readonly id: string }
  | ({ readonly what: 'row'; readonly reason: 'Deleted' } & ExpiredRow)
  | { readonly what: 'object'; readonly reason: Candidate['reason']; readonly path: string; readonly size: number }
  | { readonly what: 'upload'; readonly reason: 'Unfinished'; readonly path: string }
);

export interface GcSummary {
  readonly versions: number;
  /** Given up by retention: deleted as a client would, for the grace to begin. */
  readonly runs: number;
  readonly rows: number;
  readonly objects: number;
  readonly bytes: number;
  readonly uploads: number;
}

/** Objects that are judged, and deleted, at once. */
const AT_ONCE = 1_000;

interface Sweep extends GcDeps {
  readonly options: GcOptions;
  readonly namespace: string;
  readonly cutoff: number;
}

const pathOf = ({ namespace }: Sweep, key: string): string => key.slice(artifactKey(namespace, '').length);

async function retireVersions({ rows, options, namespace, now, report }: Sweep): Promise<number> {
  const { keepLast, maxAgeMs, keepStages, dryRun } = options;
  let count = 0;
  const createdBefore = maxAgeMs === undefined ? undefined : now() - maxAgeMs;
  for (const version of await rows.retirable(namespace, { keepLast, createdBefore, keepStages })) {
    if (!dryRun && !(await rows.retire(namespace, version, { keepStages }))) continue;
    report({ namespace, what: 'version', reason: 'Retention', ...version });
    count += 1;
  }
  return count;
}

/** Runs after versions: a version that was just given up holds no run any more. */
async function retireRuns({ rows, options, namespace, now, report }: Sweep): Promise<number> {
  const { keepLast, maxAgeMs } = options.runs ?? {};
  const endedBefore = maxAgeMs === undefined ? undefined : now() - maxAgeMs;
  const ids = await rows.retirableRuns(namespace, { keepLast, endedBefore });
  let count = 0;
  for (let from = 0; from < ids.length; from += AT_ONCE) {
    const some = ids.slice(from, from + AT_ONCE);
    const gone = options.dryRun ? some : await rows.retireRuns(namespace, some);
    for (const id of gone) report({ namespace, what: 'run', reason: 'Retention', id });
    count += gone.length;
  }
  return count;
}

async function purgeRows({ rows, options, namespace, cutoff, report }: Sweep): Promise<number> {
  let count = 0;
  for (;;) {
    const some = options.dryRun ? await rows.expired(namespace, cutoff) : await rows.purgeSome(namespace, cutoff);
    for (const row of some) report({ namespace, what: 'row', reason: 'Deleted', ...row });
    count += some.length;
    if (options.dryRun || some.length === 0) return count;
  }
}

const storedAt = (sweep: Sweep, { key, size, lastModified }: ObjectInfo): StoredAt => ({
  path: pathOf(sweep, key),
  size,
  lastModified: lastModified.getTime(),
});

async function judged(sweep: Sweep, objects: readonly StoredAt[]): Promise<Candidate[]> {
  const { rows, store, namespace, now, options } = sweep;
  const units = [...new Set(objects.flatMap(({ path }) => unitOf(path) ?? []))];
  if (units.length === 0) return [];
  const references = await rows.references(namespace, store.bucket, units);
  return decide(objects, references, now(), options.graceMs);
}

/** The candidates as they are in the store now: what was uploaded anew since is younger, and stays. */
async function listedAgain(sweep: Sweep, candidates: readonly Candidate[]): Promise<StoredAt[]> {
  const wanted = new Set(candidates.map(({ path }) => path));
  const prefix = artifactKey(sweep.namespace, '');
  const first = candidates[0]?.path ?? '';
  const found: StoredAt[] = [];
  for await (const info of sweep.store.walk(prefix, `${prefix}${first}`.slice(0, -1))) {
    const object = storedAt(sweep, info);
    if (wanted.delete(object.path)) found.push(object);
    if (wanted.size === 0 || object.path > (candidates.at(-1)?.path ?? '')) break;
  }
  return found;
}

/** Deletes what nobody speaks for, asked and listed once more just before. Rows go first: bytes without a row are swept. */
async function deleted(sweep: Sweep, candidates: readonly Candidate[]): Promise<Candidate[]> {
  const { store, rows, namespace, cutoff } = sweep;
  const still = await judged(sweep, await listedAgain(sweep, candidates));
  const superseded = still.filter(({ reason }) => reason === 'DataSuperseded');
  if (superseded.length > 0) {
    const uploads = superseded.map(({ path }) => path.split('/')[1] ?? '');
    await rows.forgetUploads(namespace, uploads, cutoff);
  }
  await store.remove(still.map(({ path }) => artifactKey(namespace, path)));
  await rows.forgetPaths(
    namespace,
    still.map(({ path }) => path),
  );
  return still;
}

/** Objects below the folders that rows speak for, some at a time; predictions and what others put beside are not looked at. */
async function* batches(sweep: Sweep): AsyncGenerator<StoredAt[]> {
  let batch: StoredAt[] = [];
  for await (const entry of sweep.store.folder(artifactKey(sweep.namespace, ''))) {
    if (!('prefix' in entry) || !/\/(\d+|data|derived)\/$/.test(entry.prefix)) continue;
    for await (const info of sweep.store.walk(entry.prefix)) {
      batch.push(storedAt(sweep, info));
      if (batch.length < AT_ONCE) continue;
      yield batch;
      batch = [];
    }
    yield batch;
    batch = [];
  }
}

async function sweepObjects(sweep: Sweep): Promise<{ objects: number; bytes: number }> {
  let [objects, bytes] = [0, 0];
  for await (const batch of batches(sweep)) {
    const candidates = await judged(sweep, batch);
    if (candidates.length === 0) continue;
    const gone = sweep.options.dryRun ? candidates : await deleted(sweep, candidates);
    for (const { path, size, reason } of gone) {
      sweep.report({ namespace: sweep.namespace, what: 'object', reason, path, size });
      objects += 1;
      bytes += size;
    }
  }
  return { objects, bytes };
}

async function sweepUploads(sweep: Sweep): Promise<number> {
  let count = 0;
  for await (const { key, uploadId, initiated } of sweep.store.unfinishedUploads(artifactKey(sweep.namespace, ''))) {
    if (!(initiated.getTime() < sweep.cutoff) || unitOf(pathOf(sweep, key)) === undefined) continue;
    if (!sweep.options.dryRun) await sweep.store.abortMultipart(key, uploadId);
    sweep.report({ namespace: sweep.namespace, what: 'upload', reason: 'Unfinished', path: pathOf(sweep, key) });
    count += 1;
  }
  return count;
}

/** Collects, or in a dry run only reports. Throws when Postgres or the store is away; what was taken by then is taken. */
export async function runGc(deps: GcDeps, options: GcOptions): Promise<GcSummary> {
  const namespaces = options.namespace === undefined ? await deps.rows.namespaces() : [options.namespace];
  let summary: GcSummary = { versions: 0, runs: 0, rows: 0, objects: 0, bytes: 0, uploads: 0 };
  for (const namespace of namespaces) {
    const sweep: Sweep = { ...deps, options, namespace, cutoff: deps.now() - options.graceMs };
    const versions = await retireVersions(sweep);
    const runs = await retireRuns(sweep);
    const rows = await purgeRows(sweep);
    const { objects, bytes } = await sweepObjects(sweep);
    const uploads = await sweepUploads(sweep);
    summary = {
      versions: summary.versions + versions,
      runs: summary.runs + runs,
      rows: summary.rows + rows,
      objects: summary.objects + objects,
      bytes: summary.bytes + bytes,
      uploads: summary.uploads + uploads,
    };
  }
  return summary;
}
