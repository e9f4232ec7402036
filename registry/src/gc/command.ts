/** `registry gc`: its arguments, its settings, and what it prints. */
import { parseArgs } from 'node:util';
import type { GarbageRows } from '@slipway/database';
import type { StreamingObjectStore } from '@slipway/object-store';
import { type Found, type GcOptions, type GcSummary, runGc } from './run.ts';

export const GC_USAGE = `registry gc [--dry-run] [--grace 7d] [--namespace NAME]

Deletes what nobody needs any more: runs, logged models and experiments that were deleted longer ago than the grace, and
stored files that neither they, nor a version, nor a data set refers to. RETENTION_KEEP_LAST (a number) and
RETENTION_MAX_AGE (such as 90d) also give up versions without stage, alias and service; without them every version stays.
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

function keepLast(text: string | undefined): number | undefined {
  if (text === undefined || text === '') return undefined;
  if (!/^[1-9]\d{0,5}$/.test(text)) throw new GcUsageError('RETENTION_KEEP_LAST: expected a number from 1 on');
  return Number(text);
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
export function gcOptions(args: readonly string[], env: Readonly<Record<string, string | undefined>> = {}): GcOptions {
  const { 'dry-run': dryRun, grace, namespace } = parsed(args);
  const maxAge = env['RETENTION_MAX_AGE'];
  return {
    dryRun,
    graceMs: duration('--grace', grace),
    namespace,
    keepLast: keepLast(env['RETENTION_KEEP_LAST']),
    maxAgeMs: maxAge === undefined || maxAge === '' ? undefined : duration('RETENTION_MAX_AGE', maxAge),
  };
}

const size = (bytes: number): string => {
  const power = Math.min(4, Math.floor(Math.log(Math.max(bytes, 1)) / Math.log(1024)));
  return `${(bytes / 1024 ** power).toFixed(power === 0 ? 0 : 1)} ${['B', 'KiB', 'MiB', 'GiB', 'TiB'][power]}`;
};

/** One sentence for a person. Pure. */
export function summaryText({ dryRun }: Pick<GcOptions, 'dryRun'>, summary: GcSummary): string {
  const { versions, rows, objects, bytes, uploads } = summary;
  const taken =
    `${versions} versions, ${rows} deleted runs, models and experiments, ` +
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
