-- How a tracking client's writes reach their rows: one call for each, atomic, repeatable, and safe beside its neighbours.
-- Every function locks in one order (the run, then metrics, latest metrics, params, tags, each by key), so that two of
-- them wait for each other and never in a circle.

-- MLflow's own limits, where ours were narrower.
ALTER TABLE slipway.experiment_tags DROP CONSTRAINT experiment_tags_value_check, ADD CHECK (length(value) <= 20000);
ALTER TABLE slipway.tags DROP CONSTRAINT tags_value_check,
  ADD CHECK (length(value) <= CASE key WHEN 'mlflow.log-model.history' THEN 1000000 ELSE 8000 END);
ALTER TABLE slipway.runs DROP CONSTRAINT runs_run_name_check, ADD CHECK (length(run_name) <= 8000);

-- A run may name a model that has not been logged here, as in MLflow.
ALTER TABLE slipway.run_models
  DROP CONSTRAINT run_models_namespace_model_id_fkey,
  ADD CHECK (model_id <> '' AND length(model_id) <= 500);

-- The history of a metric is read by time: its pages come straight from the key.
ALTER TABLE slipway.metrics
  DROP CONSTRAINT metrics_pkey,
  ADD PRIMARY KEY (namespace, run_id, key, "timestamp", step, value);

CREATE FUNCTION slipway.from_millis(millis bigint) RETURNS timestamptz
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
  -- In two steps, because an interval is multiplied as a double, which would lose digits of a far date.
  SELECT (timestamp 'epoch' + (millis / 86400000) * interval '1 day' + (millis % 86400000) * interval '1 millisecond')
    AT TIME ZONE 'UTC'
$$;
COMMENT ON FUNCTION slipway.from_millis IS 'The time that is this many milliseconds after the epoch.';

CREATE FUNCTION slipway.to_millis(at timestamptz) RETURNS bigint
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
  SELECT floor(extract(epoch FROM at) * 1000)::bigint
$$;
COMMENT ON FUNCTION slipway.to_millis IS 'Milliseconds since the epoch, as MLflow tells times.';

CREATE FUNCTION slipway.rank_of(value double precision) RETURNS double precision
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
  SELECT CASE WHEN value = 'NaN' THEN 0 ELSE value END
$$;
COMMENT ON FUNCTION slipway.rank_of IS 'What decides between two points of one step and time: MLflow counts NaN as 0 there.';

CREATE OR REPLACE FUNCTION slipway.log_metrics(tenant text, run text, points jsonb) RETURNS void
LANGUAGE sql AS $$
  INSERT INTO slipway.metrics (namespace, run_id, key, step, "timestamp", value)
    SELECT tenant, run, p.key, p.step, p."timestamp", p.value
    FROM jsonb_to_recordset(points) AS p (key text, value double precision, step bigint, "timestamp" bigint)
    ORDER BY p.key, p."timestamp", p.step, p.value
    ON CONFLICT DO NOTHING;
  INSERT INTO slipway.latest_metrics AS latest (namespace, run_id, key, step, "timestamp", value)
    SELECT DISTINCT ON (p.key) tenant, run, p.key, p.step, p."timestamp", p.value
    FROM jsonb_to_recordset(points) AS p (key text, value double precision, step bigint, "timestamp" bigint)
    ORDER BY p.key, p.step DESC, p."timestamp" DESC, slipway.rank_of(p.value) DESC
    ON CONFLICT (namespace, run_id, key) DO UPDATE
      SET step = excluded.step, "timestamp" = excluded."timestamp", value = excluded.value
      WHERE (excluded.step, excluded."timestamp", slipway.rank_of(excluded.value))
          > (latest.step, latest."timestamp", slipway.rank_of(latest.value));
$$;

CREATE FUNCTION slipway.log_metric(tenant text, run text, metric text, metric_value double precision, at bigint, at_step bigint) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
  stage text;
BEGIN
  SELECT lifecycle_stage INTO stage FROM slipway.runs WHERE namespace = tenant AND run_id = run;
  IF stage IS DISTINCT FROM 'active' THEN RETURN coalesce(stage, 'missing'); END IF;
  INSERT INTO slipway.metrics (namespace, run_id, key, step, "timestamp", value)
    VALUES (tenant, run, metric, at_step, at, metric_value) ON CONFLICT DO NOTHING;
  IF FOUND THEN
    INSERT INTO slipway.latest_metrics AS latest (namespace, run_id, key, step, "timestamp", value)
      VALUES (tenant, run, metric, at_step, at, metric_value)
      ON CONFLICT (namespace, run_id, key) DO UPDATE
        SET step = excluded.step, "timestamp" = excluded."timestamp", value = excluded.value
        WHERE (excluded.step, excluded."timestamp", slipway.rank_of(excluded.value))
            > (latest.step, latest."timestamp", slipway.rank_of(latest.value));
  END IF;
  RETURN 'active';
END $$;
COMMENT ON FUNCTION slipway.log_metric IS 'Adds one point to an active run; answers the stage of the run, or missing.';

CREATE FUNCTION slipway.log_batch(tenant text, run text, batch jsonb) RETURNS jsonb
LANGUAGE plpgsql AS $$
DECLARE
  metrics jsonb := batch -> 'metrics';
  params jsonb := batch -> 'params';
  tags jsonb := batch -> 'tags';
  stage text;
  problem jsonb;
BEGIN
  -- Whoever writes params or the name holds the run's row: what is compared below stays as it is until the end.
  IF params IS NOT NULL OR tags ? 'mlflow.runName' THEN
    SELECT lifecycle_stage INTO stage FROM slipway.runs WHERE namespace = tenant AND run_id = run FOR NO KEY UPDATE;
  ELSE
    SELECT lifecycle_stage INTO stage FROM slipway.runs WHERE namespace = tenant AND run_id = run;
  END IF;
  IF stage IS DISTINCT FROM 'active' THEN RETURN jsonb_build_object('stage', coalesce(stage, 'missing')); END IF;

  IF params IS NOT NULL THEN
    SELECT jsonb_agg(jsonb_build_object('key', p.key, 'old', p.value, 'new', n.value) ORDER BY p.key) INTO problem
      FROM jsonb_each_text(params) AS n JOIN slipway.params p ON p.namespace = tenant AND p.run_id = run AND p.key = n.key
      WHERE p.value <> n.value;
    IF problem IS NOT NULL THEN RETURN jsonb_build_object('stage', stage, 'changed', problem); END IF;
  END IF;
  IF batch ? 'models' THEN
    SELECT to_jsonb(m.id) INTO problem FROM jsonb_array_elements_text(batch -> 'models') AS m (id)
      WHERE NOT EXISTS (SELECT FROM slipway.logged_models l WHERE l.namespace = tenant AND l.model_id = m.id) LIMIT 1;
    IF FOUND THEN RETURN jsonb_build_object('stage', stage, 'unknownModel', problem); END IF;
    INSERT INTO slipway.logged_model_metrics (namespace, model_id, run_id, key, step, "timestamp", value, dataset_name, dataset_digest)
      SELECT tenant, p.model_id, run, p.key, p.step, p."timestamp", p.value, coalesce(p.dataset_name, ''), coalesce(p.dataset_digest, '')
      FROM jsonb_to_recordset(metrics) AS p (key text, value double precision, step bigint, "timestamp" bigint,
        model_id text, dataset_name text, dataset_digest text)
      WHERE p.model_id IS NOT NULL
      ORDER BY p.model_id, p.key, p.step, p."timestamp", p.dataset_name, p.dataset_digest, p.value
      ON CONFLICT DO NOTHING;
  END IF;

  IF metrics IS NOT NULL THEN PERFORM slipway.log_metrics(tenant, run, metrics); END IF;
  IF params IS NOT NULL THEN PERFORM slipway.log_params(tenant, run, params); END IF;
  IF tags IS NOT NULL THEN
    INSERT INTO slipway.tags AS t (namespace, run_id, key, value)
      SELECT tenant, run, n.key, n.value FROM jsonb_each_text(tags) AS n ORDER BY n.key
      ON CONFLICT (namespace, run_id, key) DO UPDATE SET value = excluded.value WHERE t.value <> excluded.value;
    IF tags ? 'mlflow.runName' THEN
      UPDATE slipway.runs SET run_name = tags ->> 'mlflow.runName' WHERE namespace = tenant AND run_id = run;
    END IF;
  END IF;
  RETURN jsonb_build_object('stage', stage);
END $$;
COMMENT ON FUNCTION slipway.log_batch IS 'Adds {metrics: [{key, value, step, timestamp, model_id?, dataset_name?, dataset_digest?}], models: [the ids named there], params: {}, tags: {}} to an active run, all or nothing. Answers {stage} and, when nothing was written, why: changed params or an unknownModel.';

CREATE FUNCTION slipway.create_experiment(tenant text, experiment_name text, location text, tags jsonb) RETURNS integer
LANGUAGE plpgsql AS $$
DECLARE
  id integer;
BEGIN
  SELECT next_experiment INTO id FROM slipway.tenants WHERE namespace = tenant FOR NO KEY UPDATE;
  IF NOT FOUND THEN
    RAISE EXCEPTION 'namespace % has not been claimed', tenant USING ERRCODE = 'SL003';
  END IF;
  INSERT INTO slipway.experiments (namespace, experiment_id, name, artifact_location)
    VALUES (tenant, id, experiment_name, location) ON CONFLICT (namespace, name) DO NOTHING;
  IF NOT FOUND THEN RETURN NULL; END IF;
  UPDATE slipway.tenants SET next_experiment = id + 1 WHERE namespace = tenant;
  INSERT INTO slipway.experiment_tags (namespace, experiment_id, key, value)
    SELECT tenant, id, t.key, t.value FROM jsonb_each_text(tags) AS t;
  RETURN id;
END $$;
COMMENT ON FUNCTION slipway.create_experiment IS 'The id of a new experiment; null when the name is taken.';

CREATE FUNCTION slipway.record_model(tenant text, run text, model text) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
  stage text;
  history text;
BEGIN
  SELECT lifecycle_stage INTO stage FROM slipway.runs WHERE namespace = tenant AND run_id = run FOR NO KEY UPDATE;
  IF stage IS DISTINCT FROM 'active' THEN RETURN coalesce(stage, 'missing'); END IF;
  SELECT rtrim(value) INTO history FROM slipway.tags
    WHERE namespace = tenant AND run_id = run AND key = 'mlflow.log-model.history' FOR NO KEY UPDATE;
  BEGIN
    -- Its text is kept as it is: clients compare nothing but what they wrote.
    history := CASE WHEN jsonb_array_length(history::jsonb) > 0 THEN left(history, -1) || ', ' ELSE '[' END || model || ']';
  EXCEPTION WHEN data_exception THEN
    history := '[' || model || ']'; -- somebody wrote a tag of this name that is no list
  END;
  IF length(history) > 1000000 THEN RETURN 'full'; END IF;
  INSERT INTO slipway.tags (namespace, run_id, key, value) VALUES (tenant, run, 'mlflow.log-model.history', history)
    ON CONFLICT (namespace, run_id, key) DO UPDATE SET value = excluded.value;
  RETURN stage;
END $$;
COMMENT ON FUNCTION slipway.record_model IS 'Appends a model, as JSON, to the tag mlflow.log-model.history, which clients before MLflow 3 read; full: the tag would be too long.';

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA slipway FROM PUBLIC;
