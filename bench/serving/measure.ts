/** One group after the other: its servers in turn, round by round. */
import { loadavg } from 'node:os';
import { byServers, type Group, groupId } from './cells.ts';
import type { Model, ModelName } from './models.ts';
import { busyTicks, TICKS_PER_SECOND } from './processes.ts';
import { type Cell, type GroupResult, isMeasured, type Results, type Round } from './results.ts';
import { type ServerName, serverOf } from './servers.ts';
import { CLIENT_PROCESSOR, type RequestSet, SERVER_PROCESSOR, type Started, type Station } from './station.ts';
import { drive, type Load } from './wrk.ts';

export interface MeasureOptions {
  readonly station: Station;
  readonly models: Readonly<Record<ModelName, Model>>;
  readonly groups: readonly Group[];
  readonly results: Results;
  readonly build: string;
  readonly seconds: number;
  readonly rounds: number;
  /** Called after each group. */
  readonly save: () => void;
}

const PATIENCE = 8;

/** Measures what is not measured yet. A server that cannot be measured is written down with why; the others go on. */
export async function measure(options: MeasureOptions): Promise<void> {
  const { groups, results, build, rounds } = options;
  const open = groups.filter((group) => !isMeasured(results, group, build, rounds));
  if (open.length < groups.length)
    console.log(`# ${groups.length - open.length} of ${groups.length} groups are there already`);
  for (const together of byServers(open)) await measureTogether(together, options);
}

async function measureTogether(groups: readonly Group[], options: MeasureOptions): Promise<void> {
  const names = [...new Set(groups.flatMap(({ servers }) => servers))];
  const started = new Map<ServerName, Started>();
  const failures = new Map<ServerName, string>();
  const first = groups[0] as Group;
  let engine: string | undefined;
  try {
    for (const name of names) {
      try {
        const server = await options.station.start(serverOf(name), options.models[first.model], first.kind);
        if (name === 'slipway') engine = await engineOf(server.port);
        server.process.pause();
        started.set(name, server);
      } catch (error) {
        failures.set(name, messageOf(error));
        console.log(`# ${messageOf(error)}`);
      }
    }
    for (const group of groups) {
      const measured = await measureGroup(group, started, failures, options);
      options.results.groups[groupId(group)] = engine === undefined ? measured : { ...measured, engine };
      options.save();
    }
  } finally {
    for (const server of started.values()) await server.stop();
  }
}

/** What computes the model, as ours says itself. */
async function engineOf(port: number): Promise<string | undefined> {
  const answer = await fetch(`http://127.0.0.1:${port}/health`, { headers: { connection: 'close' } });
  const health = (await answer.json()) as { readonly engine?: string };
  return health.engine;
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error)).trim();

async function measureGroup(
  group: Group,
  started: ReadonlyMap<ServerName, Started>,
  failures: ReadonlyMap<ServerName, string>,
  { station, seconds, rounds, build }: MeasureOptions,
): Promise<GroupResult> {
  console.log(`# ${groupId(group)}`);
  const cells: Partial<Record<ServerName, Cell>> = {};
  for (const name of group.servers) {
    const failure = failures.get(name);
    cells[name] = { rounds: [], ...(failure !== undefined && { failure }) };
  }
  const loadAverage = loadavg()[0] ?? 0;
  for (let round = 0; round < rounds; round++) {
    for (const name of group.servers) {
      const server = started.get(name);
      const cell = cells[name] as Cell;
      if (!server || cell.failure !== undefined) continue;
      try {
        const requests = station.requests(server, group.kind, group.rows);
        cell.rounds.push(await measureRound(group, server, requests, { seconds, isFirst: round === 0 }));
      } catch (error) {
        cell.failure = messageOf(error);
        console.log(`#   ${name}: ${cell.failure}`);
      }
    }
  }
  const date = new Date().toISOString().slice(0, 16).replace('T', ' ');
  return { build, date, seconds, loadAverage, cells };
}

/** Many rows on many connections may take longer than a round until the first answer comes. */
async function patiently(seconds: number, ask: (seconds: number) => Promise<Load>): Promise<Load> {
  const load = await ask(seconds);
  return load.requests === 0 && load.failed === 0 ? ask(seconds * PATIENCE) : load;
}

async function measureRound(
  { kind, connections }: Group,
  server: Started,
  { file, url, headers }: RequestSet,
  { seconds, isFirst }: { readonly seconds: number; readonly isFirst: boolean },
): Promise<Round> {
  const asked = { url, headers, requests: file, connections, processor: CLIENT_PROCESSOR };
  server.process.resume();
  try {
    await server.check(kind);
    // Code is compiled and pools are filled in the first round; later ones wake a server that is warm.
    if (isFirst) await drive({ ...asked, seconds: 1 });
    const before = { own: server.process.ticks(), busy: busyTicks(SERVER_PROCESSOR) };
    const began = performance.now();
    const load = await patiently(seconds, (long) => drive({ ...asked, seconds: long }));
    const elapsed = (performance.now() - began) / 1000;
    const own = server.process.ticks() - before.own;
    const busy = busyTicks(SERVER_PROCESSOR) - before.busy;
    if (load.failed > 0) throw new Error(`${load.failed} of ${load.requests} requests failed`);
    if (load.requests === 0) throw new Error('not one answer');
    return {
      perSecond: load.perSecond,
      p50Ms: load.p50Ms,
      p99Ms: load.p99Ms,
      failed: load.failed,
      cpuUs: ((own / TICKS_PER_SECOND) * 1e6) / load.requests,
      residentMb: server.process.residentMb(),
      others: Math.max(0, (busy - own) / TICKS_PER_SECOND / elapsed),
    };
  } finally {
    server.process.pause();
  }
}
