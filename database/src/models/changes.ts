/**
 * Changes of one version, for whoever has a transaction open already. Each appends its events and answers false (or
 * undefined, or `missing`) when there is no such version. Of several versions the lower is to be changed first.
 */
import { type Queryable, query } from '../pool.ts';
import type { KeyValue } from '../tracking/types.ts';
import type { Deletion, VersionEntity, VersionKey } from './types.ts';

/** A version of a namespace, and who changes it. */
export interface VersionChange extends VersionKey {
  readonly namespace: string;
  readonly actor: string;
}

/** The only value of the only row. */
export async function scalar<T>(on: Queryable, text: string, values: readonly unknown[]): Promise<T> {
  const [row] = await query<{ value: T }>(on, text, values);
  return row?.value as T;
}

const keyOf = ({ namespace, model, version }: VersionChange) => [namespace, model, version] as const;

/** Moves the version to a stage; with `archiveOthers` those that hold it become Archived. The version afterwards. */
export async function setStage(
  on: Queryable,
  change: VersionChange,
  { stage, archiveOthers = false }: { readonly stage: string; readonly archiveOthers?: boolean },
): Promise<VersionEntity | undefined> {
  return (
    (await scalar<VersionEntity | null>(on, 'SELECT slipway.set_stage($1, $2, $3, $4, $5, $6) AS value', [
      ...keyOf(change),
      stage,
      archiveOthers,
      change.actor,
    ])) ?? undefined
  );
}

/** Points one alias to the version, from wherever it pointed before. */
export const setAlias = (on: Queryable, change: VersionChange, alias: string): Promise<boolean> =>
  scalar(on, 'SELECT slipway.set_alias($1, $2, $3, $4, $5) AS value', [
    change.namespace,
    change.model,
    alias,
    change.version,
    change.actor,
  ]);

/** Makes these, and no others, the aliases of the version. */
export async function setAliases(on: Queryable, change: VersionChange, aliases: readonly string[]): Promise<boolean> {
  const before = await query<{ alias: string }>(
    on,
    'SELECT alias FROM slipway.model_aliases WHERE namespace = $1 AND model = $2 AND version = $3',
    keyOf(change),
  );
  for (const { alias } of before)
    if (!aliases.includes(alias))
      await query(on, 'SELECT slipway.delete_alias($1, $2, $3, $4)', [
        change.namespace,
        change.model,
        alias,
        change.actor,
      ]);
  // In one order, so that two who set several aliases do not wait for each other in a circle.
  for (const alias of [...new Set(aliases)].sort()) if (!(await setAlias(on, change, alias))) return false;
  return true;
}

/** Sets these tags and removes those; others stay. */
export async function setTags(
  on: Queryable,
  change: VersionChange,
  tags: { readonly set?: readonly KeyValue[]; readonly remove?: readonly string[] },
): Promise<boolean> {
  const values = Object.fromEntries((tags.set ?? []).map(({ key, value }) => [key, value]));
  return scalar(
    on,
    `WITH version AS (
       SELECT namespace, model, version FROM slipway.model_versions
         WHERE namespace = $1 AND model = $2 AND version = $3 AND status <> 'DELETED' FOR KEY SHARE
     ), written AS (
       INSERT INTO slipway.model_version_tags AS t (namespace, model, version, key, value)
         SELECT v.namespace, v.model, v.version, n.key, n.value FROM version v, jsonb_each_text($4) AS n ORDER BY n.key
         ON CONFLICT (namespace, model, version, key) DO UPDATE SET value = excluded.value WHERE t.value <> excluded.value
     ), removed AS (
       DELETE FROM slipway.model_version_tags t USING version v
         WHERE (t.namespace, t.model, t.version) = (v.namespace, v.model, v.version) AND t.key = ANY ($5)
     )
     SELECT EXISTS (SELECT FROM version) AS value`,
    [...keyOf(change), JSON.stringify(values), tags.remove ?? []],
  );
}

/** Sets the description; undefined removes it. The version afterwards. */
export async function setDescription(
  on: Queryable,
  change: VersionChange,
  description: string | undefined,
): Promise<VersionEntity | undefined> {
  return scalar(
    on,
    `UPDATE slipway.model_versions v SET description = $4, last_updated_time = clock_timestamp()
       WHERE namespace = $1 AND model = $2 AND version = $3 AND status <> 'DELETED' RETURNING slipway.version_json(v) AS value`,
    [...keyOf(change), description ?? null],
  );
}

/** Deletes the version for good, its aliases with it; its number is never given again. */
export async function deleteVersion(
  on: Queryable,
  change: VersionChange,
  { unlessUsed }: { readonly unlessUsed: boolean },
): Promise<Deletion> {
  const services = await scalar<string[] | null>(on, 'SELECT slipway.delete_version($1, $2, $3, $4, $5) AS value', [
    ...keyOf(change),
    change.actor,
    unlessUsed,
  ]);
  if (services === null) return { missing: true };
  return services.length > 0 ? { used: [{ version: change.version, services }] } : { done: true };
}
