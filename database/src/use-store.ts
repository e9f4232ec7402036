import { type Queryable, query } from './pool.ts';
import type { UseStore } from './types.ts';
import type { Write } from './write.ts';

interface Held {
  readonly model: string;
  readonly version: number;
}

interface Hold {
  readonly namespace: string;
  readonly service: string;
  readonly model: string;
  readonly versions: readonly number[];
}

/** A number that a column can hold; no version has any other. */
const isNumber = (version: number): boolean => version <= 2_147_483_647;

const heldBy = (on: Queryable, namespace: string, service: string): Promise<Held[]> =>
  query<Held>(on, 'SELECT model, version FROM slipway.version_uses WHERE namespace = $1 AND service = $2', [
    namespace,
    service,
  ]);

/** Those of the versions that exist; with their rows locked when `lock` says so, so that nobody deletes them meanwhile. */
async function existing(on: Queryable, { namespace, model, versions }: Hold, lock = ''): Promise<number[]> {
  const rows = await query<{ version: number }>(
    on,
    `SELECT version FROM slipway.model_versions
       WHERE namespace = $1 AND model = $2 AND version = ANY($3) AND status <> 'DELETED' ORDER BY version ${lock}`,
    [namespace, model, versions],
  );
  return rows.map(({ version }) => version);
}

async function replace(on: Queryable, hold: Hold): Promise<number[]> {
  const { namespace, service, model } = hold;
  const versions = await existing(on, hold, 'FOR NO KEY UPDATE');
  await query(
    on,
    `DELETE FROM slipway.version_uses WHERE namespace = $1 AND service = $2 AND NOT (model = $3 AND version = ANY($4))`,
    [namespace, service, model, versions],
  );
  await query(
    on,
    `INSERT INTO slipway.version_uses (namespace, model, version, service)
       SELECT $1, $2, v, $4 FROM unnest($3::integer[]) AS v ON CONFLICT DO NOTHING`,
    [namespace, model, versions, service],
  );
  return versions;
}

/** Uses in Postgres. What is held already is found by reading alone, so a steady service writes nothing. */
export const useStore = (pool: Queryable, write: Write): UseStore => ({
  async hold({ namespace, service }, model, wanted) {
    const hold = { namespace, service, model, versions: [...new Set(wanted)].filter(isNumber).sort((a, b) => a - b) };
    const held = await heldBy(pool, namespace, service);
    const isHeld = (version: number) => held.some((use) => use.model === model && use.version === version);
    const missing = hold.versions.filter((version) => !isHeld(version));
    const isTooMuch = held.some((use) => use.model !== model || !hold.versions.includes(use.version));
    const found = missing.length === 0 ? [] : await existing(pool, { ...hold, versions: missing });
    if (found.length === 0 && !isTooMuch) return hold.versions.filter(isHeld);
    return write((client) => replace(client, hold));
  },

  async release({ namespace, service }) {
    if ((await heldBy(pool, namespace, service)).length === 0) return;
    await write((client) =>
      query(client, 'DELETE FROM slipway.version_uses WHERE namespace = $1 AND service = $2', [namespace, service]),
    );
  },

  async services(namespace) {
    const rows = await query<{ service: string }>(
      pool,
      'SELECT DISTINCT service FROM slipway.version_uses WHERE namespace = $1 ORDER BY service',
      [namespace],
    );
    return rows.map(({ service }) => service);
  },
});
