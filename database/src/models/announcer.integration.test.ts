/** Listeners hear of what clients register, and a burst costs its writers nothing and is told at once. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { eventually } from '../../../test/support/eventually.ts';
import { startPostgres, type TestPostgres } from '../../testing/postgres.ts';
import { connect, migrate, openStores } from '../index.ts';
import { listenForVersions } from '../listen.ts';
import type { Database } from '../pool.ts';
import { openAnnouncer } from './announcer.ts';
import { type ModelRegistry, openModelRegistry } from './index.ts';

let postgres: TestPostgres;
let pool: Database;
let registry: ModelRegistry;
const heard: string[] = [];
const stop = new AbortController();
let listening: Promise<void>;
before(async () => {
  postgres = await startPostgres();
  pool = connect(await postgres.freshDatabase(), { applicationName: 'tests', max: 8 });
  await migrate(pool);
  await openStores(pool, { epoch: () => undefined }).tenants.claim('team-a', 'uid');
  registry = openModelRegistry(pool);
  await registry.createModel('team-a', { name: 'iris', description: '', tags: {} });
  await new Promise<void>((resolve) => {
    const onKey = (key: string) => void heard.push(key);
    listening = listenForVersions(pool, { onConnected: resolve, onKey, signal: stop.signal });
  });
});
after(async () => {
  stop.abort();
  await listening;
  await pool?.end();
  await postgres?.stop();
});

const register = async (): Promise<number> => {
  const version = { model: 'iris', sourceUri: 's3://x/y', clientSource: 's3://x/y', format: 'mlflow' } as const;
  const rest = { status: 'READY', runLink: '', description: '', tags: { by: 'me' } } as const;
  return (await registry.createVersion('team-a', { ...version, ...rest }, 'me'))?.version as number;
};
const keysOf = async (versions: readonly number[]): Promise<string[]> => {
  const text = `SELECT version_key FROM slipway.model_versions WHERE namespace = 'team-a' AND version = ANY ($1) ORDER BY version_key`;
  return (await pool.query(text, [versions])).rows.map((row) => String(row.version_key));
};

test('every version that clients register is told of, once, in less than a second', async () => {
  heard.length = 0;
  const versions = await Promise.all(Array.from({ length: 40 }, register));
  const registered = performance.now();
  const keys = await keysOf(versions);
  await eventually(async () => assert.deepEqual([...heard].sort(), [...keys].sort()));
  assert.ok(performance.now() - registered < 1000);
});

test('what else is written of a version is told by its own transaction', async () => {
  const version = await register();
  const [key] = await keysOf([version]);
  await eventually(async () => assert.ok(heard.includes(key as string)));
  heard.length = 0;
  const change = { namespace: 'team-a', model: 'iris', version, actor: 'me' };
  await registry.setVersionTag(change, { key: 'k', value: 'v' });
  await registry.setAlias(change, 'champion');
  await registry.setStage(change, { stage: 'Staging', archiveOthers: false });
  await eventually(async () => assert.deepEqual(heard, [key, key, key]));
});

/** A pool that keeps what it is asked, and refuses the first `failures` times. */
function recording(failures = 0) {
  const asked: string[][] = [];
  const query = async ({ values: [keys] }: { values: [string[]] }) => {
    asked.push(keys);
    if (asked.length <= failures) throw new Error('no connection');
  };
  return { asked, pool: { query } as unknown as Database };
}

test('a burst is one statement', async () => {
  const { asked, pool: recorded } = recording();
  const { announce } = openAnnouncer(recorded);
  for (const key of ['1', '2', '2', '3']) announce(key);
  await eventually(async () => assert.deepEqual(asked, [['1', '2', '3']]));
  announce('4');
  await eventually(async () => assert.deepEqual(asked.at(-1), ['4']));
});

test('while the database is away it is told again', async () => {
  const { asked, pool: recorded } = recording(1);
  const { announce } = openAnnouncer(recorded);
  announce('1');
  await eventually(async () => assert.deepEqual(asked, [['1'], ['1']]));
});
