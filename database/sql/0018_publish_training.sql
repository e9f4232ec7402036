-- What publishing knows of gates, stages, searches and runs that nobody tracks.

ALTER TABLE slipway.runs
  ADD COLUMN kept_metrics jsonb CHECK (jsonb_typeof(kept_metrics) = 'object');
COMMENT ON COLUMN slipway.runs.kept_metrics IS 'Last value by metric of a run that is not tracked: what its TrainingJob shows. Null for tracked runs, whose metrics are rows.';
COMMENT ON COLUMN slipway.runs.candidate IS 'What a trial published: {model, register, versionTags, gate} as in its request; without model when its script registered a version itself. Its search registers, and promotes, the best one.';

ALTER TABLE slipway.model_versions
  ADD COLUMN promotion jsonb CHECK (jsonb_typeof(promotion) = 'object');
COMMENT ON COLUMN slipway.model_versions.promotion IS 'The stage and aliases a version gets once it is proven: {stage, aliases, actor}. Until then whoever has them keeps them, so that a stage never means a version that cannot be served. Null: nothing was asked for, or it was given, or verification failed.';

CREATE FUNCTION slipway.is_text(value jsonb, shortest integer, longest integer) RETURNS boolean
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
  SELECT coalesce(jsonb_typeof(value) = 'string' AND length(value#>>'{}') BETWEEN shortest AND longest, false)
$$;

CREATE FUNCTION slipway.is_list(value jsonb, most integer) RETURNS boolean
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF jsonb_typeof(value) IS DISTINCT FROM 'array' THEN RETURN false; END IF;
  RETURN jsonb_array_length(value) <= most;
END $$;

CREATE FUNCTION slipway.check_gate(gate jsonb) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF jsonb_typeof(gate) IS DISTINCT FROM 'object' OR jsonb_typeof(gate->'passed') IS DISTINCT FROM 'boolean'
    OR NOT slipway.is_list(gate->'results', 32) THEN
    PERFORM slipway.refuse('gate: expected {passed: true or false, results: a list of at most 32}');
  END IF;
  PERFORM FROM jsonb_array_elements(gate->'results') AS r
    WHERE (slipway.is_text(r->'metric', 1, 250) AND slipway.is_text(r->'message', 0, 1024) AND jsonb_typeof(r->'passed') = 'boolean') IS NOT TRUE;
  IF FOUND THEN
    PERFORM slipway.refuse('gate.results: expected {metric: at most 250 characters, passed: true or false, message: at most 1024}');
  END IF;
END $$;

CREATE FUNCTION slipway.check_register(register jsonb) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF jsonb_typeof(register) IS DISTINCT FROM 'object' THEN PERFORM slipway.refuse('register must be a map'); END IF;
  IF register ? 'stage' AND coalesce(register->>'stage', '') NOT IN ('Staging', 'Production') THEN
    PERFORM slipway.refuse('register.stage must be Staging or Production');
  END IF;
  IF NOT register ? 'aliases' THEN RETURN; END IF;
  IF NOT slipway.is_list(register->'aliases', 16) THEN
    PERFORM slipway.refuse('register.aliases must be a list of at most 16 names');
  END IF;
  -- The same letters as the column allows, and none of the names that mean something already.
  PERFORM FROM jsonb_array_elements(register->'aliases') AS a
    WHERE NOT slipway.is_text(a, 1, 255) OR a#>>'{}' ~ '[^A-Za-z0-9_\u00aa-\U0010ffff-]' OR a#>>'{}' ~* '^(latest|v[0-9]+)$';
  IF FOUND THEN
    PERFORM slipway.refuse('register.aliases: expected names of letters, digits, "_" and "-", other than latest and v1, v2 and so on');
  END IF;
END $$;

CREATE FUNCTION slipway.check_inputs(inputs jsonb) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF NOT slipway.is_list(inputs, 64) THEN PERFORM slipway.refuse('inputs must be a list of at most 64'); END IF;
  PERFORM FROM jsonb_array_elements(inputs) AS i
    WHERE (slipway.is_text(i->'name', 1, 250) AND slipway.is_text(i->'uri', 1, 2048) AND i->>'sha256' ~ '^[0-9a-f]{64}$'
      AND jsonb_typeof(i->'size') = 'number') IS NOT TRUE;
  IF FOUND THEN
    PERFORM slipway.refuse('inputs: expected {name: at most 250 characters, uri: at most 2048, sha256: 64 hex characters, size: bytes}');
  END IF;
END $$;

CREATE FUNCTION slipway.check_version_tags(tags jsonb) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  bad text;
BEGIN
  IF jsonb_typeof(tags) IS DISTINCT FROM 'object' THEN PERFORM slipway.refuse('versionTags must be a map'); END IF;
  IF (SELECT count(*) FROM jsonb_object_keys(tags)) > 64 THEN PERFORM slipway.refuse('versionTags has more than 64 entries'); END IF;
  SELECT left(t.key, 60) INTO bad FROM jsonb_each(tags) AS t
    WHERE length(t.key) NOT BETWEEN 1 AND 250 OR NOT slipway.is_text(t.value, 0, 5000) LIMIT 1;
  IF FOUND THEN
    PERFORM slipway.refuse(format('versionTags %s: expected a name of 1 to 250 characters and a string of at most 5000', bad));
  END IF;
END $$;

CREATE FUNCTION slipway.check_registration(request jsonb) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF request ? 'isCandidate' THEN
    IF jsonb_typeof(request->'isCandidate') IS DISTINCT FROM 'boolean' THEN PERFORM slipway.refuse('isCandidate must be true or false'); END IF;
    IF (request->>'isCandidate')::boolean AND NOT request ? 'model' THEN PERFORM slipway.refuse('isCandidate needs a model'); END IF;
  END IF;
  IF request ? 'gate' THEN PERFORM slipway.check_gate(request->'gate'); END IF;
  IF request ? 'versionTags' THEN PERFORM slipway.check_version_tags(request->'versionTags'); END IF;
  IF request ? 'inputs' THEN PERFORM slipway.check_inputs(request->'inputs'); END IF;
  IF NOT request ? 'register' THEN RETURN; END IF;
  PERFORM slipway.check_register(request->'register');
  IF request#>>'{gate,passed}' = 'false' THEN
    PERFORM slipway.refuse('register must be absent when the gates failed: such a version gets neither stage nor alias');
  END IF;
END $$;
COMMENT ON FUNCTION slipway.check_registration IS 'Refuses (SL002) ill-formed or too large isCandidate, register, versionTags, gate and inputs.';

CREATE FUNCTION slipway.hold_version(tenant text, model_name text, number integer) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
  before text;
  stage_wanted text;
BEGIN
  -- As set_stage does, and in its order: whoever moves a stage of this model waits here, and then for the rows.
  PERFORM pg_advisory_xact_lock(hashtextextended('slipway.set_stage/' || tenant || '/' || model_name, 0));
  SELECT v.promotion->>'stage' INTO stage_wanted FROM slipway.model_versions v
    WHERE (v.namespace, v.model, v.version) = (tenant, model_name, number);
  PERFORM FROM slipway.model_versions v WHERE v.namespace = tenant AND v.model = model_name
    AND (v.version = number OR v.status <> 'DELETED' AND v.stage = stage_wanted) ORDER BY v.version FOR UPDATE;
  SELECT v.status INTO before FROM slipway.model_versions v
    WHERE (v.namespace, v.model, v.version) = (tenant, model_name, number);
  RETURN before;
END $$;
COMMENT ON FUNCTION slipway.hold_version IS 'Locks a version, and those that its promotion would archive; its status, null when there is none.';

CREATE FUNCTION slipway.settle_promotion(tenant text, model_name text, number integer) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
  version slipway.model_versions%ROWTYPE;
  wanted jsonb;
  new_alias text;
BEGIN
  SELECT * INTO version FROM slipway.model_versions v WHERE (v.namespace, v.model, v.version) = (tenant, model_name, number);
  wanted := version.promotion;
  IF wanted IS NULL OR version.status = 'PENDING_REGISTRATION' THEN RETURN; END IF;
  UPDATE slipway.model_versions v SET promotion = NULL WHERE (v.namespace, v.model, v.version) = (tenant, model_name, number);
  IF version.status <> 'READY' THEN RETURN; END IF;
  -- A person who staged it meanwhile meant that. A later version that was proven sooner keeps what it got.
  IF wanted ? 'stage' AND version.stage = 'None' AND NOT EXISTS (SELECT FROM slipway.model_versions v
      WHERE v.namespace = tenant AND v.model = model_name AND v.stage = wanted->>'stage' AND v.version > number AND v.status <> 'DELETED') THEN
    PERFORM slipway.set_stage(tenant, model_name, number, wanted->>'stage', true, wanted->>'actor');
  END IF;
  FOR new_alias IN SELECT DISTINCT a FROM jsonb_array_elements_text(coalesce(wanted->'aliases', '[]')) AS a ORDER BY a LOOP
    PERFORM FROM slipway.model_aliases a WHERE a.namespace = tenant AND a.model = model_name AND a.alias = new_alias AND a.version > number;
    IF NOT FOUND THEN PERFORM slipway.set_alias(tenant, model_name, new_alias, number, wanted->>'actor'); END IF;
  END LOOP;
END $$;
COMMENT ON FUNCTION slipway.settle_promotion IS 'Gives a version that is READY the stage (whoever had it is archived) and the aliases it was registered for; one that failed loses them. Nothing happens while it is pending.';

CREATE FUNCTION slipway.dress_version(run slipway.runs, model_name text, number integer, request jsonb) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  UPDATE slipway.model_versions v
    SET lineage = v.lineage || CASE WHEN request ? 'gate' THEN jsonb_build_object('gate', request->'gate') ELSE '{}' END,
      promotion = CASE WHEN request->'register' <> '{}' THEN request->'register' || jsonb_build_object('actor', 'trainingjob/' || run.training_job) END
    WHERE (v.namespace, v.model, v.version) = (run.namespace, model_name, number);
  INSERT INTO slipway.model_version_tags AS t (namespace, model, version, key, value)
    SELECT run.namespace, model_name, number, n.key, n.value FROM jsonb_each_text(coalesce(request->'versionTags', '{}')) AS n ORDER BY n.key
    ON CONFLICT (namespace, model, version, key) DO UPDATE SET value = excluded.value WHERE t.value <> excluded.value;
  -- One that a client registered may have been proven by now.
  PERFORM slipway.hold_version(run.namespace, model_name, number);
  PERFORM slipway.settle_promotion(run.namespace, model_name, number);
END $$;
COMMENT ON FUNCTION slipway.dress_version IS 'Gives a version its gate, its tags and what it is to be promoted to, as the request {gate, versionTags, register} says.';

CREATE FUNCTION slipway.log_run_inputs(run slipway.runs, inputs jsonb) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  -- In MLflow a data set is known by name and a digest of at most 36 characters; the whole one stands in its source.
  INSERT INTO slipway.datasets (namespace, experiment_id, name, digest, source_type, source)
    SELECT DISTINCT ON (i->>'name', left(i->>'sha256', 32)) run.namespace, run.experiment_id, i->>'name', left(i->>'sha256', 32),
      CASE WHEN i->>'uri' ~ '^https?://' THEN 'http' ELSE split_part(i->>'uri', '://', 1) END,
      (jsonb_build_object('uri', i->>'uri', 'sha256', i->>'sha256', 'size', i->'size')
        || CASE WHEN i->>'uri' ~ '^https?://' THEN jsonb_build_object('url', i->>'uri') ELSE '{}' END)::text
    FROM jsonb_array_elements(inputs) AS i ORDER BY 3, 4
    ON CONFLICT DO NOTHING;
  INSERT INTO slipway.run_datasets (namespace, run_id, experiment_id, name, digest, tags)
    SELECT DISTINCT ON (i->>'name', left(i->>'sha256', 32)) run.namespace, run.run_id, run.experiment_id, i->>'name', left(i->>'sha256', 32),
      '{"mlflow.data.context": "training"}'::jsonb
    FROM jsonb_array_elements(inputs) AS i ORDER BY 4, 5
    ON CONFLICT DO NOTHING;
END $$;
COMMENT ON FUNCTION slipway.log_run_inputs IS 'Writes [{name, uri, sha256, size}] as data sets of the run with the context training.';

CREATE FUNCTION slipway.last_values(points jsonb) RETURNS jsonb
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
  SELECT coalesce(jsonb_object_agg(l.key, l.value), '{}') FROM (
    SELECT DISTINCT ON (p.key) p.key, p.value
    FROM jsonb_to_recordset(points) AS p (key text, value double precision, step bigint, "timestamp" bigint)
    ORDER BY p.key, p.step DESC, p."timestamp" DESC, p.value DESC) AS l
$$;

CREATE OR REPLACE FUNCTION slipway.publish_run(request jsonb) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  run slipway.runs%ROWTYPE;
  published_model text := coalesce(request#>>'{model,model}', request->>'adopt');
  new_candidate jsonb;
  number integer;
  detail text;
BEGIN
  PERFORM slipway.check_publication(request);
  PERFORM slipway.check_registration(request);
  SELECT * INTO run FROM slipway.runs WHERE run_key = request->>'runKey' AND slipway.may_publish(namespace) FOR UPDATE;
  IF NOT FOUND THEN
    PERFORM slipway.refuse('no run with this key belongs to the caller: the key must be the one the operator gave to this pod');
  END IF;
  IF run.published_at IS NOT NULL THEN
    RETURN jsonb_build_object('version', run.version, 'alreadyPublished', true);
  END IF;
  IF run.is_tracked THEN
    PERFORM slipway.log_metrics(run.namespace, run.run_id, request->'metrics');
    PERFORM slipway.log_params(run.namespace, run.run_id, request->'params');
    PERFORM slipway.log_run_inputs(run, coalesce(request->'inputs', '[]'));
  END IF;
  IF (request->>'isCandidate')::boolean THEN
    IF run.parent_run_key IS NULL THEN PERFORM slipway.refuse('isCandidate is for the trials of a search, and this run is none'); END IF;
    PERFORM slipway.check_published_model(format('%s/%s/%s/artifacts/', run.namespace, run.experiment_id, run.run_id), request->'model');
    new_candidate := jsonb_strip_nulls(jsonb_build_object('register', request->'register', 'versionTags', request->'versionTags', 'gate', request->'gate'))
      || jsonb_build_object('model', request->'model');
    published_model := NULL;
  ELSIF request ? 'model' THEN
    number := slipway.register_published(run, request->'model');
  ELSIF request ? 'adopt' THEN
    number := slipway.adopt_version(run, request->>'adopt');
    -- A trial's script may register what it likes; which of them is promoted the search decides.
    IF run.parent_run_key IS NOT NULL THEN
      new_candidate := jsonb_strip_nulls(jsonb_build_object('register', request->'register'));
      request := request - 'register';
    END IF;
  END IF;
  IF number IS NOT NULL THEN PERFORM slipway.dress_version(run, published_model, number, request); END IF;
  -- What was published outranks what the Job was thought to have come to: FAILED and KILLED become FINISHED.
  UPDATE slipway.runs SET status = 'FINISHED', end_time = to_timestamp((request->>'endTime')::double precision / 1000),
      published_at = now(), model = CASE WHEN number IS NOT NULL THEN published_model END, version = number,
      candidate = new_candidate, gate = request->'gate',
      kept_metrics = CASE WHEN NOT is_tracked THEN slipway.last_values(request->'metrics') END,
      failure_reason = NULL, failure_message = NULL
    WHERE namespace = run.namespace AND run_id = run.run_id;
  RETURN jsonb_build_object('version', number, 'alreadyPublished', false);
EXCEPTION
  WHEN data_exception OR integrity_constraint_violation THEN
    GET STACKED DIAGNOSTICS detail = MESSAGE_TEXT;
    PERFORM slipway.refuse('a value does not fit: ' || detail);
    RETURN NULL;
END $$;
COMMENT ON FUNCTION slipway.publish_run IS 'Ends a run of the caller''s namespace as FINISHED with its metrics and, when the request has a model, its version, or, when it says adopt, the version a tracking client registered under the run; a candidate is kept for the search. All or nothing, once per run: a repeated call gets the first one''s result. Stage and aliases are given when the version is proven. Refuses with SL002; SL004 when there is nothing to adopt.';

CREATE FUNCTION slipway.conclude_search(tenant text, search_key text, trial_key text, ended timestamptz) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
  search slipway.runs%ROWTYPE;
  trial slipway.runs%ROWTYPE;
  number integer;
BEGIN
  SELECT * INTO search FROM slipway.runs r WHERE r.namespace = tenant AND r.run_key = search_key FOR UPDATE;
  IF NOT FOUND OR search.status <> 'RUNNING' THEN RETURN; END IF;
  SELECT * INTO trial FROM slipway.runs r
    WHERE r.namespace = tenant AND r.run_key = trial_key AND r.parent_run_key = search_key AND r.status = 'FINISHED' FOR UPDATE;
  IF NOT FOUND THEN
    PERFORM slipway.refuse(format('%s is no trial of this search that ended well', trial_key));
  END IF;
  IF search.is_tracked THEN
    PERFORM slipway.log_metrics(tenant, search.run_id, (SELECT coalesce(jsonb_agg(jsonb_build_object('key', l.key, 'value', l.value,
        'step', l.step, 'timestamp', l."timestamp")), '[]') FROM slipway.latest_metrics l WHERE l.namespace = tenant AND l.run_id = trial.run_id));
    PERFORM slipway.log_params(tenant, search.run_id, (SELECT coalesce(jsonb_object_agg(p.key, p.value), '{}')
        FROM slipway.params p WHERE p.namespace = tenant AND p.run_id = trial.run_id));
    INSERT INTO slipway.run_datasets (namespace, run_id, experiment_id, name, digest, tags)
      SELECT x.namespace, search.run_id, x.experiment_id, x.name, x.digest, x.tags FROM slipway.run_datasets x
        WHERE x.namespace = tenant AND x.run_id = trial.run_id ORDER BY x.name, x.digest
      ON CONFLICT DO NOTHING;
  END IF;
  IF trial.version IS NOT NULL THEN
    -- The trial's script registered it.
    number := trial.version;
    PERFORM slipway.dress_version(trial, trial.model, number, coalesce(trial.candidate, '{}'));
  ELSIF trial.candidate IS NOT NULL THEN
    -- The version is the trial's: its bytes are, and so is its lineage.
    number := slipway.register_published(trial, trial.candidate->'model');
    PERFORM slipway.dress_version(trial, trial.candidate#>>'{model,model}', number, trial.candidate);
    trial.model := trial.candidate#>>'{model,model}';
    UPDATE slipway.runs r SET model = trial.model, version = number WHERE r.namespace = tenant AND r.run_id = trial.run_id;
  END IF;
  UPDATE slipway.runs r SET status = 'FINISHED', end_time = ended, published_at = now(), gate = trial.gate,
      kept_metrics = trial.kept_metrics, model = CASE WHEN number IS NOT NULL THEN trial.model END, version = number
    WHERE r.namespace = tenant AND r.run_id = search.run_id;
END $$;
COMMENT ON FUNCTION slipway.conclude_search IS 'Ends a RUNNING search as FINISHED with the last metrics, the params and the inputs of its best trial, and registers that trial''s candidate, all or nothing. One that has ended is left alone. Refuses (SL002) a trial that is not FINISHED.';

-- A run that is not tracked takes nothing from tracking clients but the tag that says how far it is.

CREATE FUNCTION slipway.tracked_stage(lifecycle_stage text, is_tracked boolean, batch jsonb) RETURNS text
LANGUAGE sql IMMUTABLE AS $$
  SELECT CASE WHEN is_tracked OR batch - 'tags' = '{}' AND (batch->'tags') - 'slipway.progress' = '{}' THEN lifecycle_stage END
$$;

CREATE OR REPLACE FUNCTION slipway.log_metric(tenant text, run text, metric text, metric_value double precision, at bigint, at_step bigint) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
  stage text;
  experiment integer;
BEGIN
  SELECT lifecycle_stage, experiment_id INTO stage, experiment FROM slipway.runs WHERE namespace = tenant AND run_id = run AND is_tracked;
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

CREATE OR REPLACE FUNCTION slipway.log_batch(tenant text, run text, batch jsonb) RETURNS jsonb
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
    SELECT slipway.tracked_stage(lifecycle_stage, is_tracked, batch) INTO stage
      FROM slipway.runs WHERE namespace = tenant AND run_id = run FOR NO KEY UPDATE;
  ELSE
    SELECT slipway.tracked_stage(lifecycle_stage, is_tracked, batch) INTO stage FROM slipway.runs WHERE namespace = tenant AND run_id = run;
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

CREATE OR REPLACE FUNCTION slipway.record_model(tenant text, run text, model text) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
  stage text;
  history text;
BEGIN
  SELECT lifecycle_stage INTO stage FROM slipway.runs WHERE namespace = tenant AND run_id = run AND is_tracked FOR NO KEY UPDATE;
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

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA slipway FROM PUBLIC;
