/** One group after the other: its servers in turn, round by round. */
import { loadavg } from 'node:os';
import { type Group, groupId } from './cells.ts';
import type { Model, ModelName } from './models.ts';
import { batches, isStartedAnew, roundsOf, takesPart, type Work, warmSeconds } from './plan.ts';
import { busyTicks, TICKS_PER_SECOND } from './processes.ts';
import type { Cell, GroupResult, Results, Round } from './results.ts';
import { type ServerName, serverOf } from './servers.ts';
import { CLIENT_PROCESSOR, SERVER_PROCESSOR, type Started, type Station } from './station.ts';
import { drive, type Load } from './wrk.ts';

export interface MeasureOptions {
  readonly station: Station;
  readonly models: Readonly<Record<ModelName, Model>>;
  readonly results: Results;
  readonly build: string;
  /** Called after each group, when its figures are in `results`. */
  readonly onMeasured: (work: Work) => void;
}

/**
 * Measures all of it; what shares its servers is measured one after the other with the same processes. A server that cannot
 * be measured is written down with why; the others go on.
 */
export async function measure(work: readonly Work[], options: MeasureOptions): Promise<void> {
  for (const batch of batches(work)) await measureBatch(batch, options);
}

/** A server in its place, paused while another is measured. */
interface Seat {
  readonly name: ServerName;
  started?: Started;
  /** Why it cannot be started; it is not tried again. */
  failure?: string;
  /** The numbers of rows it is warm for. */
  readonly warmFor: Set<number>;
  /** Seconds of work that clients have left it with. */
  backlog: number;
}

async function measureBatch(batch: readonly Work[], options: MeasureOptions): Promise<void> {
  const { group } = batch[0] as Work;
  const seats = new Map<ServerName, Seat>();
  for (const name of new Set(batch.flatMap((work) => work.group.servers)))
    seats.set(name, { name, warmFor: new Set(), backlog: 0 });
  try {
    for (const seat of seats.values()) await take(seat, group, options);
    const engine = await engineOf(seats.get('slipway')?.started);
    for (const work of batch) {
      const measured = await measureGroup(work, seats, options);
      const { groups } = options.results;
      const kept = work.isAgain ? groups[groupId(work.group)]?.cells : {};
      const cells = { ...kept, ...measured.cells };
      groups[groupId(work.group)] = { ...measured, cells, ...(engine !== undefined && { engine }) };
      options.onMeasured(work);
    }
  } finally {
    for (const { started } of seats.values()) await started?.stop();
  }
}

/** Starts the server, in place of itself if need be. */
async function take(seat: Seat, group: Group, { station, models }: MeasureOptions): Promise<void> {
  await seat.started?.stop();
  delete seat.started;
  seat.warmFor.clear();
  try {
    seat.started = await station.start(serverOf(seat.name), models[group.model], group.kind);
    seat.started.process.pause();
    seat.backlog = 0;
  } catch (error) {
    seat.failure = messageOf(error);
    console.log(`#   ${seat.failure}`);
  }
}

/** What computes the model, as ours says itself. */
async function engineOf(ours: Started | undefined): Promise<string | undefined> {
  if (!ours) return undefined;
  ours.process.resume();
  const answer = await fetch(`http://127.0.0.1:${ours.port}/health`, { headers: { connection: 'close' } });
  const health = (await answer.json()) as { readonly engine?: string };
  ours.process.pause();
  return health.engine;
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error)).trim();

async function measureGroup(
  { group, pace }: Work,
  seats: ReadonlyMap<ServerName, Seat>,
  options: MeasureOptions,
): Promise<GroupResult> {
  const cells: Partial<Record<ServerName, Cell>> = {};
  for (const name of group.servers) cells[name] = { rounds: [] };
  const loadAverage = loadavg()[0] ?? 0;
  for (let round = 0; round < pace.rounds; round++) {
    for (const name of group.servers) {
      const cell = cells[name] as Cell;
      const own = roundsOf(pace, group.connections, aloneOf(group, name, options.results));
      if (cell.failure !== undefined || !takesPart(round, own, ratioOf(cells, name))) continue;
      await addRound(cell, seats.get(name) as Seat, { group, pace: own }, options);
    }
  }
  const date = new Date().toISOString().slice(0, 16).replace('T', ' ');
  return { build: options.build, date, ...pace, loadAverage, cells };
}

/** Seconds for an answer of these rows when one client asks. */
function aloneOf(group: Group, name: ServerName, results: Results): number | undefined {
  const rate = results.groups[groupId({ ...group, connections: 1 })]?.cells[name]?.rounds.at(-1)?.perSecond;
  return rate === undefined ? undefined : 1 / rate;
}

function ratioOf(cells: Partial<Record<ServerName, Cell>>, name: ServerName): number | undefined {
  const [ours, own] = [cells.slipway?.rounds[0], cells[name]?.rounds[0]];
  return name === 'slipway' || !ours || !own ? undefined : ours.perSecond / own.perSecond;
}

async function addRound(cell: Cell, seat: Seat, work: Work, options: MeasureOptions): Promise<void> {
  try {
    const started = await awake(seat, work, options);
    const round = await measureRound(work.group, started, work.pace.seconds, options.station);
    cell.rounds.push(round);
    seat.backlog = work.group.connections / round.perSecond;
  } catch (error) {
    cell.failure = messageOf(error);
    // Nobody knows what it still does.
    seat.backlog = Number.POSITIVE_INFINITY;
    console.log(`#   ${seat.name}: ${cell.failure}`);
  } finally {
    seat.started?.process.pause();
  }
}

const WARM_CONNECTIONS = 16;

/** A server that runs, answers rightly, has nothing left to do from before, and is warm for this many rows. */
async function awake(seat: Seat, { group, pace }: Work, options: MeasureOptions): Promise<Started> {
  const anew =
    seat.started && isStartedAnew(seat.backlog, seat.started.startMs / 1000, warmSeconds(seat.name, true, pace));
  if (anew && seat.failure === undefined) await take(seat, group, options);
  const { started } = seat;
  if (!started) throw new Error(seat.failure);
  started.process.resume();
  // Its turn comes after all that is on the way.
  await started.check(group.kind);
  seat.backlog = 0;
  if (!seat.warmFor.has(group.rows)) {
    const seconds = warmSeconds(seat.name, seat.warmFor.size === 0, pace);
    if (seconds > 0) await load({ ...group, connections: WARM_CONNECTIONS }, started, seconds, options.station);
    seat.warmFor.add(group.rows);
    await started.check(group.kind);
  }
  return started;
}

function load(group: Group, started: Started, seconds: number, station: Station): Promise<Load> {
  const { file, url, headers } = station.requests(started, group.kind, group.rows);
  const { connections } = group;
  return drive({ url, headers, requests: file, connections, seconds, processor: CLIENT_PROCESSOR });
}

const PATIENCE = 8;
const MOST_PATIENT_SECONDS = 30;

async function measureRound(group: Group, started: Started, seconds: number, station: Station): Promise<Round> {
  const asked = await timed(() => load(group, started, seconds, station), started);
  const isSilent = asked.load.requests === 0 && asked.load.failed === 0;
  // Many rows on many connections may take longer than a round until the first answer comes.
  const longer = Math.min(MOST_PATIENT_SECONDS, seconds * PATIENCE);
  const {
    load: got,
    own,
    busy,
    elapsed,
  } = isSilent ? await timed(() => load(group, started, longer, station), started) : asked;
  if (got.failed > 0) throw new Error(`${got.failed} of ${got.requests} requests failed`);
  if (got.requests === 0) throw new Error(`not one answer in ${longer} s`);
  return {
    perSecond: got.perSecond,
    p50Ms: got.p50Ms,
    p99Ms: got.p99Ms,
    failed: got.failed,
    cpuUs: ((own / TICKS_PER_SECOND) * 1e6) / got.requests,
    residentMb: started.process.residentMb(),
    others: Math.max(0, (busy - own) / TICKS_PER_SECOND / elapsed),
  };
}

/** With what the server's processor did meanwhile, in ticks. */
async function timed(ask: () => Promise<Load>, started: Started) {
  const before = { own: started.process.ticks(), busy: busyTicks(SERVER_PROCESSOR) };
  const began = performance.now();
  const answered = await ask();
  const elapsed = (performance.now() - began) / 1000;
  return {
    load: answered,
    own: started.process.ticks() - before.own,
    busy: busyTicks(SERVER_PROCESSOR) - before.busy,
    elapsed,
  };
}
