/** How much is measured, for how long and in which order. Pure: the estimate of a run is made of the same rules as the run. */
import { byServers, type Group } from './cells.ts';
import type { ModelName } from './models.ts';
import { isMeasured, type Results } from './results.ts';
import { isOfNode, type ServerName } from './servers.ts';
import type { Interval } from './statistics.ts';

/** Rounds in turn, each so long. */
export interface Pace {
  readonly seconds: number;
  readonly rounds: number;
}

/** The cells that the targets speak of. */
export const QUICK_PACE: Pace = { seconds: 2, rounds: 3 };
/** Hundreds of cells: most are decided at a glance. */
export const GRID_PACE: Pace = { seconds: 0.4, rounds: 3 };
/** The cells of the grid that a glance did not decide. */
export const AGAIN_PACE: Pace = { seconds: 3, rounds: 3 };

/** A group and how it is measured. */
export interface Work {
  readonly group: Group;
  readonly pace: Pace;
  /** Only some of its servers, in place of what they had; the figures of the others are kept. */
  readonly isAgain?: true;
}

/** What is to be measured, by the servers it needs: cheap cells first, so that what is slow finds out before it hurts. */
export function batches(work: readonly Work[]): Work[][] {
  const workOf = new Map(work.map((each) => [each.group, each]));
  return byServers(work.map(({ group }) => group)).map((groups) =>
    groups
      .toSorted((a, b) => a.rows - b.rows || a.connections - b.connections)
      .map((group) => workOf.get(group) as Work),
  );
}

/** What no earlier run with this build has measured at this pace or a longer one. */
export const openWork = (groups: readonly Group[], results: Results, build: string, pace: Pace): Work[] =>
  groups.filter((group) => !isMeasured(results, group, build, pace)).map((group) => ({ group, pace }));

/** Load before the first round: what Node runs is interpreted for its first thousands of requests, Python always. */
export const WARM_SECONDS = 4;
const WARM_SECONDS_PYTHON = 1;
/** For rows of another number: other loops of a program that is warm. */
const WARM_SECONDS_MORE = 1;

/** How long a server is kept busy before the first round of a cell; `isNew`: since it was started. */
export function warmSeconds(name: ServerName, isNew: boolean, pace: Pace): number {
  const isGrid = pace.seconds < 1;
  if (!isOfNode(name) && isGrid) return isNew ? WARM_SECONDS_PYTHON : 0;
  return isNew ? WARM_SECONDS : WARM_SECONDS_MORE;
}

/** No round of a slow server is longer, unless nothing at all is answered. */
export const MOST_SECONDS = 4;
/** A server with more than this on its way is slow: what is left of a round keeps it from the next. */
const SLOW_SECONDS = 1;

/**
 * The rounds of one server in one cell. `alone`: seconds for an answer when one client asks, if known. Work that is on the
 * way when a round ends must be waited for; so a slow server has one round in the grid, long enough for each client's turn
 * up to a limit.
 */
export function roundsOf(pace: Pace, connections: number, alone: number | undefined): Pace {
  const backlog = connections * (alone ?? 0);
  if (backlog < SLOW_SECONDS) return pace;
  const seconds = Math.max(pace.seconds, Math.min(MOST_SECONDS, backlog * 1.2));
  return { seconds, rounds: pace.seconds < 1 ? 1 : pace.rounds };
}

/** So many times as fast as another, and luck decides nothing: fewer rounds do. */
const FAR = 5;
const VERY_FAR = 10;

/** Whether a server is asked in this round (from 0); `ratio`: Slipway's requests a second over its own in the first. */
export function takesPart(round: number, own: Pace, ratio: number | undefined): boolean {
  if (ratio === undefined || own.seconds >= 1) return round < own.rounds;
  const times = Math.max(ratio, 1 / ratio);
  const enough = times > VERY_FAR ? 1 : times > FAR ? 2 : own.rounds;
  return round < Math.min(enough, own.rounds);
}

/** What costs less time: to wait until a server has done what its clients no longer want, or to start it anew. */
export const isStartedAnew = (backlogSeconds: number, startSeconds: number, warm: number): boolean =>
  backlogSeconds > startSeconds + warm + 0.5;

export type Verdict = 'ahead' | 'behind' | 'undecided';

/** One round has no interval: it decides where one side has twice the other. */
const ONE_ROUND_DECIDES = 2;

/** Slipway is ahead of a peer when all rounds say so, behind when all say that. */
export function verdict({ low, high }: Interval, rounds: number): Verdict {
  const margin = rounds > 1 ? 1 : ONE_ROUND_DECIDES;
  if (low > margin) return 'ahead';
  return high < 1 / margin ? 'behind' : 'undecided';
}

/** From the start of a process to its first answer; of a run on two cores. Only the estimate uses them. */
const START_SECONDS: Partial<Readonly<Record<ServerName, number>>> = {
  'fastapi-sklearn': 1.9,
  bentoml: 3.6,
  litserve: 2.5,
  mlserver: 2.8,
  'mlserver-batching': 2,
  kserve: 2.8,
  mlflow: 8.8,
};
const OTHER_START_SECONDS = 0.5;
const STOP_SECONDS = 0.4;
/** To wake a server, to check its answer, to start and to end the load generator. */
const ROUND_SECONDS = 0.15;

/** Seconds for an answer of scikit-learn, and of what onnxruntime or Slipway computes; a guess for the estimate. */
const ALONE: Readonly<Record<ModelName, { readonly sklearn: readonly number[]; readonly others: readonly number[] }>> =
  {
    lr: { sklearn: [0.002, 0.002, 0.008], others: [0, 0, 0.002] },
    rf100: { sklearn: [0.008, 0.008, 0.02], others: [0, 0, 0.006] },
    rf500: { sklearn: [0.035, 0.04, 0.1], others: [0, 0.002, 0.05] },
  };
const isSklearn = (name: ServerName): boolean => !isOfNode(name) && name !== 'fastapi-onnxruntime';
const guessed = ({ model, rows }: Group, name: ServerName): number =>
  ALONE[model][isSklearn(name) ? 'sklearn' : 'others'][rows === 1 ? 0 : rows === 32 ? 1 : 2] as number;

/** How long a run takes on a machine with nothing else to do. */
export const estimateSeconds = (work: readonly Work[]): number =>
  batches(work).reduce((sum, batch) => sum + batchSeconds(batch), 0);

function batchSeconds(batch: readonly Work[]): number {
  const names = [...new Set(batch.flatMap(({ group }) => group.servers))];
  const startSeconds = (name: ServerName): number => START_SECONDS[name] ?? OTHER_START_SECONDS;
  let seconds = names.reduce((sum, name) => sum + startSeconds(name) + STOP_SECONDS, 0);
  const warmFor = new Set<string>();
  const last = batch.at(-1)?.group;
  for (const { group, pace } of batch)
    for (const name of group.servers) {
      const key = `${name} ${group.rows}`;
      if (!warmFor.has(key))
        seconds += warmSeconds(name, ![...warmFor].some((each) => each.startsWith(`${name} `)), pace);
      warmFor.add(key);
      seconds += cellSeconds(group, name, pace, startSeconds(name), group === last);
    }
  return seconds;
}

function cellSeconds(group: Group, name: ServerName, pace: Pace, start: number, isLast: boolean): number {
  const alone = guessed(group, name);
  const own = roundsOf(pace, group.connections, alone);
  const times = group.rows === 1024 && group.model === 'lr' ? FAR : VERY_FAR;
  const ratio = isSklearn(name) ? times + 1 : undefined;
  const rounds = [...Array(own.rounds).keys()].filter((round) =>
    takesPart(round, own, round === 0 ? undefined : ratio),
  );
  const warm = warmSeconds(name, true, pace);
  const backlog = group.connections * alone;
  const waited = isStartedAnew(backlog, start, warm) ? start + STOP_SECONDS + warm : backlog;
  // Nobody waits for what is left when all is done.
  return rounds.length * (own.seconds + ROUND_SECONDS + waited) - (isLast ? waited : 0);
}

/** How long the starts take: ours so often, each peer so often, and 2 s of load for each once. */
export function startsSeconds(runs: number, peerRuns: number): number {
  const peers = Object.values(START_SECONDS).reduce((sum, seconds) => sum + seconds, 0);
  return runs * (OTHER_START_SECONDS + STOP_SECONDS) + peerRuns * (peers + 10 * STOP_SECONDS) + 10 * 2.5;
}

/** `4 min 10 s`. */
export function duration(seconds: number): string {
  const whole = Math.round(seconds);
  return whole < 60 ? `${whole} s` : `${Math.floor(whole / 60)} min ${whole % 60} s`;
}
