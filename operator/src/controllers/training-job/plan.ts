/**
 * Which runs to start, which to end for them, which must wait, and which requests to refuse. Pure: the same observation
 * gives the same plan, so a crash between its steps is followed by the steps that are left.
 */
import { runKeyFor, type Trigger } from '@slipway/contract';
import type { Run, RunRequest } from '@slipway/database';
import type { Cause, TrainingJob } from './api.ts';
import type { ManualRun } from './manual.ts';
import type { TickStatus, Ticks } from './ticks.ts';
import { problemOf, specDigest, withRunParameters } from './training.ts';

export interface Observed {
  readonly trainingJob: TrainingJob;
  /** Its runs, newest first, trials not among them: all that go on, and the newest of the others. */
  readonly rows: readonly Run[];
  readonly ticks: Ticks;
  /** What the annotation asks for; absent when it asks for nothing or its token has had its run. */
  readonly manual?: ManualRun;
  /** Requests that were neither started nor refused, oldest first. */
  readonly pending: readonly RunRequest[];
}

/** A run to be started. */
export interface Start {
  readonly runKey: string;
  readonly cause: Cause;
  readonly parameters: Readonly<Record<string, string>>;
  readonly scheduledTime?: string;
  readonly requestId?: string;
  /** When somebody asked for it. */
  readonly requestedAt?: string;
}

export interface Plan {
  /** Runs that go on and are ended so that others can start, and why. */
  readonly replaced: readonly Run[];
  readonly why: string;
  readonly starts: readonly Start[];
  /** They start when what goes on has ended, in this order. */
  readonly waiting: readonly Start[];
  readonly refusals: readonly { readonly requestId: string; readonly why: string }[];
  readonly tickStatus: TickStatus;
}

const isOpen = ({ status }: Run): boolean => status === 'RUNNING';
const SPEC_CHANGED = 'the spec changed while it ran: a newer run took its place';
const TICKED = 'the schedule ticked while it ran, and spec.concurrencyPolicy is Replace: a newer run took its place';

/** What is to be done now. */
export function planFor(observed: Observed): Plan {
  const { trainingJob, rows, ticks } = observed;
  const policy = trainingJob.spec.concurrencyPolicy;
  const open = rows.filter(isOpen);
  const { requests, refusals } = sorted(observed);
  const changed = changeOf(observed);
  const tick = ticks.due && tickStart(trainingJob, ticks.due);
  const queue = inOrder([...asked(observed), ...requests], tick, policy === 'Replace');

  const replaces = changed ?? (policy === 'Replace' ? tick : undefined);
  const replaced = replaces ? open : [];
  const first = replaces ? [replaces] : [];
  const others = queue.filter((start) => start !== replaces);
  const isFree = policy === 'Allow' || (open.length === 0 && first.length === 0);
  const starts = [...first, ...(policy === 'Allow' ? others : isFree ? others.slice(0, 1) : [])];
  const waiting = others.filter((start) => !starts.includes(start));
  const why = changed ? SPEC_CHANGED : TICKED;
  const tickStatus = tick && waiting.includes(tick) ? ticks.waiting : ticks.dealt;
  return { replaced, why, starts, waiting, refusals, tickStatus };
}

const start = (
  { metadata, spec }: TrainingJob,
  trigger: Trigger,
  of: Omit<Start, 'runKey' | 'parameters'>,
  over: Readonly<Record<string, string>> = {},
): Start => ({
  ...of,
  runKey: runKeyFor(metadata.uid ?? '', trigger),
  parameters: { ...spec.parameters, ...over },
});

/**
 * The run that the spec itself asks for: without a schedule, when nothing was trained yet or what is to be trained is not
 * what the newest run was started with.
 */
function changeOf({ trainingJob, rows }: Observed): Start | undefined {
  const { spec, metadata } = trainingJob;
  if (spec.schedule !== undefined) return undefined;
  const [newest] = rows;
  if (newest?.specDigest === specDigest(spec)) return undefined;
  const { generation = 1 } = metadata;
  // Whoever led before had seen a later spec: a watch that is behind must not bring the earlier one back.
  if (newest && newest.generation > generation) return undefined;
  const trigger = { kind: 'spec', generation } as const;
  const wanted = start(trainingJob, trigger, { cause: newest ? 'SpecChanged' : 'Created' });
  return rows.some(({ runKey }) => runKey === wanted.runKey) ? undefined : wanted;
}

const tickStart = (trainingJob: TrainingJob, at: Date): Start =>
  start(trainingJob, { kind: 'schedule', at }, { cause: 'Schedule', scheduledTime: at.toISOString() });

function asked({ trainingJob, manual }: Observed): Start[] {
  if (!manual) return [];
  return [start(trainingJob, { kind: 'manual', token: manual.token }, { cause: 'Manual' }, manual.parameters)];
}

/** The clocks of the API server and of Postgres may differ by this much. */
const CLOCKS_DIFFER_MS = 60_000;

/** True when it was asked of a TrainingJob of this name that was deleted while nobody could answer. */
const isOfEarlier = ({ metadata }: TrainingJob, requestedAt: string): boolean =>
  Date.parse(requestedAt) < Date.parse(metadata.creationTimestamp ?? '') - CLOCKS_DIFFER_MS;

/** Requests that can run, and those that cannot, with why. */
function sorted({ trainingJob, pending }: Observed): { requests: Start[]; refusals: Plan['refusals'] } {
  const requests: Start[] = [];
  const refusals: { requestId: string; why: string }[] = [];
  for (const { requestId, requestedAt, parameters } of pending) {
    const why = isOfEarlier(trainingJob, requestedAt)
      ? `TrainingJob ${trainingJob.metadata.name} was deleted and made again after the request: ask once more`
      : problemOf(withRunParameters(trainingJob.spec, { ...trainingJob.spec.parameters, ...parameters }))?.message;
    if (why !== undefined) refusals.push({ requestId, why });
    else {
      const trigger = { kind: 'request', requestId } as const;
      requests.push(start(trainingJob, trigger, { cause: 'Api', requestId, requestedAt }, parameters));
    }
  }
  return { requests, refusals };
}

const since = ({ scheduledTime, requestedAt }: Start): string => scheduledTime ?? requestedAt ?? '';

/** Who asked first is first; a token does not say when, and goes before. A tick that replaces comes before all. */
function inOrder(others: readonly Start[], tick: Start | undefined, tickFirst: boolean): readonly Start[] {
  if (!tick) return others;
  return tickFirst ? [tick, ...others] : [...others, tick].sort((a, b) => (since(a) < since(b) ? -1 : 1));
}
