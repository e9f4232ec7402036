-- The hot paths once more, cheaper: the same results, fewer looks and no lock that all writers share.

-- In a form that is inlined: how a time is told is no longer looked up row by row.
CREATE OR REPLACE FUNCTION slipway.to_millis(at timestamptz) RETURNS bigint
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
  SELECT floor(extract(epoch FROM at AT TIME ZONE 'UTC') * 1000)::bigint
$$;

-- A transaction that notifies commits alone: the others that notify wait for its commit, and no two share one. What is
-- written for every version a client registers therefore stays quiet, and the writer tells of it afterwards, of many at
-- once. A setting of the transaction says so; whoever sets it elsewhere delays the mirror of his own rows until the next
-- comparison, and nobody else's.
DROP TRIGGER tell_version_changed ON slipway.model_versions;
CREATE TRIGGER tell_version_changed AFTER INSERT OR UPDATE ON slipway.model_versions
  FOR EACH ROW WHEN (current_setting('slipway.quiet', true) IS DISTINCT FROM 'on') EXECUTE FUNCTION slipway.tell_version_changed();
DROP TRIGGER tell_version_changed ON slipway.model_version_tags;
CREATE TRIGGER tell_version_changed AFTER INSERT OR UPDATE OR DELETE ON slipway.model_version_tags
  FOR EACH ROW WHEN (current_setting('slipway.quiet', true) IS DISTINCT FROM 'on') EXECUTE FUNCTION slipway.tell_version_changed();

CREATE FUNCTION slipway.tell_versions(keys bigint[]) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
  -- Nothing is lost with a notification that is: nobody waits for a disk.
  PERFORM set_config('synchronous_commit', 'off', true);
  PERFORM pg_notify('slipway_versions', k::text) FROM unnest(keys) AS k;
END $$;
COMMENT ON FUNCTION slipway.tell_versions IS 'Tells of versions, by their keys, that were written quietly.';

CREATE OR REPLACE FUNCTION slipway.create_version(tenant text, request jsonb, actor text) RETURNS jsonb
LANGUAGE plpgsql AS $$
DECLARE
  made slipway.model_versions%ROWTYPE;
  number integer;
BEGIN
  PERFORM set_config('slipway.quiet', 'on', true);
  UPDATE slipway.registered_models SET next_version = next_version + 1, last_updated_time = clock_timestamp()
    WHERE namespace = tenant AND name = request->>'model' AND deleted_time IS NULL
    RETURNING next_version - 1 INTO number;
  IF NOT FOUND THEN RETURN NULL; END IF;
  INSERT INTO slipway.model_versions (namespace, model, version, status, source_uri, client_source, format,
      artifact_uri, artifact_files, artifact_digest, experiment_id, run_id, run_link, logged_model_id, description,
      creation_time, last_updated_time)
    VALUES (tenant, request->>'model', number, request->>'status', request->>'sourceUri', request->>'clientSource', request->>'format',
      request#>>'{artifact,uri}', request#>'{artifact,files}', request#>>'{artifact,digest}',
      (SELECT r.experiment_id FROM slipway.runs r WHERE r.namespace = tenant AND r.run_id = request->>'runId'),
      request->>'runId', request->>'runLink', request->>'loggedModelId', request->>'description',
      clock_timestamp(), clock_timestamp())
    RETURNING * INTO made;
  IF request->'tags' <> '{}' THEN
    INSERT INTO slipway.model_version_tags (namespace, model, version, key, value)
      SELECT tenant, made.model, number, t.key, t.value FROM jsonb_each_text(request->'tags') AS t;
  END IF;
  PERFORM slipway.append_event(tenant, made.model, number, 'Registered', NULL, made.status, actor);
  IF made.logged_model_id IS NOT NULL THEN
    PERFORM slipway.tell_logged_model(tenant, made.logged_model_id, made.model, number);
  END IF;
  -- As text, because a number of this size is none in JSON.
  RETURN slipway.version_json(made) || jsonb_build_object('versionKey', made.version_key::text);
END $$;
COMMENT ON FUNCTION slipway.create_version IS 'The next version of a model and its versionKey; null when there is no such model. Creators of one model wait for each other, so its numbers have no gaps. Nobody is notified: the caller tells of the key once this is committed.';

CREATE OR REPLACE FUNCTION slipway.tell_logged_model(tenant text, id text, model_name text, number integer) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
  known text;
  entry text := jsonb_build_object('name', model_name, 'version', number)::text;
BEGIN
  -- Two versions of one logged model are told one after the other.
  PERFORM FROM slipway.logged_models WHERE namespace = tenant AND model_id = id FOR NO KEY UPDATE;
  IF NOT FOUND THEN RETURN; END IF;
  SELECT rtrim(value, E' \t\r\n') INTO known FROM slipway.logged_model_tags WHERE namespace = tenant AND model_id = id AND key = 'mlflow.modelVersions';
  IF length(known) + length(entry) + 2 > 100000 THEN RETURN; END IF;
  -- A tag that somebody wrote by hand need not be a list. One that is grows at its end: it is not made anew each time.
  BEGIN
    known := CASE WHEN json_array_length(known::json) > 0 THEN left(known, -1) || ', ' ELSE '[' END || entry || ']';
  EXCEPTION WHEN data_exception THEN
    known := '[' || entry || ']';
  END;
  INSERT INTO slipway.logged_model_tags (namespace, model_id, key, value) VALUES (tenant, id, 'mlflow.modelVersions', known)
    ON CONFLICT (namespace, model_id, key) DO UPDATE SET value = excluded.value;
END $$;

-- The experiment stands in the statements that log, so that its trigger has nothing to look up for them.
DROP TRIGGER fill_experiment ON slipway.latest_metrics;
CREATE TRIGGER fill_experiment BEFORE INSERT ON slipway.latest_metrics
  FOR EACH ROW WHEN (NEW.experiment_id IS NULL) EXECUTE FUNCTION slipway.fill_experiment();

-- plpgsql, because a session plans that once and an SQL function with every call.
CREATE OR REPLACE FUNCTION slipway.log_metrics(tenant text, run text, points jsonb) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO slipway.metrics (namespace, run_id, key, step, "timestamp", value)
    SELECT tenant, run, p.key, p.step, p."timestamp", p.value
    FROM jsonb_to_recordset(points) AS p (key text, value double precision, step bigint, "timestamp" bigint)
    ORDER BY p.key, p."timestamp", p.step, p.value
    ON CONFLICT DO NOTHING;
  INSERT INTO slipway.latest_metrics AS latest (namespace, experiment_id, run_id, key, step, "timestamp", value)
    SELECT DISTINCT ON (p.key) tenant, (SELECT r.experiment_id FROM slipway.runs r WHERE r.namespace = tenant AND r.run_id = run),
      run, p.key, p.step, p."timestamp", p.value
    FROM jsonb_to_recordset(points) AS p (key text, value double precision, step bigint, "timestamp" bigint)
    ORDER BY p.key, p.step DESC, p."timestamp" DESC, slipway.rank_of(p.value) DESC
    ON CONFLICT (namespace, run_id, key) DO UPDATE
      SET step = excluded.step, "timestamp" = excluded."timestamp", value = excluded.value
      WHERE (excluded.step, excluded."timestamp", slipway.rank_of(excluded.value))
          > (latest.step, latest."timestamp", slipway.rank_of(latest.value));
END $$;

CREATE OR REPLACE FUNCTION slipway.log_params(tenant text, run text, parameters jsonb) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO slipway.params (namespace, run_id, key, value)
    SELECT tenant, run, p.key, p.value FROM jsonb_each_text(parameters) AS p ORDER BY p.key
    ON CONFLICT DO NOTHING;
END $$;

CREATE OR REPLACE FUNCTION slipway.log_metric(tenant text, run text, metric text, metric_value double precision, at bigint, at_step bigint) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
  stage text;
  experiment integer;
BEGIN
  SELECT lifecycle_stage, experiment_id INTO stage, experiment FROM slipway.runs WHERE namespace = tenant AND run_id = run;
  IF stage IS DISTINCT FROM 'active' THEN RETURN coalesce(stage, 'missing'); END IF;
  INSERT INTO slipway.metrics (namespace, run_id, key, step, "timestamp", value)
    VALUES (tenant, run, metric, at_step, at, metric_value) ON CONFLICT DO NOTHING;
  IF FOUND THEN
    INSERT INTO slipway.latest_metrics AS latest (namespace, experiment_id, run_id, key, step, "timestamp", value)
      VALUES (tenant, experiment, run, metric, at_step, at, metric_value)
      ON CONFLICT (namespace, run_id, key) DO UPDATE
        SET step = excluded.step, "timestamp" = excluded."timestamp", value = excluded.value
        WHERE (excluded.step, excluded."timestamp", slipway.rank_of(excluded.value))
            > (latest.step, latest."timestamp", slipway.rank_of(latest.value));
  END IF;
  RETURN 'active';
END $$;

REVOKE ALL ON FUNCTION slipway.tell_versions FROM PUBLIC;
