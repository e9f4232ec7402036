-- How a registry client's reads and writes reach the rows: one call for each, all or nothing, each change with its event.
-- Locks are taken in one order: versions (ascending), then the model, then aliases and logged models.
-- The functions are plpgsql where they are called for every request: a session plans those once.

-- MLflow keeps these as text without a limit.
ALTER TABLE slipway.logged_model_tags DROP CONSTRAINT logged_model_tags_value_check,
  ADD CONSTRAINT logged_model_tags_value_check CHECK (length(value) <= 100000);
ALTER TABLE slipway.logged_model_params DROP CONSTRAINT logged_model_params_value_check,
  ADD CONSTRAINT logged_model_params_value_check CHECK (length(value) <= 100000);
-- A key of the logged model's own tables may be as long as MLflow's columns are.
ALTER TABLE slipway.logged_model_tags DROP CONSTRAINT logged_model_tags_key_check,
  ADD CONSTRAINT logged_model_tags_key_check CHECK (key <> '' AND length(key) <= 255);
ALTER TABLE slipway.logged_model_params DROP CONSTRAINT logged_model_params_key_check,
  ADD CONSTRAINT logged_model_params_key_check CHECK (key <> '' AND length(key) <= 255);

COMMENT ON COLUMN slipway.model_events.version IS 'The version it happened to; 0 for what happened to the model as a whole (Renamed).';

CREATE FUNCTION slipway.version_json(v slipway.model_versions) RETURNS jsonb
LANGUAGE plpgsql STABLE AS $$
BEGIN
  RETURN jsonb_strip_nulls(jsonb_build_object('model', v.model, 'version', v.version,
    'creationTime', slipway.to_millis(v.creation_time), 'lastUpdatedTime', slipway.to_millis(v.last_updated_time),
    'description', v.description, 'stage', v.stage, 'status', v.status, 'statusMessage', v.status_message,
    'sourceUri', v.source_uri, 'clientSource', v.client_source, 'runId', v.run_id, 'runLink', coalesce(v.run_link, ''),
    'loggedModelId', v.logged_model_id,
    'tags', (SELECT coalesce(jsonb_agg(jsonb_build_object('key', t.key, 'value', t.value) ORDER BY t.key COLLATE "C"), '[]')
      FROM slipway.model_version_tags t WHERE (t.namespace, t.model, t.version) = (v.namespace, v.model, v.version)),
    'aliases', (SELECT coalesce(jsonb_agg(a.alias ORDER BY a.alias COLLATE "C"), '[]')
      FROM slipway.model_aliases a WHERE (a.namespace, a.model, a.version) = (v.namespace, v.model, v.version))));
END $$;
COMMENT ON FUNCTION slipway.version_json IS 'A version with its tags and aliases, as the entity the registry hands around.';

CREATE FUNCTION slipway.latest_of_stages(tenant text, model_name text) RETURNS integer[]
LANGUAGE plpgsql STABLE AS $$
DECLARE
  found_stage text := '';
  number integer;
  numbers integer[] := '{}';
BEGIN
  -- From stage to stage by the index, so that a model of a million versions costs a handful of look-ups.
  LOOP
    SELECT v.stage, v.version INTO found_stage, number FROM slipway.model_versions v
      WHERE v.namespace = tenant AND v.model = model_name AND v.stage > found_stage AND v.status <> 'DELETED'
      ORDER BY v.stage, v.version DESC LIMIT 1;
    EXIT WHEN NOT FOUND;
    numbers := numbers || number;
  END LOOP;
  RETURN numbers;
END $$;
COMMENT ON FUNCTION slipway.latest_of_stages IS 'The highest version of each stage that has one, in no order.';

CREATE FUNCTION slipway.model_json(m slipway.registered_models) RETURNS jsonb
LANGUAGE plpgsql STABLE AS $$
BEGIN
  RETURN jsonb_strip_nulls(jsonb_build_object('name', m.name,
    'creationTime', slipway.to_millis(m.creation_time), 'lastUpdatedTime', slipway.to_millis(m.last_updated_time),
    'description', coalesce(m.description, ''),
    'tags', (SELECT coalesce(jsonb_agg(jsonb_build_object('key', t.key, 'value', t.value) ORDER BY t.key COLLATE "C"), '[]')
      FROM slipway.registered_model_tags t WHERE (t.namespace, t.model) = (m.namespace, m.name)),
    'aliases', (SELECT coalesce(jsonb_agg(jsonb_build_object('alias', a.alias, 'version', a.version) ORDER BY a.alias COLLATE "C"), '[]')
      FROM slipway.model_aliases a WHERE (a.namespace, a.model) = (m.namespace, m.name)),
    'latestVersions', (SELECT coalesce(jsonb_agg(slipway.version_json(v) ORDER BY v.version), '[]')
      FROM slipway.model_versions v WHERE v.namespace = m.namespace AND v.model = m.name
        AND v.version = ANY (slipway.latest_of_stages(m.namespace, m.name)))));
END $$;
COMMENT ON FUNCTION slipway.model_json IS 'A registered model with its tags, its aliases and the newest version of each stage.';

CREATE FUNCTION slipway.logged_model_json(l slipway.logged_models) RETURNS jsonb
LANGUAGE plpgsql STABLE AS $$
BEGIN
  RETURN jsonb_strip_nulls(jsonb_build_object('modelId', l.model_id, 'experimentId', l.experiment_id::text, 'name', l.name,
    'status', l.status, 'modelType', l.model_type, 'sourceRunId', l.source_run_id,
    'artifactUri', coalesce(l.artifact_root, 'mlflow-artifacts:/' || l.experiment_id || '/models/' || l.model_id || '/artifacts'),
    'creationTime', slipway.to_millis(l.creation_time), 'lastUpdatedTime', slipway.to_millis(l.last_updated_time),
    'params', (SELECT coalesce(jsonb_agg(jsonb_build_object('key', p.key, 'value', p.value) ORDER BY p.key COLLATE "C"), '[]')
      FROM slipway.logged_model_params p WHERE (p.namespace, p.model_id) = (l.namespace, l.model_id)),
    'tags', (SELECT coalesce(jsonb_agg(jsonb_build_object('key', t.key, 'value', t.value) ORDER BY t.key COLLATE "C"), '[]')
      FROM slipway.logged_model_tags t WHERE (t.namespace, t.model_id) = (l.namespace, l.model_id)),
    'metrics', (SELECT coalesce(jsonb_agg(jsonb_build_object('key', x.key, 'value', x.value, 'timestamp', x."timestamp",
        'step', x.step, 'runId', x.run_id, 'datasetName', x.dataset_name, 'datasetDigest', x.dataset_digest)
        ORDER BY x.key COLLATE "C", x."timestamp", x.step), '[]')
      FROM slipway.logged_model_metrics x WHERE (x.namespace, x.model_id) = (l.namespace, l.model_id))));
END $$;
COMMENT ON FUNCTION slipway.logged_model_json IS 'A logged model with its params, tags and metrics; a metric that JSON has no number for is a word.';

CREATE OR REPLACE FUNCTION slipway.append_event(tenant text, model text, version integer, event text, from_value text, to_value text, actor text) RETURNS void
LANGUAGE plpgsql AS $$
#variable_conflict use_variable
BEGIN
  INSERT INTO slipway.model_events AS e (namespace, model, model_key, version, event, from_value, to_value, actor)
    VALUES (tenant, model, (SELECT m.model_key FROM slipway.registered_models m WHERE m.namespace = tenant AND m.name = append_event.model),
      version, event, from_value, to_value, actor);
END $$;

CREATE FUNCTION slipway.create_model(tenant text, model_name text, tags jsonb, description text) RETURNS jsonb
LANGUAGE plpgsql AS $$
DECLARE
  made slipway.registered_models%ROWTYPE;
BEGIN
  INSERT INTO slipway.registered_models AS m (namespace, name, description, creation_time, last_updated_time)
    VALUES (tenant, model_name, create_model.description, clock_timestamp(), clock_timestamp())
    ON CONFLICT (namespace, name) DO UPDATE SET deleted_time = NULL, description = excluded.description,
      creation_time = excluded.creation_time, last_updated_time = excluded.last_updated_time
      WHERE m.deleted_time IS NOT NULL
    RETURNING * INTO made;
  IF NOT FOUND THEN RETURN NULL; END IF;
  INSERT INTO slipway.registered_model_tags (namespace, model, key, value)
    SELECT tenant, model_name, t.key, t.value FROM jsonb_each_text(tags) AS t;
  RETURN slipway.model_json(made);
END $$;
COMMENT ON FUNCTION slipway.create_model IS 'A new model, or one that was deleted, made anew: its numbers go on. Null when the name is taken.';

CREATE FUNCTION slipway.create_version(tenant text, request jsonb, actor text) RETURNS jsonb
LANGUAGE plpgsql AS $$
DECLARE
  made slipway.model_versions%ROWTYPE;
  number integer;
  registered jsonb;
BEGIN
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
  INSERT INTO slipway.model_version_tags (namespace, model, version, key, value)
    SELECT tenant, made.model, number, t.key, t.value FROM jsonb_each_text(request->'tags') AS t;
  PERFORM slipway.append_event(tenant, made.model, number, 'Registered', NULL, made.status, actor);
  IF made.logged_model_id IS NOT NULL THEN
    PERFORM slipway.tell_logged_model(tenant, made.logged_model_id, made.model, number);
  END IF;
  RETURN slipway.version_json(made);
END $$;
COMMENT ON FUNCTION slipway.create_version IS 'The next version of a model; null when there is no such model. Creators of one model wait for each other, so its numbers have no gaps.';

CREATE FUNCTION slipway.tell_logged_model(tenant text, id text, model_name text, number integer) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
  known text;
  entries jsonb := '[]';
BEGIN
  -- Two versions of one logged model are told one after the other.
  PERFORM FROM slipway.logged_models WHERE namespace = tenant AND model_id = id FOR NO KEY UPDATE;
  IF NOT FOUND THEN RETURN; END IF;
  SELECT value INTO known FROM slipway.logged_model_tags WHERE namespace = tenant AND model_id = id AND key = 'mlflow.modelVersions';
  -- A tag that somebody wrote by hand need not be a list.
  BEGIN
    IF jsonb_typeof(known::jsonb) = 'array' THEN entries := known::jsonb; END IF;
  EXCEPTION WHEN data_exception THEN NULL;
  END;
  entries := entries || jsonb_build_array(jsonb_build_object('name', model_name, 'version', number));
  IF length(entries::text) > 100000 THEN RETURN; END IF;
  INSERT INTO slipway.logged_model_tags (namespace, model_id, key, value) VALUES (tenant, id, 'mlflow.modelVersions', entries::text)
    ON CONFLICT (namespace, model_id, key) DO UPDATE SET value = excluded.value;
END $$;
COMMENT ON FUNCTION slipway.tell_logged_model IS 'Adds a version to the tag by which MLflow''s clients see what a logged model was registered as.';

CREATE FUNCTION slipway.set_stage(tenant text, model_name text, number integer, new_stage text, archive boolean, actor text) RETURNS jsonb
LANGUAGE plpgsql AS $$
DECLARE
  one slipway.model_versions%ROWTYPE;
  moved slipway.model_versions%ROWTYPE;
  target text;
  at timestamptz := clock_timestamp();
BEGIN
  -- Of two that archive what is in a stage, the second sees what the first put there.
  IF archive THEN PERFORM pg_advisory_xact_lock(hashtextextended('slipway.set_stage/' || tenant || '/' || model_name, 0)); END IF;
  PERFORM FROM slipway.model_versions v WHERE v.namespace = tenant AND v.model = model_name AND v.status <> 'DELETED'
    AND (v.version = number OR archive AND v.stage = new_stage) ORDER BY v.version FOR NO KEY UPDATE;
  PERFORM FROM slipway.model_versions v WHERE v.namespace = tenant AND v.model = model_name AND v.version = number AND v.status <> 'DELETED';
  IF NOT FOUND THEN RETURN NULL; END IF;
  FOR one IN SELECT * FROM slipway.model_versions v WHERE v.namespace = tenant AND v.model = model_name AND v.status <> 'DELETED'
      AND (v.version = number OR archive AND v.stage = new_stage) ORDER BY v.version FOR NO KEY UPDATE LOOP
    target := CASE WHEN one.version = number THEN new_stage ELSE 'Archived' END;
    UPDATE slipway.model_versions v SET stage = target, last_updated_time = at
      WHERE (v.namespace, v.model, v.version) = (tenant, model_name, one.version);
    IF one.stage <> target THEN
      PERFORM slipway.append_event(tenant, model_name, one.version, 'StageChanged', one.stage, target, actor);
    END IF;
  END LOOP;
  UPDATE slipway.registered_models SET last_updated_time = at WHERE namespace = tenant AND name = model_name;
  SELECT * INTO moved FROM slipway.model_versions v WHERE (v.namespace, v.model, v.version) = (tenant, model_name, number);
  RETURN slipway.version_json(moved);
END $$;
COMMENT ON FUNCTION slipway.set_stage IS 'Moves a version to a stage and, with archive, the others that are there to Archived; the version afterwards, null (and nothing changed) when there is none.';

CREATE FUNCTION slipway.set_alias(tenant text, model_name text, new_alias text, number integer, actor text) RETURNS boolean
LANGUAGE plpgsql AS $$
DECLARE
  before integer;
BEGIN
  PERFORM FROM slipway.model_versions v WHERE v.namespace = tenant AND v.model = model_name AND v.version = number
    AND v.status <> 'DELETED' FOR NO KEY UPDATE;
  IF NOT FOUND THEN RETURN false; END IF;
  LOOP
    INSERT INTO slipway.model_aliases (namespace, model, alias, version) VALUES (tenant, model_name, new_alias, number)
      ON CONFLICT (namespace, model, alias) DO NOTHING;
    EXIT WHEN FOUND;
    SELECT a.version INTO before FROM slipway.model_aliases a
      WHERE a.namespace = tenant AND a.model = model_name AND a.alias = new_alias FOR NO KEY UPDATE;
    IF FOUND THEN
      IF before = number THEN RETURN true; END IF;
      UPDATE slipway.model_aliases a SET version = number WHERE a.namespace = tenant AND a.model = model_name AND a.alias = new_alias;
      EXIT;
    END IF;
    -- It was deleted in between: once more.
  END LOOP;
  PERFORM slipway.append_event(tenant, model_name, number, 'AliasSet', before::text, new_alias, actor);
  RETURN true;
END $$;
COMMENT ON FUNCTION slipway.set_alias IS 'Points an alias to a version, from wherever it pointed before; false when there is no such version.';

CREATE FUNCTION slipway.delete_alias(tenant text, model_name text, old_alias text, actor text) RETURNS void
LANGUAGE sql AS $$
  WITH gone AS (
    DELETE FROM slipway.model_aliases a WHERE a.namespace = tenant AND a.model = model_name AND a.alias = old_alias RETURNING a.version
  )
  SELECT slipway.append_event(tenant, model_name, g.version, 'AliasDeleted', g.version::text, old_alias, actor) FROM gone g;
$$;

CREATE FUNCTION slipway.delete_version(tenant text, model_name text, number integer, actor text, unless_used boolean) RETURNS text[]
LANGUAGE plpgsql AS $$
DECLARE
  before text;
  users text[];
  old record;
BEGIN
  SELECT v.status INTO before FROM slipway.model_versions v
    WHERE (v.namespace, v.model, v.version) = (tenant, model_name, number) FOR UPDATE;
  IF before IS NULL OR before = 'DELETED' THEN RETURN NULL; END IF;
  SELECT coalesce(array_agg(u.service ORDER BY u.service), '{}') INTO users FROM slipway.version_uses u
    WHERE (u.namespace, u.model, u.version) = (tenant, model_name, number);
  IF unless_used AND users <> '{}' THEN RETURN users; END IF;
  FOR old IN DELETE FROM slipway.model_aliases a WHERE (a.namespace, a.model, a.version) = (tenant, model_name, number) RETURNING a.alias LOOP
    PERFORM slipway.append_event(tenant, model_name, number, 'AliasDeleted', number::text, old.alias, actor);
  END LOOP;
  UPDATE slipway.model_versions v SET status = 'DELETED', last_updated_time = clock_timestamp()
    WHERE (v.namespace, v.model, v.version) = (tenant, model_name, number);
  UPDATE slipway.registered_models SET last_updated_time = clock_timestamp() WHERE namespace = tenant AND name = model_name;
  PERFORM slipway.append_event(tenant, model_name, number, 'Deleted', before, 'DELETED', actor);
  RETURN '{}';
END $$;
COMMENT ON FUNCTION slipway.delete_version IS 'Deletes a version for good, its aliases with it; its row and number stay. Null when there is none; the services that use it when that forbids it; else empty.';

CREATE FUNCTION slipway.used_versions(tenant text, model_name text) RETURNS jsonb
LANGUAGE sql STABLE AS $$
  SELECT coalesce(jsonb_agg(jsonb_build_object('version', u.version, 'services', u.services) ORDER BY u.version), '[]')
    FROM (SELECT version, jsonb_agg(service ORDER BY service) AS services FROM slipway.version_uses
      WHERE namespace = tenant AND model = model_name GROUP BY version) u
$$;

CREATE FUNCTION slipway.lock_versions(tenant text, model_name text) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
  PERFORM FROM slipway.model_versions v WHERE v.namespace = tenant AND v.model = model_name AND v.status <> 'DELETED'
    ORDER BY v.version FOR UPDATE;
END $$;
COMMENT ON FUNCTION slipway.lock_versions IS 'Holds every version of a model: nobody starts to use one until the transaction ends.';

CREATE FUNCTION slipway.delete_model(tenant text, model_name text, actor text) RETURNS jsonb
LANGUAGE plpgsql AS $$
DECLARE
  used jsonb;
  number integer;
BEGIN
  PERFORM slipway.lock_versions(tenant, model_name);
  PERFORM FROM slipway.registered_models WHERE namespace = tenant AND name = model_name AND deleted_time IS NULL FOR NO KEY UPDATE;
  IF NOT FOUND THEN RETURN NULL; END IF;
  -- Also those that were registered while we waited.
  PERFORM slipway.lock_versions(tenant, model_name);
  used := slipway.used_versions(tenant, model_name);
  IF used <> '[]' THEN RETURN used; END IF;
  FOR number IN SELECT v.version FROM slipway.model_versions v
      WHERE v.namespace = tenant AND v.model = model_name AND v.status <> 'DELETED' ORDER BY v.version LOOP
    PERFORM slipway.delete_version(tenant, model_name, number, actor, false);
  END LOOP;
  DELETE FROM slipway.registered_model_tags WHERE namespace = tenant AND model = model_name;
  UPDATE slipway.registered_models SET deleted_time = clock_timestamp(), last_updated_time = clock_timestamp(), description = NULL
    WHERE namespace = tenant AND name = model_name;
  RETURN '[]';
END $$;
COMMENT ON FUNCTION slipway.delete_model IS 'Deletes a model and all its versions. Null when there is none; [{version, services}] when some are in use and nothing was changed; else empty.';

CREATE FUNCTION slipway.rename_model(tenant text, model_name text, new_name text, actor text) RETURNS jsonb
LANGUAGE plpgsql AS $$
DECLARE
  renamed slipway.registered_models%ROWTYPE;
  used jsonb;
  holder text;
BEGIN
  PERFORM slipway.lock_versions(tenant, model_name);
  PERFORM FROM slipway.registered_models WHERE namespace = tenant AND name = model_name AND deleted_time IS NULL FOR UPDATE;
  IF NOT FOUND THEN RETURN NULL; END IF;
  IF new_name <> model_name THEN
    PERFORM slipway.lock_versions(tenant, model_name);
    used := slipway.used_versions(tenant, model_name);
    IF used <> '[]' THEN RETURN jsonb_build_object('used', used); END IF;
    SELECT CASE WHEN deleted_time IS NULL THEN 'active' ELSE 'deleted' END INTO holder FROM slipway.registered_models
      WHERE namespace = tenant AND name = new_name;
    IF FOUND THEN RETURN jsonb_build_object('taken', holder); END IF;
    BEGIN
      UPDATE slipway.registered_models SET name = new_name WHERE namespace = tenant AND name = model_name;
    EXCEPTION WHEN unique_violation THEN
      RETURN jsonb_build_object('taken', 'active');
    END;
    UPDATE slipway.model_versions SET last_updated_time = clock_timestamp()
      WHERE namespace = tenant AND model = new_name AND status <> 'DELETED';
    UPDATE slipway.runs SET model = new_name WHERE namespace = tenant AND model = model_name;
    PERFORM slipway.append_event(tenant, new_name, 0, 'Renamed', model_name, new_name, actor);
  END IF;
  UPDATE slipway.registered_models SET last_updated_time = clock_timestamp() WHERE namespace = tenant AND name = new_name
    RETURNING * INTO renamed;
  RETURN jsonb_build_object('model', slipway.model_json(renamed));
END $$;
COMMENT ON FUNCTION slipway.rename_model IS 'Renames a model with everything it has. Null when there is none; {used} or {taken: active|deleted} says why not; else {model}.';

CREATE FUNCTION slipway.create_logged_model(tenant text, request jsonb, OUT value jsonb, OUT stage text)
LANGUAGE plpgsql AS $$
DECLARE
  place text;
  made slipway.logged_models%ROWTYPE;
BEGIN
  SELECT e.lifecycle_stage, e.artifact_location INTO stage, place FROM slipway.experiments e
    WHERE e.namespace = tenant AND e.experiment_id = (request->>'experimentId')::integer;
  IF stage IS DISTINCT FROM 'active' THEN RETURN; END IF;
  INSERT INTO slipway.logged_models (namespace, model_id, experiment_id, name, model_type, source_run_id, artifact_root,
      creation_time, last_updated_time)
    VALUES (tenant, request->>'modelId', (request->>'experimentId')::integer, request->>'name', request->>'modelType',
      request->>'sourceRunId', rtrim(place, '/') || '/models/' || (request->>'modelId') || '/artifacts', clock_timestamp(), clock_timestamp())
    RETURNING * INTO made;
  INSERT INTO slipway.logged_model_params (namespace, model_id, key, value)
    SELECT tenant, made.model_id, p.key, p.value FROM jsonb_each_text(request->'params') AS p;
  INSERT INTO slipway.logged_model_tags (namespace, model_id, key, value)
    SELECT tenant, made.model_id, t.key, t.value FROM jsonb_each_text(request->'tags') AS t;
  value := slipway.logged_model_json(made);
END $$;
COMMENT ON FUNCTION slipway.create_logged_model IS 'A new logged model of an active experiment; without a value stage says why not: deleted, or null when there is no such experiment.';

CREATE FUNCTION slipway.log_model_params(tenant text, id text, params jsonb, OUT known boolean, OUT changed text)
LANGUAGE plpgsql AS $$
BEGIN
  PERFORM FROM slipway.logged_models l WHERE l.namespace = tenant AND l.model_id = id FOR NO KEY UPDATE;
  known := FOUND;
  IF NOT known THEN RETURN; END IF;
  SELECT p.key INTO changed FROM slipway.logged_model_params p JOIN jsonb_each_text(params) AS n ON n.key = p.key
    WHERE p.namespace = tenant AND p.model_id = id AND p.value <> n.value ORDER BY p.key LIMIT 1;
  IF FOUND THEN RETURN; END IF;
  INSERT INTO slipway.logged_model_params (namespace, model_id, key, value)
    SELECT tenant, id, n.key, n.value FROM jsonb_each_text(params) AS n ON CONFLICT DO NOTHING;
END $$;
COMMENT ON FUNCTION slipway.log_model_params IS 'Adds params to a logged model, all or none: changed names one that is there with another value.';

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA slipway FROM PUBLIC;
