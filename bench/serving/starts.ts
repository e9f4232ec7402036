/** From the start of a process to its first prediction, and the memory it holds then and after load. */
import { loadavg } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import type { Model } from './models.ts';
import type { StartResult } from './results.ts';
import { SERVERS, type ServerName, serverOf } from './servers.ts';
import { CLIENT_PROCESSOR, type Station } from './station.ts';
import { drive } from './wrk.ts';

export interface StartOptions {
  readonly station: Station;
  readonly model: Model;
  /** How often ours is started. */
  readonly runs: number;
  /** How often each of the others is. */
  readonly peerRuns: number;
  readonly only: readonly string[];
}

const LOAD_SECONDS = 2;
const CONNECTIONS = 64;

/** Ours as shipped and every peer, in turn; one that does not start is written down with why. */
export async function measureStarts(options: StartOptions): Promise<Partial<Record<ServerName, StartResult>>> {
  const names = SERVERS.filter((name) => ['ours', 'peer'].includes(serverOf(name).role) && wanted(name, options.only));
  const found: Partial<Record<ServerName, StartResult>> = {};
  for (const name of names) found[name] = await startsOf(name, options);
  return found;
}

const wanted = (name: string, only: readonly string[]): boolean => only.length === 0 || only.includes(name);

async function startsOf(name: ServerName, { station, model, runs, peerRuns }: StartOptions): Promise<StartResult> {
  const server = serverOf(name);
  const times = server.role === 'peer' ? peerRuns : runs;
  console.log(`# starts of ${name}`);
  const figures = { startMs: [] as number[], idleMb: [] as number[], loadedMb: [] as number[] };
  const loadAverage = loadavg()[0] ?? 0;
  const date = new Date().toISOString().slice(0, 16).replace('T', ' ');
  const kind = server.kinds[0] as (typeof server.kinds)[number];
  try {
    for (let run = 0; run < times; run++) {
      const started = await station.start(server, model, kind);
      figures.startMs.push(started.startMs);
      await delay(100);
      figures.idleMb.push(started.process.residentMb());
      if (run === 0) {
        const { file, url, headers } = station.requests(started, kind, 1);
        const asked = { url, headers, requests: file, connections: CONNECTIONS, seconds: LOAD_SECONDS };
        await drive({ ...asked, processor: CLIENT_PROCESSOR });
        figures.loadedMb.push(started.process.residentMb());
      }
      await started.stop();
    }
    return { date, loadAverage, ...figures };
  } catch (error) {
    const failure = error instanceof Error ? error.message.trim() : String(error);
    console.log(`#   ${failure}`);
    return { date, loadAverage, ...figures, failure };
  }
}
