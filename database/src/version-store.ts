import { deleteVersion, setAliases, setDescription, setStage, setTags } from './models/changes.ts';
import { type Queryable, query } from './pool.ts';
import { type VersionRow, versionColumns, versionFrom } from './rows.ts';
import { lockTenant } from './tenant-store.ts';
import type { DerivedModel, ModelVersionRow, VersionEdit, VersionRef, VersionStore } from './types.ts';
import type { Write } from './write.ts';

type Brought = Parameters<VersionStore['registerBrought']>[0];
type Verification = Parameters<VersionStore['recordVerification']>[3];
type VersionKey = readonly [namespace: string, model: string, version: number];

/** What the column holds; no version has a higher number. */
const LARGEST = 2_147_483_647;

const select = `SELECT ${versionColumns} FROM slipway.model_versions v`;
const byKey = 'namespace = $1 AND model = $2 AND version = $3';

async function findBrought(
  on: Queryable,
  brought: Pick<Brought, 'namespace' | 'objectUid'>,
): Promise<ModelVersionRow | undefined> {
  const [row] = await query<VersionRow>(on, `${select} WHERE namespace = $1 AND object_uid = $2`, [
    brought.namespace,
    brought.objectUid,
  ]);
  return row && versionFrom(row);
}

const appendEvent = (
  on: Queryable,
  [namespace, model, version]: VersionKey,
  event: { event: string; from: string | null; to: string; actor: string },
) =>
  query(on, 'SELECT slipway.append_event($1, $2, $3, $4, $5, $6, $7)', [
    namespace,
    model,
    version,
    event.event,
    event.from,
    event.to,
    event.actor,
  ]);

async function insertBrought(on: Queryable, brought: Brought): Promise<void> {
  const { namespace, model, format = 'onnx' } = brought;
  // Nobody waits for the verification of what is only kept.
  const status = format === 'onnx' ? 'PENDING_REGISTRATION' : 'READY';
  const [allocated] = await query<{ version: number }>(on, 'SELECT slipway.allocate_version($1, $2) AS version', [
    namespace,
    model,
  ]);
  const version = allocated?.version as number;
  await query(
    on,
    `INSERT INTO slipway.model_versions (namespace, model, version, status, source_uri, format, object_uid, creation_time)
       VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
    [namespace, model, version, status, brought.sourceUri, format, brought.objectUid, brought.creationTime],
  );
  await appendEvent(on, [namespace, model, version], {
    event: 'Registered',
    from: null,
    to: status,
    actor: 'modelversion',
  });
}

/** The status before, with the row locked until the transaction ends; undefined when there is no such version. */
async function lockedStatus(on: Queryable, key: VersionKey): Promise<string | undefined> {
  const [row] = await query<{ status: string }>(
    on,
    `SELECT status FROM slipway.model_versions WHERE ${byKey} FOR UPDATE`,
    key,
  );
  return row?.status;
}

/** As `lockedStatus`, with the versions that lose their stage when this one is promoted locked too. */
async function heldStatus(on: Queryable, key: VersionKey): Promise<string | undefined> {
  const [row] = await query<{ status: string | null }>(on, 'SELECT slipway.hold_version($1, $2, $3) AS status', key);
  return row?.status ?? undefined;
}

async function verify(on: Queryable, key: VersionKey, result: Verification): Promise<void> {
  const before = await heldStatus(on, key);
  if (before === undefined || before === 'DELETED') return;
  const { artifact, signature } = result;
  // What a version was published with stays: verification may only fill in what a brought version lacked.
  await query(
    on,
    `UPDATE slipway.model_versions SET status = $4, status_message = $5,
         artifact_files = CASE WHEN artifact_uri IS NULL THEN $7 ELSE artifact_files END,
         artifact_digest = CASE WHEN artifact_uri IS NULL THEN $8 ELSE artifact_digest END,
         artifact_uri = coalesce(artifact_uri, $6), signature = coalesce(signature, $9), last_updated_time = now()
       WHERE ${byKey}`,
    [
      ...key,
      result.status,
      result.message,
      artifact?.uri,
      artifact && JSON.stringify(artifact.files),
      artifact?.digest,
      signature && JSON.stringify(signature),
    ],
  );
  if (before !== result.status)
    await appendEvent(on, key, { event: 'StatusChanged', from: before, to: result.status, actor: 'verify' });
  await query(on, 'SELECT slipway.settle_promotion($1, $2, $3)', key);
}

async function recordDerived(on: Queryable, key: VersionKey, derived: DerivedModel): Promise<DerivedModel | undefined> {
  const status = await lockedStatus(on, key);
  if (status === undefined || status === 'DELETED') return undefined;
  const { artifact, signature, conversion, message } = derived;
  const inserted = await query(
    on,
    `INSERT INTO slipway.derived_artifacts (namespace, model, version, uri, files, digest, signature, conversion, message)
       VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT DO NOTHING RETURNING version`,
    [
      ...key,
      artifact.uri,
      JSON.stringify(artifact.files),
      artifact.digest,
      signature && JSON.stringify(signature),
      JSON.stringify(conversion),
      message.slice(0, 4096),
    ],
  );
  if (inserted.length > 0) {
    const event = { event: 'Converted', from: conversion.from.uri, to: artifact.uri, actor: 'convert' };
    await appendEvent(on, key, event);
    await query(on, `UPDATE slipway.model_versions SET last_updated_time = now() WHERE ${byKey}`, key);
  }
  const [row] = await query<VersionRow>(on, `${select} WHERE ${byKey}`, key);
  return row && versionFrom(row).derived;
}

type Deletion = Parameters<VersionStore['delete']>[1];

async function remove(on: Queryable, ref: VersionRef, { actor, services }: Deletion): Promise<readonly string[]> {
  const { namespace, model, version } = ref;
  // Under the version's lock, so that no use is written meanwhile.
  await lockedStatus(on, [namespace, model, version]);
  await query(on, `DELETE FROM slipway.version_uses WHERE ${byKey} AND service <> ALL($4::text[])`, [
    ...[namespace, model, version, services],
  ]);
  const outcome = await deleteVersion(on, { ...ref, actor }, { unlessUsed: true });
  return 'used' in outcome ? outcome.used.flatMap((use) => use.services) : [];
}

async function edit(
  on: Queryable,
  ref: VersionRef,
  { actor, decide }: { actor: string; decide: (row: ModelVersionRow) => VersionEdit },
): Promise<ModelVersionRow | undefined> {
  const key = [ref.namespace, ref.model, ref.version] as const;
  const before = await lockedStatus(on, key);
  if (before === undefined || before === 'DELETED') return undefined;
  const find = async () => {
    const [row] = await query<VersionRow>(on, `${select} WHERE ${byKey}`, key);
    return row && versionFrom(row);
  };
  const row = (await find()) as ModelVersionRow;
  const { stage, aliases, tags, description } = decide(row);
  const by = { namespace: ref.namespace, model: ref.model, version: ref.version, actor };
  if (stage !== undefined) await setStage(on, by, { stage });
  if (aliases) {
    const left = row.aliases.filter((alias) => !aliases.delete.includes(alias));
    await setAliases(on, by, [...left, ...aliases.set]);
  }
  if (tags) {
    const set = Object.entries(tags.set).map(([key, value]) => ({ key, value }));
    await setTags(on, by, { set, remove: tags.delete });
  }
  if (description !== undefined) await setDescription(on, by, description === '' ? undefined : description);
  return find();
}

/** Model versions in Postgres; every change appends its event in the same transaction. */
export const versionStore = (pool: Queryable, write: Write): VersionStore => ({
  async find(namespace, model, version) {
    if (version > LARGEST) return undefined;
    const [row] = await query<VersionRow>(pool, `${select} WHERE ${byKey}`, [namespace, model, version]);
    return row && versionFrom(row);
  },

  async list(namespace) {
    const rows = await query<VersionRow>(
      pool,
      `${select} WHERE namespace = $1 AND status <> 'DELETED' ORDER BY creation_time DESC, model, version DESC`,
      [namespace],
    );
    return rows.map(versionFrom);
  },

  async registerBrought(brought) {
    const known = await findBrought(pool, brought);
    if (known) return known;
    return write(async (client) => {
      // Of two callers for one object the second finds the number the first got.
      await lockTenant(client, brought.namespace);
      const before = await findBrought(client, brought);
      if (before) return before;
      await insertBrought(client, brought);
      return (await findBrought(client, brought)) as ModelVersionRow;
    });
  },

  findBrought: (namespace, objectUid) => findBrought(pool, { namespace, objectUid }),

  async recordVerification(namespace, model, version, result) {
    await write((client) => verify(client, [namespace, model, version], result));
  },

  recordConversion: (namespace, model, version, derived) =>
    write((client) => recordDerived(client, [namespace, model, version], derived)),

  delete: (ref, by) => write((client) => remove(client, ref, by)),

  edit: (ref, actor, decide) => write((client) => edit(client, ref, { actor, decide })),

  async isRenamed(namespace, model) {
    const [row] = await query<{ renamed: boolean }>(
      pool,
      `SELECT EXISTS (SELECT FROM slipway.model_events WHERE namespace = $1 AND event = 'Renamed' AND from_value = $2)
         AND NOT EXISTS (SELECT FROM slipway.registered_models WHERE namespace = $1 AND name = $2) AS renamed`,
      [namespace, model],
    );
    return row?.renamed === true;
  },

  async aliasHolders(namespace, model, aliases) {
    const rows = await query<{ alias: string; version: number }>(
      pool,
      'SELECT alias, version FROM slipway.model_aliases WHERE namespace = $1 AND model = $2 AND alias = ANY($3)',
      [namespace, model, aliases],
    );
    return Object.fromEntries(rows.map(({ alias, version }) => [alias, version]));
  },
});
