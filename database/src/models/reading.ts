/** Models and versions as they are read: flat rows of whole pages, from which the entities are made here. */
import type { Database } from '../pool.ts';
import { named } from '../tracking/named.ts';
import type { KeyValue } from '../tracking/types.ts';
import type { AliasTarget, RegisteredModelEntity, VersionEntity, VersionKey } from './types.ts';

export interface ModelReading {
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

interface VersionRow {
  readonly model: string;
  readonly version: number;
  readonly creation_time: string;
  readonly last_updated_time: string;
  readonly description: string | null;
  readonly stage: string;
  readonly status: VersionEntity['status'];
  readonly status_message: string;
  readonly source_uri: string;
  readonly client_source: string | null;
  readonly run_id: string | null;
  readonly run_link: string | null;
  readonly logged_model_id: string | null;
  readonly tag_keys: string[] | null;
  readonly tag_values: string[] | null;
  readonly aliases: string[] | null;
}

/** Columns of VersionRow for the version `v`, whose tags are `t` and whose aliases are `a`. */
const versionColumns = `v.model, v.version, slipway.to_millis(v.creation_time) AS creation_time,
  slipway.to_millis(v.last_updated_time) AS last_updated_time, v.description, v.stage, v.status, v.status_message, v.source_uri,
  v.client_source, v.run_id, v.run_link, v.logged_model_id`;

const ofVersion = (alias: string) =>
  `${alias}.namespace = v.namespace AND ${alias}.model = v.model AND ${alias}.version = v.version`;
const versionDetails = `LATERAL (SELECT json_agg(t.key) AS tag_keys, json_agg(t.value) AS tag_values
    FROM slipway.model_version_tags t WHERE ${ofVersion('t')}) t,
  LATERAL (SELECT json_agg(a.alias) AS aliases FROM slipway.model_aliases a WHERE ${ofVersion('a')}) a`;

const live = "v.status <> 'DELETED'";

/** By keys alone (LIMIT 1 sees to it): for a hundred of them the planner would rather read a table of some thousand rows. */
const versionsByKeyStatement = {
  name: 'slipway_versions_by_key',
  text: `SELECT ${versionColumns}, t.*, a.* FROM unnest($2::text[], $3::integer[]) WITH ORDINALITY AS k (model, version, position)
    CROSS JOIN LATERAL (SELECT v.* FROM slipway.model_versions v
      WHERE v.namespace = $1 AND v.model = k.model AND v.version = k.version AND ${live} LIMIT 1) v,
    ${versionDetails} ORDER BY k.position`,
};

const byAliasStatement = {
  name: 'slipway_version_by_alias',
  text: `SELECT v.* FROM slipway.registered_models m LEFT JOIN LATERAL (
      SELECT ${versionColumns}, t.*, a.* FROM slipway.model_aliases n
        JOIN slipway.model_versions v ON v.namespace = n.namespace AND v.model = n.model AND v.version = n.version AND ${live},
        ${versionDetails} WHERE n.namespace = $1 AND n.model = $2 AND n.alias = $3) v ON true
    WHERE m.namespace = $1 AND m.name = $2 AND m.deleted_time IS NULL`,
};

interface ModelRow {
  readonly name: string;
  readonly creation_time: string;
  readonly last_updated_time: string;
  readonly description: string | null;
  readonly tag_keys: string[] | null;
  readonly tag_values: string[] | null;
  readonly aliases: string[] | null;
  readonly alias_versions: number[] | null;
  readonly latest: number[] | null;
}

/** The highest version of each stage of the model `m` that has one: from stage to stage by the index, however many versions there are. */
const latest = `WITH RECURSIVE l AS (
      (SELECT v.stage, v.version FROM slipway.model_versions v
         WHERE v.namespace = $1 AND v.model = m.name AND ${live} ORDER BY v.stage, v.version DESC LIMIT 1)
      UNION ALL SELECT n.stage, n.version FROM l, LATERAL (SELECT v.stage, v.version FROM slipway.model_versions v
         WHERE v.namespace = $1 AND v.model = m.name AND ${live} AND v.stage > l.stage ORDER BY v.stage, v.version DESC LIMIT 1) n
    ) SELECT json_agg(l.version) FROM l`;

const modelsByNameStatement = {
  name: 'slipway_models_by_name',
  text: `SELECT m.name, slipway.to_millis(m.creation_time) AS creation_time, slipway.to_millis(m.last_updated_time) AS last_updated_time,
      m.description, t.*, a.*, (${latest}) AS latest
    FROM unnest($2::text[]) WITH ORDINALITY AS k (name, position)
    CROSS JOIN LATERAL (SELECT m.* FROM slipway.registered_models m
      WHERE m.namespace = $1 AND m.name = k.name AND m.deleted_time IS NULL LIMIT 1) m,
    LATERAL (SELECT json_agg(t.key) AS tag_keys, json_agg(t.value) AS tag_values FROM slipway.registered_model_tags t
      WHERE t.namespace = m.namespace AND t.model = m.name) t,
    LATERAL (SELECT json_agg(a.alias) AS aliases, json_agg(a.version) AS alias_versions FROM slipway.model_aliases a
      WHERE a.namespace = m.namespace AND a.model = m.name) a
    ORDER BY k.position`,
};

const pairsOf = (keys: readonly string[] | null, values: readonly string[] | null): KeyValue[] =>
  (keys ?? []).map((key, index) => ({ key, value: values?.[index] ?? '' })).sort((a, b) => (a.key < b.key ? -1 : 1));

const versionFrom = (row: VersionRow): VersionEntity => ({
  model: row.model,
  version: row.version,
  creationTime: Number(row.creation_time),
  lastUpdatedTime: Number(row.last_updated_time),
  ...(row.description !== null && { description: row.description }),
  stage: row.stage,
  status: row.status,
  statusMessage: row.status_message,
  sourceUri: row.source_uri,
  ...(row.client_source !== null && { clientSource: row.client_source }),
  ...(row.run_id !== null && { runId: row.run_id }),
  runLink: row.run_link ?? '',
  ...(row.logged_model_id !== null && { loggedModelId: row.logged_model_id }),
  tags: pairsOf(row.tag_keys, row.tag_values),
  aliases: (row.aliases ?? []).sort(),
});

const modelFrom = (row: ModelRow, versions: ReadonlyMap<string, VersionEntity>): RegisteredModelEntity => ({
  name: row.name,
  creationTime: Number(row.creation_time),
  lastUpdatedTime: Number(row.last_updated_time),
  description: row.description ?? '',
  tags: pairsOf(row.tag_keys, row.tag_values),
  aliases: (row.aliases ?? [])
    .map((alias, index) => ({ alias, version: row.alias_versions?.[index] as number }))
    .sort((a, b) => (a.alias < b.alias ? -1 : 1)),
  latestVersions: (row.latest ?? [])
    .toSorted((a, b) => a - b)
    .flatMap((version) => versions.get(`${row.name}/${version}`) ?? []),
});

/** Reading over one pool, as the schema's owner. */
export function openModelReading(pool: Database): ModelReading {
  const versionsByKey: ModelReading['versionsByKey'] = async (namespace, keys) => {
    if (keys.length === 0) return [];
    const values = [namespace, keys.map(({ model }) => model), keys.map(({ version }) => version)];
    return (await named<VersionRow>(pool, { ...versionsByKeyStatement, values })).map(versionFrom);
  };
  const modelsByName: ModelReading['modelsByName'] = async (namespace, names) => {
    const rows = await named<ModelRow>(pool, { ...modelsByNameStatement, values: [namespace, names] });
    const latest = await versionsByKey(
      namespace,
      rows.flatMap(({ name: model, latest: numbers }) => (numbers ?? []).map((version) => ({ model, version }))),
    );
    const versions = new Map(latest.map((each) => [`${each.model}/${each.version}`, each]));
    return rows.map((row) => modelFrom(row, versions));
  };
  return {
    modelsByName,
    versionsByKey,
    model: async (namespace, name) => (await modelsByName(namespace, [name]))[0],
    version: async (namespace, key) => (await versionsByKey(namespace, [key]))[0],
    latestVersions: async (namespace, model) =>
      (await modelsByName(namespace, [model]))[0]?.latestVersions as VersionEntity[] | undefined,
    async versionByAlias(namespace, model, alias) {
      const values = [namespace, model, alias];
      const [found] = await named<VersionRow | (Omit<VersionRow, 'model'> & { model: null })>(pool, {
        ...byAliasStatement,
        values,
      });
      if (!found) return { missing: 'model' };
      return found.model === null ? { missing: 'alias' } : { version: versionFrom(found as VersionRow) };
    },
  };
}
