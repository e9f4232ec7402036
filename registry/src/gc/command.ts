/** `registry gc`: its arguments, its settings, and what it prints. */
import { parseArgs } from 'node:util';
import type { GarbageRows } from '@slipway/database';
import type { StreamingObjectStore } from '@slipway/object-store';
import { type Found, type GcOptions, type GcSummary, runGc } from './run.ts';

export const GC_USAGE = `registry gc [--dry-run] [--grace 7d] [--namespace NAME]

Deletes what nobody needs any more: runs, logged models and experiments that were deleted, and requests for runs that were
answered, longer ago than the grace, and stored files that neither they, nor a version, nor a data set refers to.
RETENTION_KEEP_LAST (a number) and RETENTION_MAX_AGE (such as 90d) also give up versions without alias and service whose
stage is not among RETENTION_KEEP_STAGES (Staging,Production,Archived); without them every version stays.
RETENTION_RUNS_KEEP_LAST and RETENTION_RUNS_MAX_AGE do the same for runs that have ended and that no version refers to:
they are deleted, and purged once the grace is over.
One JSON line for each thing taken goes to standard output, a summary to standard error. --dry-run takes nothing.`;

const UNIT_MS = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/** A mistake in the command line or its settings, said in a sentence. */
export class GcUsageError extends Error {
  override readonly name = 'GcUsageError';
}

/** `90s`, `30m`, `12h`, `7d` in milliseconds; undefined for anything else. */
export function durationMs(text: string): number | undefined {
  const match = /^(\d{1,6})([smhd])$/.exec(text);
  return match ? Number(match[1]) * UNIT_MS[match[2] as keyof typeof UNIT_MS] : undefined;
}

function duration(name: string, text: string): number {
  const ms = durationMs(text);
  if (ms === undefined)
    throw new GcUsageError(`${name}: expected a duration such as 90s, 30m, 12h or 7d, got "${text}"`);
  return ms;
}

type Env = Readonly<Record<string, string | undefined>>;

/** An empty variable counts as absent. */
const setting = (env: Env, name: string): string | undefined => (env[name] === '' ? undefined : env[name]);

/** How many stay, and how long, by the names of the two settings. */
function retention(env: Env, names: { readonly keepLast: string; readonly maxAge: string }) {
  const keepLast = setting(env, names.keepLast);
  if (keepLast !== undefined && !/^[1-9]\d{0,5}$/.test(keepLast))
    throw new GcUsageError(`${names.keepLast}: expected a number from 1 on, got "${keepLast}"`);
  const maxAge = setting(env, names.maxAge);
  return {
    keepLast: keepLast === undefined ? undefined : Number(keepLast),
    maxAgeMs: maxAge === undefined ? undefined : duration(names.maxAge, maxAge),
  };
}

const STAGES = ['Staging', 'Production', 'Archived'];

/** `none`: no stage keeps a version. */
function keepStages(env: Env): readonly string[] | undefined {
  const text = setting(env, 'RETENTION_KEEP_STAGES');
  if (text === undefined) return undefined;
  if (text === 'none') return [];
  const stages = text.split(',').map((stage) => stage.trim());
  const unknown = stages.find((stage) => !STAGES.includes(stage));
  if (unknown !== undefined)
    throw new GcUsageError(
      `RETENTION_KEEP_STAGES: expected none, or ${STAGES.join(', ')} with commas, got "${unknown}"`,
    );
  return stages;
}

function parsed(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        'dry-run': { type: 'boolean', default: false },
        grace: { type: 'string', default: '7d' },
        namespace: { type: 'string' },
      },
    }).values;
  } catch (error) {
    throw new GcUsageError(`${(error as Error).message}\n\n${GC_USAGE}`);
  }
}

/** What is asked for, by arguments and environment. Throws GcUsageError naming what is wrong. */
export function gcOptions(args: readonly string[], env: Env = {}): GcOptions {
  const { 'dry-run': dryRun, grace, namespace } = parsed(args);
  return {
    dryRun,
    graceMs: duration('--grace', grace),
    namespace,
    ...retention(env, { keepLast: 'RETENTION_KEEP_LAST', maxAge: 'RETENTION_MAX_AGE' }),
    keepStages: keepStages(env),
    runs: retention(env, { keepLast: 'RETENTION_RUNS_KEEP_LAST', maxAge: 'RETENTION_RUNS_MAX_AGE' }),
  };
}

const size = (bytes: number): string => {
  const power = Math.min(4, Math.floor(Math.log(Math.max(bytes, 1)) / Math.log(1024)));
  return `${(bytes / 1024 ** power).toFixed(power === 0 ? 0 : 1)} ${['B', 'KiB', 'MiB', 'GiB', 'TiB'][power]}`;
};

/** One sentence for a person. Pure. */
export function summaryText({ dryRun }: Pick<GcOptions, 'dryRun'>, summary: GcSummary): string {
  const { versions, runs, rows, objects, bytes, uploads } = summary;
  const taken =
    `${versions} versions and ${runs} runs by retention, ${rows} deleted runs, models and experiments, ` +
    `${objects} files (${size(bytes)}), ${uploads} unfinished uploads`;
  return dryRun ? `would take: ${taken}; nothing was touched` : `took: ${taken}`;
}

export interface GcCommandDeps {
  readonly store: StreamingObjectStore;
  readonly rows: GarbageRows;
  readonly now: () => number;
  /** One line of standard output. */
  readonly print: (line: string) => void;
  /** One line of standard error. */
  readonly say: (line: string) => void;
}

/** The whole command. Throws what runGc throws. */
export async function gcCommand({ print, say, ...deps }: GcCommandDeps, options: GcOptions): Promise<GcSummary> {
  const report = (found: Found) => print(JSON.stringify(found));
  const summary = await runGc({ ...deps, report }, options);
  say(summaryText(options, summary));
  return summary;
}
