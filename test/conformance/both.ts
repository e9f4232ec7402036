/** Our registry and a real server side by side, and the clients that ask them. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { startPostgres } from '../../database/testing/postgres.ts';
import { startMinio } from '../../object-store/testing/minio.ts';
import { onLeaving } from './leaving.ts';
import { type MlflowServer, startOracle, startOurs } from './servers.ts';
import { NoPython, pythonWith } from './venv.ts';

/** A client: the label is part of every name it makes. */
export interface Client {
  readonly label: string;
  readonly version: string;
  readonly python: string;
}

export interface Both {
  /** The newest first: it is the real server's too. */
  readonly clients: readonly Client[];
  readonly ours: MlflowServer;
  readonly real: MlflowServer;
  stop(): Promise<void>;
}

/** Nothing is started here, for this reason. */
export interface Skipped {
  readonly skipped: string;
}

/** Cold, the clients take minutes to install; a fresh database for each server and a fresh bucket take seconds. */
export const STARTING_MS = 20 * 60_000;
export const CLIENTS = ['new', 'old'].map((label) => {
  const requirements = join(import.meta.dirname, 'python', `requirements-${label}.txt`);
  const version = /^mlflow==(.*)$/m.exec(readFileSync(requirements, 'utf8'))?.[1] ?? label;
  return { label, version, requirements };
});

async function installed(): Promise<readonly Client[]> {
  const clients: Client[] = [];
  // One after the other: without an index the first failure is the end of it.
  for (const { label, version, requirements } of CLIENTS)
    clients.push({ label, version, python: await pythonWith(requirements) });
  return clients;
}

interface Store {
  stop(): Promise<void>;
}

/** A store that is stopped once, however often it is asked to, and also when the test is ended from outside. */
async function stopped<Started extends Store>(starting: Promise<Started>): Promise<Started> {
  let stopping: Promise<void> | undefined;
  const stop = () => {
    stopping ??= starting.then((store) => store.stop());
    return stopping;
  };
  onLeaving(stop);
  return { ...(await starting), stop };
}

/** Both, or neither: one that came up beside one that did not is stopped again. */
async function allOf<One extends Store, Other extends Store>(
  one: Promise<One>,
  other: Promise<Other>,
): Promise<[One, Other]> {
  try {
    return await Promise.all([one, other]);
  } catch (error) {
    const [first, second] = await Promise.allSettled([one, other]);
    for (const store of [first, second]) if (store.status === 'fulfilled') await store.value.stop();
    throw error;
  }
}

/** Starts both on empty stores, or says why no client can be had. */
export async function startBoth(): Promise<Both | Skipped> {
  const clients = await installed().catch((error) => {
    if (error instanceof NoPython) return error;
    throw error;
  });
  if (clients instanceof NoPython) return { skipped: `skipped: no client can be installed: ${clients.message}` };
  const [postgres, minio] = await allOf(stopped(startPostgres()), stopped(startMinio()));
  const stores = async () => void (await Promise.all([postgres.stop(), minio.stop()]));
  const servers = await Promise.allSettled([
    startOurs(await postgres.freshDatabase(), await minio.freshBucket()),
    startOracle(clients[0]?.python as string, await postgres.freshDatabase()),
  ]);
  const [ours, real] = servers;
  const stop = async () => {
    await Promise.all(servers.map((server) => server.status === 'fulfilled' && server.value.stop()));
    await stores();
  };
  if (ours.status === 'fulfilled' && real.status === 'fulfilled')
    return { clients, ours: ours.value, real: real.value, stop };
  await stop();
  throw ours.status === 'rejected' ? ours.reason : (real as PromiseRejectedResult).reason;
}
