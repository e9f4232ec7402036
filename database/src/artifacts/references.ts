/** Who speaks for which folder of a namespace: the statements behind GarbageRows.references. */
import { parseS3Uri, s3Uri, tenantPrefix } from '@slipway/contract';
import { type Queryable, query } from '../pool.ts';
import type { References, RunState, UploadState } from './types.ts';

const RUN = /^(\d{1,9})\/([0-9a-f]{32})$/;
const MODEL = /^(\d{1,9})\/models\/(m-[0-9a-f]{32})$/;
const UPLOAD = /^data\/([0-9a-f]{32})$/;

const idsOf = (units: readonly string[], pattern: RegExp): string[] =>
  units.flatMap((unit) => pattern.exec(unit)?.at(-1) ?? []);

const millis = (time: Date | null): number | undefined => time?.getTime();

async function runStates(on: Queryable, namespace: string, units: readonly string[]): Promise<Map<string, RunState>> {
  const ids = idsOf(units, RUN);
  if (ids.length === 0) return new Map();
  const rows = await query<{
    unit: string;
    deleted: Date | null;
    open: boolean;
    owned: boolean;
    published: boolean;
    uri: string | null;
  }>(
    on,
    `SELECT r.experiment_id || '/' || r.run_id AS unit,
         CASE WHEN r.lifecycle_stage = 'deleted' THEN r.deleted_time
              WHEN e.lifecycle_stage = 'deleted' THEN e.deleted_time END AS deleted,
         r.status IN ('RUNNING', 'SCHEDULED') AS open, r.run_key IS NOT NULL AS owned,
         r.published_at IS NOT NULL AS published, coalesce(v.source_uri, r.candidate#>>'{model,artifact,uri}') AS uri
       FROM slipway.runs r JOIN slipway.experiments e USING (namespace, experiment_id)
       LEFT JOIN slipway.model_versions v ON v.namespace = r.namespace AND v.model = r.model AND v.version = r.version
       WHERE r.namespace = $1 AND r.run_id = ANY ($2)`,
    [namespace, ids],
  );
  const below = tenantPrefix(namespace).length;
  return new Map(
    rows.map(({ unit, deleted, uri, ...state }) => [
      unit,
      {
        ...state,
        deletedTime: millis(deleted),
        publishedPath: uri === null ? undefined : parseS3Uri(uri)?.key.slice(below),
      },
    ]),
  );
}

async function modelStates(on: Queryable, namespace: string, units: readonly string[]) {
  const ids = idsOf(units, MODEL);
  if (ids.length === 0) return new Map<string, { deletedTime?: number | undefined }>();
  const rows = await query<{ unit: string; deleted: Date | null }>(
    on,
    `SELECT l.experiment_id || '/models/' || l.model_id AS unit,
         coalesce(l.deleted_time, CASE WHEN e.lifecycle_stage = 'deleted' THEN e.deleted_time END) AS deleted
       FROM slipway.logged_models l JOIN slipway.experiments e USING (namespace, experiment_id)
       WHERE l.namespace = $1 AND l.model_id = ANY ($2)`,
    [namespace, ids],
  );
  return new Map(rows.map(({ unit, deleted }) => [unit, { deletedTime: millis(deleted) }]));
}

/** Since when another upload of its name is newer; null for the newest. */
export const supersededTime = `(SELECT min(n.stored_time) FROM slipway.data_sets n
  WHERE n.namespace = d.namespace AND n.name = d.name
    AND (n.stored_time > d.stored_time OR (n.stored_time = d.stored_time AND n.upload < d.upload)))`;

const inputsOf = `jsonb_build_object('inputs', jsonb_build_array(jsonb_build_object('sha256', d.sha256)))`;

/**
 * Some version was trained on these bytes, deleted ones included; or a run or a candidate of a search says it was; or a run
 * goes on that reads a data set of this name, whichever upload it began with.
 */
export const inLineage = `(EXISTS (SELECT FROM slipway.model_versions v WHERE v.namespace = d.namespace AND v.lineage @> ${inputsOf})
  OR EXISTS (SELECT FROM slipway.datasets s JOIN slipway.run_datasets x USING (namespace, experiment_id, name, digest)
    WHERE s.namespace = d.namespace AND s.digest = left(d.sha256, 32) AND position(d.sha256 IN s.source) > 0)
  OR EXISTS (SELECT FROM slipway.runs r WHERE r.namespace = d.namespace AND r.parent_run_key IS NOT NULL
    AND r.candidate#>'{model,lineage}' @> ${inputsOf})
  OR EXISTS (SELECT FROM slipway.runs r WHERE r.namespace = d.namespace AND r.run_key IS NOT NULL AND r.status = 'RUNNING'
    AND coalesce(r.spec->'inputs' @> jsonb_build_array(jsonb_build_object('uri', 'data://' || d.name)), true)))`;

async function uploadStates(on: Queryable, namespace: string, units: readonly string[]) {
  const uploads = idsOf(units, UPLOAD);
  if (uploads.length === 0) return new Map<string, UploadState>();
  const rows = await query<{ upload: string; superseded: Date | null; used: boolean }>(
    on,
    `SELECT d.upload, d.superseded, d.superseded IS NOT NULL AND ${inLineage} AS used
       FROM (SELECT d.namespace, d.name, d.upload, d.sha256, ${supersededTime} AS superseded
         FROM slipway.data_sets d WHERE d.namespace = $1 AND d.upload = ANY ($2)) AS d`,
    [namespace, uploads],
  );
  return new Map(
    rows.map(({ upload, superseded, used }): [string, UploadState] => [
      `data/${upload}`,
      { supersededTime: millis(superseded), inLineage: used },
    ]),
  );
}

/** Every folder a path lies in: of `a/b/c` these are '', a and a/b. */
const above = (path: string): string[] => {
  const segments = path.split('/');
  return segments.map((_, index) => segments.slice(0, index).join('/'));
};

const keptPaths = `WITH uris AS (
    SELECT unnest(ARRAY[v.source_uri, v.artifact_uri]) AS uri FROM slipway.model_versions v
      WHERE v.namespace = $1 AND (v.status <> 'DELETED' OR EXISTS (SELECT FROM slipway.version_uses u
        WHERE (u.namespace, u.model, u.version) = (v.namespace, v.model, v.version)))
    UNION ALL SELECT d.uri FROM slipway.derived_artifacts d JOIN slipway.model_versions v USING (namespace, model, version)
      WHERE d.namespace = $1 AND (v.status <> 'DELETED' OR EXISTS (SELECT FROM slipway.version_uses u
        WHERE (u.namespace, u.model, u.version) = (v.namespace, v.model, v.version)))
    UNION ALL SELECT r.artifact_root FROM slipway.runs r
      WHERE r.namespace = $1 AND r.lifecycle_stage = 'active' AND r.artifact_root IS NOT NULL
    UNION ALL SELECT t.candidate#>>'{model,artifact,uri}' FROM slipway.runs t
      JOIN slipway.runs s ON s.namespace = t.namespace AND s.run_key = t.parent_run_key AND s.status = 'RUNNING'
      WHERE t.namespace = $1 AND t.candidate IS NOT NULL
    UNION ALL SELECT l.artifact_root FROM slipway.logged_models l
      WHERE l.namespace = $1 AND l.deleted_time IS NULL AND l.artifact_root IS NOT NULL
    UNION ALL SELECT e.artifact_location FROM slipway.experiments e
      WHERE e.namespace = $1 AND e.lifecycle_stage = 'active'
        AND e.artifact_location <> 'mlflow-artifacts:/' || e.experiment_id
  ), paths AS (
    SELECT rtrim(CASE WHEN starts_with(uri, $2) THEN substr(uri, length($2) + 1)
      WHEN uri LIKE 'mlflow-artifacts:%' THEN regexp_replace(uri, '^mlflow-artifacts:(//[^/]*)?/*', '') END, '/') AS path
    FROM uris
  )
  SELECT DISTINCT path FROM paths
    WHERE path = ANY ($4) OR path = ANY ($3) OR split_part(path, '/', 1) || '/' || split_part(path, '/', 2)
      || CASE WHEN split_part(path, '/', 2) = 'models' THEN '/' || split_part(path, '/', 3) ELSE '' END = ANY ($3)`;

/** Who speaks for these folders now; see References. */
export async function referencesOf(
  on: Queryable,
  namespace: string,
  bucket: string,
  units: readonly string[],
): Promise<References> {
  const [runs, models, uploads] = [
    await runStates(on, namespace, units),
    await modelStates(on, namespace, units),
    await uploadStates(on, namespace, units),
  ];
  const around = [...new Set(units.flatMap(above))];
  const root = s3Uri({ bucket, key: tenantPrefix(namespace) });
  const kept = await query<{ path: string }>(on, keptPaths, [namespace, root, units, around]);
  return { runs, models, uploads, kept: new Set(kept.map(({ path }) => path)) };
}
