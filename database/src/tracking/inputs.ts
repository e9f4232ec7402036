/** What a run was given and what it made: data sets and logged models. Saying it again changes nothing. */
import { type Database, query } from '../pool.ts';
import type { DatasetInput, LifecycleStage, ModelLink, RunOutcome } from './types.ts';

export interface Inputs {
  /** Data sets are the same when name and digest are; the first description of one holds. */
  logInputs(
    namespace: string,
    runId: string,
    inputs: { readonly datasets: readonly DatasetInput[]; readonly modelIds: readonly string[] },
  ): Promise<RunOutcome>;
  logOutputs(namespace: string, runId: string, models: readonly ModelLink[]): Promise<RunOutcome>;
}

const run = `run AS (
    SELECT experiment_id, lifecycle_stage FROM slipway.runs WHERE namespace = $1 AND run_id = $2 AND is_tracked),
  active AS (SELECT experiment_id FROM run WHERE lifecycle_stage = 'active')`;

const inputsText = `WITH ${run},
  given AS (
    SELECT DISTINCT ON (name, digest) * FROM ROWS FROM (jsonb_to_recordset($3::jsonb)
      AS (name text, digest text, source_type text, source text, schema text, profile text, tags jsonb))
      WITH ORDINALITY AS d (name, digest, source_type, source, schema, profile, tags, place)
    ORDER BY name, digest, place),
  described AS (
    INSERT INTO slipway.datasets (namespace, experiment_id, name, digest, source_type, source, schema, profile)
      SELECT $1, experiment_id, name, digest, source_type, source, schema, profile FROM active, given ORDER BY name, digest
      ON CONFLICT DO NOTHING),
  linked AS (
    INSERT INTO slipway.run_datasets (namespace, run_id, experiment_id, name, digest, tags)
      SELECT $1, $2, experiment_id, name, digest, tags FROM active, given ORDER BY name, digest
      ON CONFLICT DO NOTHING),
  models AS (
    INSERT INTO slipway.run_models (namespace, run_id, model_id, direction)
      SELECT $1, $2, m, 'input' FROM active, (SELECT DISTINCT m FROM unnest($4::text[]) AS m ORDER BY m) AS wanted
      ON CONFLICT DO NOTHING)
  SELECT lifecycle_stage AS stage FROM run`;

const outputsText = `WITH ${run},
  models AS (
    INSERT INTO slipway.run_models (namespace, run_id, model_id, direction, step)
      SELECT DISTINCT ON (m) $1, $2, m, 'output', s FROM active, unnest($3::text[], $4::bigint[]) AS wanted (m, s) ORDER BY m, s DESC
      ON CONFLICT (namespace, run_id, direction, model_id) DO UPDATE SET step = excluded.step)
  SELECT lifecycle_stage AS stage FROM run`;

const datasetJson = ({ name, digest, sourceType, source, schema, profile, tags }: DatasetInput): object => ({
  name,
  digest,
  source_type: sourceType,
  source,
  schema,
  profile,
  tags: Object.fromEntries(tags.map(({ key, value }) => [key, value])),
});

export const openInputs = (pool: Database): Inputs => ({
  async logInputs(namespace, runId, { datasets, modelIds }) {
    const values = [namespace, runId, JSON.stringify(datasets.map(datasetJson)), modelIds];
    const [row] = await query<{ stage: LifecycleStage }>(pool, inputsText, values);
    return row?.stage ?? 'missing';
  },

  async logOutputs(namespace, runId, models) {
    const ids = models.map(({ modelId }) => modelId);
    const steps = models.map(({ step }) => step);
    const [row] = await query<{ stage: LifecycleStage }>(pool, outputsText, [namespace, runId, ids, steps]);
    return row?.stage ?? 'missing';
  },
});
