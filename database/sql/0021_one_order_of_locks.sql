-- Whoever moves a stage holds the model's stages, then versions, then the model's row. Publishing took the row first, and
-- Postgres had to throw one of two back.

CREATE OR REPLACE FUNCTION slipway.register_published(run slipway.runs, published jsonb) RETURNS integer
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  number integer;
BEGIN
  PERFORM slipway.check_published_model(format('%s/%s/%s/artifacts/', run.namespace, run.experiment_id, run.run_id), published);
  -- The lock of set_stage.
  PERFORM pg_advisory_xact_lock(hashtextextended('slipway.set_stage/' || run.namespace || '/' || (published->>'model'), 0));
  number := slipway.allocate_version(run.namespace, published->>'model');
  INSERT INTO slipway.model_versions (namespace, model, version, status, source_uri, format, artifact_uri, artifact_files,
      artifact_digest, signature, lineage, experiment_id, run_id, creation_time)
    VALUES (run.namespace, published->>'model', number, 'PENDING_REGISTRATION', published#>>'{artifact,uri}', 'onnx',
      published#>>'{artifact,uri}', published#>'{artifact,files}', published#>>'{artifact,digest}', published->'signature',
      published->'lineage', run.experiment_id, run.run_id, now());
  PERFORM slipway.append_event(run.namespace, published->>'model', number, 'Registered', NULL, 'PENDING_REGISTRATION',
    'trainingjob/' || run.training_job);
  RETURN number;
END $$;
