/** Registered models and their versions as MLflow clients read and write them; every change appends its event. */
import type { Database } from '../pool.ts';
import { named } from '../tracking/named.ts';
import type { KeyValue } from '../tracking/types.ts';
import { deleteVersion, scalar, setAlias, setDescription, setStage, setTags, type VersionChange } from './changes.ts';
import type {
  AliasTarget,
  Deletion,
  NewVersion,
  RegisteredModelEntity,
  Renaming,
  VersionEntity,
  VersionKey,
  VersionUse,
} from './types.ts';

export * from './changes.ts';
export type * from './types.ts';

/** Reading. */
interface ModelReading {
  /** In the order of the names; a name that is not there (or is deleted) is left out. */
  modelsByName(namespace: string, names: readonly string[]): Promise<RegisteredModelEntity[]>;
  /** In the order of the keys; a version that is not there (or is deleted) is left out. */
  versionsByKey(namespace: string, keys: readonly VersionKey[]): Promise<VersionEntity[]>;
  model(namespace: string, name: string): Promise<RegisteredModelEntity | undefined>;
  version(namespace: string, key: VersionKey): Promise<VersionEntity | undefined>;
  /** The newest version of each stage that has one; undefined when there is no such model. */
  latestVersions(namespace: string, model: string): Promise<VersionEntity[] | undefined>;
  versionByAlias(namespace: string, model: string, alias: string): Promise<AliasTarget>;
}

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

/** One value a row, of a statement that each connection plans once. */
const prepared = async <T>(
  pool: Database,
  statement: { name: string; text: string },
  values: unknown[],
): Promise<T[]> => (await named<{ value: T }>(pool, { ...statement, values })).map(({ value }) => value);

const live = "v.status <> 'DELETED'";

const modelsByNameStatement = {
  name: 'slipway_models_by_name',
  text: `SELECT slipway.model_json(m) AS value FROM unnest($2::text[]) WITH ORDINALITY AS k (name, position)
    JOIN slipway.registered_models m ON m.namespace = $1 AND m.name = k.name AND m.deleted_time IS NULL ORDER BY k.position`,
};
const versionsByKeyStatement = {
  name: 'slipway_versions_by_key',
  text: `SELECT slipway.version_json(v) AS value FROM unnest($2::text[], $3::integer[]) WITH ORDINALITY AS k (model, version, position)
    JOIN slipway.model_versions v ON v.namespace = $1 AND v.model = k.model AND v.version = k.version AND ${live} ORDER BY k.position`,
};
const latestStatement = {
  name: 'slipway_latest_versions',
  text: `SELECT (SELECT coalesce(jsonb_agg(slipway.version_json(v) ORDER BY v.version), '[]')
      FROM slipway.model_versions v WHERE v.namespace = $1 AND v.model = $2
        AND v.version = ANY (slipway.latest_of_stages($1, $2))) AS value
    FROM slipway.registered_models m WHERE m.namespace = $1 AND m.name = $2 AND m.deleted_time IS NULL`,
};
const byAliasStatement = {
  name: 'slipway_version_by_alias',
  text: `SELECT jsonb_build_object('version', (SELECT slipway.version_json(v) FROM slipway.model_aliases a
      JOIN slipway.model_versions v ON v.namespace = a.namespace AND v.model = a.model AND v.version = a.version AND ${live}
      WHERE a.namespace = $1 AND a.model = $2 AND a.alias = $3)) AS value
    FROM slipway.registered_models m WHERE m.namespace = $1 AND m.name = $2 AND m.deleted_time IS NULL`,
};
const createVersionStatement = {
  name: 'slipway_create_version',
  text: 'SELECT slipway.create_version($1, $2::jsonb, $3) AS value',
};

function reading(pool: Database): ModelReading {
  const modelsByName: ModelReading['modelsByName'] = (namespace, names) =>
    prepared(pool, modelsByNameStatement, [namespace, names]);
  const versionsByKey: ModelReading['versionsByKey'] = (namespace, keys) =>
    prepared(pool, versionsByKeyStatement, [
      namespace,
      keys.map(({ model }) => model),
      keys.map(({ version }) => version),
    ]);
  return {
    modelsByName,
    versionsByKey,
    model: async (namespace, name) => (await modelsByName(namespace, [name]))[0],
    version: async (namespace, key) => (await versionsByKey(namespace, [key]))[0],
    latestVersions: async (namespace, model) =>
      (await prepared<VersionEntity[]>(pool, latestStatement, [namespace, model]))[0],
    async versionByAlias(namespace, model, alias) {
      const [found] = await prepared<{ version: VersionEntity | null }>(pool, byAliasStatement, [
        namespace,
        model,
        alias,
      ]);
      if (!found) return { missing: 'model' };
      return found.version ? { version: found.version } : { missing: 'alias' };
    },
  };
}

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

const versionWriting = (pool: Database): VersionWriting => ({
  async createVersion(namespace, version, actor) {
    const [made] = await prepared<VersionEntity | null>(pool, createVersionStatement, [
      namespace,
      JSON.stringify(version),
      actor,
    ]);
    return made ?? undefined;
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
  ...reading(pool),
  ...modelWriting(pool),
  ...versionWriting(pool),
});
