/** What the figures must show, judged on what was measured. Printed and written down; never a test. */
import { CONVERTED, type Group, gridGroups, groupId, peersOf } from './cells.ts';
import { KIND_LABELS, KINDS } from './kinds.ts';
import { MODEL_LABELS, MODELS, type ModelName } from './models.ts';
import { AGAIN_PACE, QUICK_PACE, type Verdict, verdict, type Work } from './plan.ts';
import type { GroupResult, Results } from './results.ts';
import { SERVERS, type ServerName, serverOf } from './servers.ts';
import { type Interval, interval, ratio } from './statistics.ts';

export interface Target {
  readonly what: string;
  readonly wanted: string;
  /** Absent: not measured. */
  readonly got?: Interval;
  readonly unit: '×' | 'ms' | 's' | 'MB' | 'cells';
  /** The same of processor time for each request, which company on the machine hardly changes. */
  readonly byProcessor?: Interval;
  readonly state: 'met' | 'missed' | 'open';
  /** Why there is no figure, or which cells fell short. */
  readonly note?: string;
}

type Bound = { readonly atLeast: number } | { readonly atMost: number };

const wantedText = (bound: Bound, unit: string): string =>
  'atLeast' in bound ? `≥ ${bound.atLeast}${unit}` : `≤ ${bound.atMost}${unit}`;
const isMet = (value: number, bound: Bound): boolean =>
  'atLeast' in bound ? value >= bound.atLeast : value <= bound.atMost;

const NOT_MEASURED = 'not measured';

function judged(what: string, bound: Bound, unit: Target['unit'], got: Interval | string): Target {
  const wanted = wantedText(bound, unit === '×' ? '×' : ` ${unit}`);
  if (typeof got === 'string') return { what, wanted, unit, state: 'open', note: got };
  return { what, wanted, unit, got, state: isMet(got.median, bound) ? 'met' : 'missed' };
}

type Figure = 'perSecond' | 'p50Ms' | 'cpuUs';

/** The quotient of two servers of a group, or why there is none. */
export function quotient(
  group: GroupResult | undefined,
  [ours, theirs]: readonly [ServerName, ServerName],
  figure: Figure = 'perSecond',
): Interval | string {
  const [a, b] = [group?.cells[ours], group?.cells[theirs]];
  const failure = a?.failure ?? b?.failure;
  if (failure !== undefined) return failure.split('\n')[0] as string;
  if (!a?.rounds.length || !b?.rounds.length) return NOT_MEASURED;
  return ratio(
    a.rounds.map((round) => round[figure]),
    b.rounds.map((round) => round[figure]),
  );
}

/** Requests a second over another server's, with what bounds it. */
function times(what: string, group: GroupResult | undefined, peer: ServerName, atLeast: number): Target {
  const judgement = judged(
    `${what}: requests/s over ${labelOf(peer)}`,
    { atLeast },
    '×',
    quotient(group, ['slipway', peer]),
  );
  const byProcessor = quotient(group, [peer, 'slipway'], 'cpuUs');
  const note = judgement.note ?? ceiling(group, peer, atLeast);
  return {
    ...judgement,
    ...(typeof byProcessor !== 'string' && { byProcessor }),
    ...(note !== undefined && { note }),
  };
}

/** Says so when not even a constant answer would reach what is wanted. */
function ceiling(group: GroupResult | undefined, peer: ServerName, atLeast: number): string | undefined {
  const most = peer === 'constant' ? '' : quotient(group, ['constant', peer]);
  if (typeof most === 'string' || most.median >= atLeast) return undefined;
  return `node:http with a constant answer is ${most.median.toFixed(1)}×`;
}

const labelOf = (name: ServerName): string => serverOf(name).label;

/** All of them, in the order of the page. */
export function judge(results: Results): Target[] {
  const groupOf = (...[model, kind, rows, connections]: Parameters<typeof id>) =>
    results.groups[id(model, kind, rows, connections)];
  const one = groupOf('lr', 'predict', 1, 64);
  const forest = groupOf('rf100', 'predict', 1, 64);
  const iris = 'logistic regression, 1 row, 64 connections';
  const hundred = 'forest of 100 trees, 1 row, 64 connections';
  return [
    times(iris, one, 'express', 8),
    times(iris, one, 'fastapi-sklearn', 12),
    times(iris, one, 'fastapi-onnxruntime', 8),
    times(iris, one, 'bare-http', 0.85),
    times(iris, one, 'constant', 0.85),
    times(iris, one, 'raw-net', 0.6),
    times(hundred, forest, 'fastapi-sklearn', 100),
    times(hundred, forest, 'fastapi-onnxruntime', 6),
    judged(
      `logistic regression, 1 row, 1 connection: median latency over ${labelOf('bare-http')}`,
      { atMost: 1.1 },
      '×',
      quotient(groupOf('lr', 'predict', 1, 1), ['slipway', 'bare-http'], 'p50Ms'),
    ),
    ...manyRows(results),
    binary(results),
    grid(results),
    ...startAndMemory(results),
    ...conversions(results),
  ];
}

const id = (model: 'lr' | 'rf100' | 'rf500', kind: (typeof KINDS)[number], rows: number, connections: number): string =>
  groupId({ model, kind, rows, connections });

function manyRows(results: Results): Target[] {
  return KINDS.flatMap((kind) => {
    const group = results.groups[id('lr', kind, 1024, 16)];
    const what = `logistic regression, 1,024 rows, ${KIND_LABELS[kind]}`;
    return peersOf[kind].map((peer) => times(what, group, peer, 1));
  });
}

const peersIn = (group: GroupResult | undefined): ServerName[] =>
  SERVERS.filter((name) => serverOf(name).role === 'peer' && group?.cells[name] !== undefined);

/** Not one group, so not the same rounds: the interval is that of the extremes. */
function binary(results: Results): Target {
  const what = 'logistic regression, 1,024 rows: V2 with binary tensors over V2 with JSON, requests/s';
  const [binaryCell, jsonCell] = (['v2-binary', 'v2'] as const).map(
    (kind) => results.groups[id('lr', kind, 1024, 16)]?.cells.slipway,
  );
  const bound = { atLeast: 5 };
  const failure = binaryCell?.failure ?? jsonCell?.failure;
  if (failure !== undefined) return judged(what, bound, '×', failure.split('\n')[0] as string);
  if (!binaryCell?.rounds.length || !jsonCell?.rounds.length) return judged(what, bound, '×', NOT_MEASURED);
  const [a, b] = [binaryCell, jsonCell].map(({ rounds }) => interval(rounds.map(({ perSecond }) => perSecond)));
  if (!a || !b) return judged(what, bound, '×', NOT_MEASURED);
  return judged(what, bound, '×', { median: a.median / b.median, low: a.low / b.high, high: a.high / b.low });
}

/** A cell of the grid against the peer that is ahead of us, or nearest to it. */
export interface GridCell {
  readonly id: string;
  /** `void`: it was measured, and a request failed. */
  readonly verdict: Verdict | 'void';
  readonly peer: ServerName;
  readonly ratio?: Interval;
  readonly why?: string;
}

const SEVERITY: readonly GridCell['verdict'][] = ['behind', 'undecided', 'ahead', 'void'];

/** How a group stands against each of its peers. */
function against(id: string, found: GroupResult | undefined): (GridCell & { readonly peer: ServerName })[] {
  const roundsOf = (name: ServerName): number => found?.cells[name]?.rounds.length ?? 0;
  return peersIn(found).map((peer) => {
    const ratio = quotient(found, ['slipway', peer]);
    if (typeof ratio === 'string') return { id, peer, verdict: 'void', why: ratio };
    return { id, peer, ratio, verdict: verdict(ratio, Math.min(roundsOf('slipway'), roundsOf(peer))) };
  });
}

/**
 * Every cell of the grid that has been measured, in its order, against the peer that is nearest or ahead. A peer whose
 * requests fail is ahead of nobody; a cell is void when ours failed, or every peer.
 */
export function gridCells(results: Results): GridCell[] {
  return gridGroups().flatMap((group) => {
    const cells = against(groupId(group), results.groups[groupId(group)]);
    const order = (cell: GridCell): number => SEVERITY.indexOf(cell.verdict);
    const middle = (cell: GridCell): number => cell.ratio?.median ?? 0;
    const nearest = cells.toSorted((a, b) => order(a) - order(b) || middle(a) - middle(b))[0];
    return nearest ? [nearest] : [];
  });
}

/** What short rounds left undecided, measured longer: Slipway and the peers in question. */
export function undecidedWork(results: Results, groups: readonly Group[], build: string): Work[] {
  return groups.flatMap((group): Work[] => {
    const found = results.groups[groupId(group)];
    if (found?.build !== build || found.seconds >= QUICK_PACE.seconds) return [];
    const close = against(groupId(group), found).filter((cell) => cell.verdict === 'undecided');
    const servers: ServerName[] = ['slipway', ...close.map(({ peer }) => peer)];
    return close.length === 0 ? [] : [{ group: { ...group, servers }, pace: AGAIN_PACE, isAgain: true }];
  });
}

const toldCell = ({ id, peer, ratio, why }: GridCell): string =>
  `${id} (${labelOf(peer)}, ${ratio ? `${ratio.median.toFixed(2)}×, ${ratio.low.toFixed(2)}–${ratio.high.toFixed(2)}` : why})`;

function grid(results: Results): Target {
  const all = gridGroups().length;
  const cells = gridCells(results);
  const of = (which: GridCell['verdict']): GridCell[] => cells.filter((cell) => cell.verdict === which);
  const behind = of('behind').length;
  const isWhole = cells.length === all;
  const told = (['behind', 'undecided', 'void'] as const).flatMap((which) =>
    of(which).length === 0 ? [] : [`${which}: ${of(which).map(toldCell).join(', ')}`],
  );
  const note = [...told, ...(isWhole ? [] : ['`--grid` measures the rest'])].join('; ');
  const unclear = of('undecided').length + of('void').length;
  return {
    what: `cells of the grid where a peer is ahead in the same protocol (${cells.length} of ${all} measured)`,
    wanted: '0 cells',
    unit: 'cells',
    ...(cells.length > 0 && { got: { median: behind, low: behind, high: behind + unclear } }),
    state: behind > 0 ? 'missed' : isWhole && unclear === 0 ? 'met' : 'open',
    ...(note !== '' && { note }),
  };
}

/** What a conversion may take. Nobody has set a bound for the memory of the small one. */
const CONVERSION_BOUNDS: Partial<Record<ModelName, { readonly seconds: number; readonly megabytes?: number }>> = {
  lr: { seconds: 15 },
  rf500: { seconds: 60, megabytes: 2000 },
};
const CONVERTED_AT_LEAST = 0.9;

function conversions(results: Results): Target[] {
  return MODELS.flatMap((model) => {
    const [bounds, group] = [CONVERSION_BOUNDS[model], CONVERTED[model]];
    if (!bounds || !group) return [];
    const made = results.conversions[model];
    const of = (value: number | undefined) =>
      made?.failure?.split('\n')[0] ?? (value === undefined ? NOT_MEASURED : interval([value]));
    const what = `conversion of ${MODEL_LABELS[model]}`;
    const ratioHere = quotient(results.groups[groupId(group)], ['slipway-converted', 'slipway']);
    return [
      judged(`${what}: time`, { atMost: bounds.seconds }, 's', of(made?.seconds)),
      ...(bounds.megabytes === undefined
        ? []
        : [judged(`${what}: peak of memory`, { atMost: bounds.megabytes }, 'MB', of(made?.peakMb))]),
      judged(`${what}: requests/s over the export by hand`, { atLeast: CONVERTED_AT_LEAST }, '×', ratioHere),
    ];
  });
}

function startAndMemory(results: Results): Target[] {
  const start = results.starts.slipway;
  const resident = [
    ...(start?.loadedMb ?? []),
    ...Object.values(results.groups).flatMap(
      ({ cells }) => cells.slipway?.rounds.map((round) => round.residentMb) ?? [],
    ),
  ];
  const of = (values: readonly number[] | undefined) => (values?.length ? interval(values) : NOT_MEASURED);
  const highest = of(resident);
  return [
    judged('process start to first prediction, logistic regression', { atMost: 400 }, 'ms', of(start?.startMs)),
    judged(
      'resident memory under load, the highest of all that was measured',
      { atMost: 130 },
      'MB',
      typeof highest === 'string' ? highest : { ...highest, median: highest.high },
    ),
  ];
}
