/** Registered models and their versions as MLflow clients read and write them; every change appends its event. */
import type { Database } from '../pool.ts';
import { named } from '../tracking/named.ts';
import type { KeyValue } from '../tracking/types.ts';
import { type Announcer, openAnnouncer } from './announcer.ts';
import { deleteVersion, scalar, setAlias, setDescription, setStage, setTags, type VersionChange } from './changes.ts';
import { type ModelReading, openModelReading } from './reading.ts';
import type { Deletion, NewVersion, RegisteredModelEntity, Renaming, VersionEntity, VersionUse } from './types.ts';

export * from './changes.ts';
export type * from './types.ts';

/** Writing whole models, and what belongs to a model and not to one of its versions. False: there is no such model. */
interface ModelWriting {
  /** The new model, or undefined when the name is taken. One that was deleted is made anew, and its numbers go on. */
  createModel(namespace: string, model: NewModel): Promise<RegisteredModelEntity | undefined>;
  describeModel(namespace: string, name: string, description: string): Promise<RegisteredModelEntity | undefined>;
  /** History stays with the model. Refused while one of its versions is used. */
  renameModel(namespace: string, names: { from: string; to: string }, actor: string): Promise<Renaming>;
  /** All versions go with it; none is deleted while one of them is used. */
  deleteModel(namespace: string, name: string, actor: string): Promise<Deletion>;
  setModelTag(namespace: string, name: string, tag: KeyValue): Promise<boolean>;
  deleteModelTag(namespace: string, name: string, key: string): Promise<boolean>;
  /** An alias that is not there is no mistake. */
  deleteAlias(namespace: string, model: string, alias: string, actor: string): Promise<boolean>;
}

/** Writing versions: the changes of changes.ts, each as one transaction. */
interface VersionWriting {
  /** The next version of the model, or undefined when there is no such model. Numbers have no gaps. */
  createVersion(namespace: string, version: NewVersion, actor: string): Promise<VersionEntity | undefined>;
  setStage(change: VersionChange, to: { stage: string; archiveOthers: boolean }): Promise<VersionEntity | undefined>;
  setAlias(change: VersionChange, alias: string): Promise<boolean>;
  setVersionTag(change: VersionChange, tag: KeyValue): Promise<boolean>;
  deleteVersionTag(change: VersionChange, key: string): Promise<boolean>;
  describeVersion(change: VersionChange, description: string | undefined): Promise<VersionEntity | undefined>;
  /** Not while an InferenceService uses it. */
  deleteVersion(change: VersionChange): Promise<Deletion>;
}

export interface ModelRegistry extends ModelReading, ModelWriting, VersionWriting {}

export interface NewModel {
  readonly name: string;
  readonly description: string;
  readonly tags: Readonly<Record<string, string>>;
}

const createVersionStatement = {
  name: 'slipway_create_version',
  text: 'SELECT slipway.create_version($1, $2::jsonb, $3) AS made',
};

const liveModel = `SELECT namespace, name FROM slipway.registered_models
  WHERE namespace = $1 AND name = $2 AND deleted_time IS NULL FOR KEY SHARE`;

const modelWriting = (pool: Database): ModelWriting => ({
  async createModel(namespace, { name, description, tags }) {
    const values = [namespace, name, JSON.stringify(tags), description];
    return (
      (await scalar<RegisteredModelEntity | null>(
        pool,
        'SELECT slipway.create_model($1, $2, $3, $4) AS value',
        values,
      )) ?? undefined
    );
  },

  describeModel: (namespace, name, description) =>
    scalar(
      pool,
      `UPDATE slipway.registered_models m SET description = $3, last_updated_time = clock_timestamp()
         WHERE namespace = $1 AND name = $2 AND deleted_time IS NULL RETURNING slipway.model_json(m) AS value`,
      [namespace, name, description],
    ),

  async renameModel(namespace, { from, to }, actor) {
    const values = [namespace, from, to, actor];
    return (
      (await scalar<Renaming | null>(pool, 'SELECT slipway.rename_model($1, $2, $3, $4) AS value', values)) ?? {
        missing: true,
      }
    );
  },

  async deleteModel(namespace, name, actor) {
    const used = await scalar<VersionUse[] | null>(pool, 'SELECT slipway.delete_model($1, $2, $3) AS value', [
      namespace,
      name,
      actor,
    ]);
    if (used === null) return { missing: true };
    return used.length > 0 ? { used } : { done: true };
  },

  setModelTag: (namespace, name, { key, value }) =>
    scalar(
      pool,
      `WITH model AS (${liveModel}), written AS (
         INSERT INTO slipway.registered_model_tags (namespace, model, key, value) SELECT namespace, name, $3, $4 FROM model
           ON CONFLICT (namespace, model, key) DO UPDATE SET value = excluded.value
       ) SELECT EXISTS (SELECT FROM model) AS value`,
      [namespace, name, key, value],
    ),

  deleteModelTag: (namespace, name, key) =>
    scalar(
      pool,
      `WITH model AS (${liveModel}), gone AS (
         DELETE FROM slipway.registered_model_tags t USING model m WHERE t.namespace = m.namespace AND t.model = m.name AND t.key = $3
       ) SELECT EXISTS (SELECT FROM model) AS value`,
      [namespace, name, key],
    ),

  deleteAlias: (namespace, model, alias, actor) =>
    scalar(
      pool,
      `WITH model AS (${liveModel}), gone AS MATERIALIZED (SELECT slipway.delete_alias(namespace, name, $3, $4) FROM model)
         SELECT (SELECT count(*) FROM gone) >= 0 AND EXISTS (SELECT FROM model) AS value`,
      [namespace, model, alias, actor],
    ),
});

const versionWriting = (pool: Database, { announce }: Announcer): VersionWriting => ({
  async createVersion(namespace, version, actor) {
    const values = [namespace, JSON.stringify(version), actor];
    const [row] = await named<{ made: (VersionEntity & { versionKey: string }) | null }>(pool, {
      ...createVersionStatement,
      values,
    });
    if (!row?.made) return undefined;
    const { versionKey, ...made } = row.made;
    announce(versionKey);
    return made;
  },
  setStage: (change, to) => setStage(pool, change, to),
  setAlias: (change, alias) => setAlias(pool, change, alias),
  setVersionTag: (change, tag) => setTags(pool, change, { set: [tag] }),
  deleteVersionTag: (change, key) => setTags(pool, change, { remove: [key] }),
  describeVersion: (change, description) => setDescription(pool, change, description),
  deleteVersion: (change) => deleteVersion(pool, change, { unlessUsed: true }),
});

/** The registry over one pool, as the schema's owner: the caller has decided whose namespace may be asked for. */
export const openModelRegistry = (pool: Database): ModelRegistry => ({
  ...openModelReading(pool),
  ...modelWriting(pool),
  ...versionWriting(pool, openAnnouncer(pool)),
});
