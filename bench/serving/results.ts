/** What was measured so far, in a file: what is there is not measured again. */
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { z } from 'zod';
import { type Group, groupId } from './cells.ts';
import { MODELS } from './models.ts';
import { SERVERS } from './servers.ts';

const Round = z.object({
  perSecond: z.number(),
  p50Ms: z.number(),
  p99Ms: z.number(),
  failed: z.number(),
  /** Of the process clock, the server's whole tree, for each request. */
  cpuUs: z.number(),
  residentMb: z.number(),
  /** The share of the server's processor that something else had meanwhile. */
  others: z.number(),
});
export type Round = z.infer<typeof Round>;

const Cell = z.object({
  rounds: z.array(Round),
  /** Why there are no figures, or why they do not count. */
  failure: z.string().optional(),
});
export type Cell = z.infer<typeof Cell>;

const GroupResult = z.object({
  /** What was measured: another build of ours is measured again. */
  build: z.string(),
  date: z.string(),
  /** The pace: how long and how many its rounds were to be. Slow servers, and those far apart, have had fewer. */
  seconds: z.number(),
  rounds: z.number().default(0),
  loadAverage: z.number(),
  /** What computed the model in ours. */
  engine: z.string().optional(),
  cells: z.partialRecord(z.enum(SERVERS), Cell),
});
export type GroupResult = z.infer<typeof GroupResult>;
type Paced = Pick<GroupResult, 'seconds' | 'rounds'>;

const StartResult = z.object({
  date: z.string(),
  loadAverage: z.number(),
  startMs: z.array(z.number()),
  idleMb: z.array(z.number()),
  loadedMb: z.array(z.number()),
  failure: z.string().optional(),
});
export type StartResult = z.infer<typeof StartResult>;

const Conversion = z.object({
  date: z.string(),
  /** What was measured: another converter is measured again. */
  build: z.string(),
  seconds: z.number(),
  peakMb: z.number(),
  failure: z.string().optional(),
});

const Machine = z.object({
  processor: z.string(),
  cores: z.number(),
  memoryGib: z.number(),
  kernel: z.string(),
  runtimes: z.string(),
  wrk: z.string(),
});
export type Machine = z.infer<typeof Machine>;

const Results = z.object({
  machine: Machine,
  versions: z.partialRecord(z.enum(SERVERS), z.string()),
  groups: z.record(z.string(), GroupResult),
  starts: z.partialRecord(z.enum(SERVERS), StartResult),
  startsBuild: z.string().optional(),
  conversions: z.partialRecord(z.enum(MODELS), Conversion).default({}),
});
export type Results = z.infer<typeof Results>;

/** Empty when there is no file, or when it was written on another machine. */
export function readResults(path: string, machine: Machine): Results {
  const empty: Results = { machine, versions: {}, groups: {}, starts: {}, conversions: {} };
  if (!existsSync(path)) return empty;
  const found = Results.parse(JSON.parse(readFileSync(path, 'utf8')));
  const isSame = found.machine.processor === machine.processor && found.machine.cores === machine.cores;
  return isSame ? { ...found, machine } : empty;
}

/** Whole or not at all. */
export function writeResults(path: string, results: Results): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(`${path}.part`, `${JSON.stringify(results, null, 1)}\n`);
  renameSync(`${path}.part`, path);
}

/** Whether a group needs no more measuring: every server has figures, of this build, at this pace or a longer one. */
export function isMeasured(results: Results, group: Group, build: string, pace: Paced): boolean {
  const found = results.groups[groupId(group)];
  if (found?.build !== build || found.seconds < pace.seconds || found.rounds < pace.rounds) return false;
  return group.servers.every((name) => {
    const cell = found.cells[name];
    return cell !== undefined && cell.failure === undefined && cell.rounds.length > 0;
  });
}
