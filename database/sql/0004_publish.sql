-- The one door through which a training pod writes: it calls publish_run as its tenant's own role and can do nothing else.
-- Every function below pins search_path and names its tables in full, since it runs with the rights of the schema's owner.

CREATE FUNCTION slipway.session_namespace() RETURNS text
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  SELECT namespace FROM slipway.tenants WHERE role_name = session_user;
$$;
COMMENT ON FUNCTION slipway.session_namespace IS 'The namespace whose role has logged in; null for everybody else.';

CREATE FUNCTION slipway.may_publish(tenant text) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  -- The schema's owner may publish for every tenant: that is the shared credential of databases that cannot create roles.
  SELECT session_user = current_user OR tenant = slipway.session_namespace();
$$;

CREATE FUNCTION slipway.refuse(message text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  RAISE EXCEPTION '%', message USING ERRCODE = 'SL002';
END $$;

CREATE FUNCTION slipway.check_publication(request jsonb) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  bad text;
BEGIN
  IF jsonb_typeof(request) IS DISTINCT FROM 'object' THEN PERFORM slipway.refuse('the request must be a JSON object'); END IF;
  IF octet_length(request::text) > 8388608 THEN
    PERFORM slipway.refuse('the request is larger than 8 MiB: publish fewer metric points');
  END IF;
  IF jsonb_typeof(request->'runKey') IS DISTINCT FROM 'string' THEN PERFORM slipway.refuse('runKey must be a string'); END IF;
  IF jsonb_typeof(request->'endTime') IS DISTINCT FROM 'number' THEN
    PERFORM slipway.refuse('endTime must be a number of milliseconds');
  END IF;
  IF jsonb_typeof(request->'metrics') IS DISTINCT FROM 'array' THEN PERFORM slipway.refuse('metrics must be a list'); END IF;
  IF jsonb_array_length(request->'metrics') > 50000 THEN
    PERFORM slipway.refuse(format('%s metric points are more than 50000: log fewer steps', jsonb_array_length(request->'metrics')));
  END IF;
  SELECT left(coalesce(m->>'key', 'without a key'), 60) INTO bad FROM jsonb_array_elements(request->'metrics') AS m
    WHERE (jsonb_typeof(m->'key') = 'string' AND length(m->>'key') BETWEEN 1 AND 250
      AND jsonb_typeof(m->'value') = 'number' AND jsonb_typeof(m->'step') = 'number'
      AND jsonb_typeof(m->'timestamp') = 'number') IS NOT TRUE LIMIT 1;
  IF FOUND THEN
    PERFORM slipway.refuse(format('metric %s: expected {key: 1 to 250 characters, value, step, timestamp: numbers}', bad));
  END IF;
  IF jsonb_typeof(request->'params') IS DISTINCT FROM 'object' THEN PERFORM slipway.refuse('params must be a map'); END IF;
  IF (SELECT count(*) FROM jsonb_object_keys(request->'params')) > 1000 THEN PERFORM slipway.refuse('params has more than 1000 entries'); END IF;
  SELECT left(p.key, 60) INTO bad FROM jsonb_each(request->'params') AS p
    WHERE jsonb_typeof(p.value) <> 'string' OR length(p.key) NOT BETWEEN 1 AND 250 OR length(p.value#>>'{}') > 6000 LIMIT 1;
  IF FOUND THEN
    PERFORM slipway.refuse(format('parameter %s: expected a name of 1 to 250 characters and a string of at most 6000', bad));
  END IF;
END $$;

CREATE FUNCTION slipway.check_published_model(root text, published jsonb) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  uri text := published#>>'{artifact,uri}';
  object_key text := regexp_replace(uri, '^s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]/', '');
BEGIN
  IF coalesce(published->>'model', '') !~ '^[^/:[:cntrl:]]{1,250}$' THEN
    PERFORM slipway.refuse('model must be a name of 1 to 250 characters without "/" and ":"');
  END IF;
  IF published->>'format' IS DISTINCT FROM 'onnx' THEN PERFORM slipway.refuse('format must be onnx'); END IF;
  IF uri IS NULL OR object_key = uri OR length(uri) > 2048 OR NOT starts_with(object_key, root)
    OR substr(object_key, length(root)) ~ '//|/\.{1,2}(/|$)|[?#\\[:cntrl:]]' THEN
    PERFORM slipway.refuse(format('artifact.uri must lie under s3://<bucket>/%s', root));
  END IF;
  IF coalesce(published#>>'{artifact,digest}', '') !~ '^[0-9a-f]{64}$' THEN
    PERFORM slipway.refuse('artifact.digest must be 64 lower-case hex characters');
  END IF;
  IF jsonb_typeof(published#>'{artifact,files}') IS DISTINCT FROM 'array'
    OR jsonb_array_length(published#>'{artifact,files}') NOT BETWEEN 1 AND 256 THEN
    PERFORM slipway.refuse('artifact.files must be a list of 1 to 256 files');
  END IF;
  PERFORM FROM jsonb_array_elements(published#>'{artifact,files}') AS f
    WHERE (length(f->>'path') BETWEEN 1 AND 512 AND f->>'path' !~ '^/|//|(^|/)\.{1,2}(/|$)|/$|[\\[:cntrl:]]'
      AND f->>'sha256' ~ '^[0-9a-f]{64}$' AND jsonb_typeof(f->'size') = 'number' AND f->>'size' ~ '^[0-9]{1,15}$') IS NOT TRUE;
  IF FOUND THEN
    PERFORM slipway.refuse('artifact.files: expected {path: relative, without ".", "..", sha256: 64 hex characters, size: bytes}');
  END IF;
  IF jsonb_typeof(published->'lineage') IS DISTINCT FROM 'object' THEN PERFORM slipway.refuse('lineage must be a map'); END IF;
  IF published ? 'signature' AND jsonb_typeof(published->'signature') <> 'object' THEN
    PERFORM slipway.refuse('signature must be a map');
  END IF;
END $$;
COMMENT ON FUNCTION slipway.check_published_model IS 'Refuses (SL002) a model whose bytes do not lie below root, the artifact root of the run that publishes it.';

CREATE FUNCTION slipway.register_published(run slipway.runs, published jsonb) RETURNS integer
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  number integer;
BEGIN
  PERFORM slipway.check_published_model(format('%s/%s/%s/artifacts/', run.namespace, run.experiment_id, run.run_id), published);
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

CREATE FUNCTION slipway.publish_run(request jsonb) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  run slipway.runs%ROWTYPE;
  number integer;
  detail text;
BEGIN
  PERFORM slipway.check_publication(request);
  SELECT * INTO run FROM slipway.runs WHERE run_key = request->>'runKey' AND slipway.may_publish(namespace) FOR UPDATE;
  IF NOT FOUND THEN
    PERFORM slipway.refuse('no run with this key belongs to the caller: the key must be the one the operator gave to this pod');
  END IF;
  IF run.published_at IS NOT NULL THEN
    RETURN jsonb_build_object('version', run.version, 'alreadyPublished', true);
  END IF;
  PERFORM slipway.log_metrics(run.namespace, run.run_id, request->'metrics');
  PERFORM slipway.log_params(run.namespace, run.run_id, request->'params');
  IF request ? 'model' THEN
    number := slipway.register_published(run, request->'model');
  END IF;
  -- What was published outranks what the Job was thought to have come to: FAILED and KILLED become FINISHED.
  UPDATE slipway.runs SET status = 'FINISHED', end_time = to_timestamp((request->>'endTime')::double precision / 1000),
      published_at = now(), model = request#>>'{model,model}', version = number, failure_reason = NULL, failure_message = NULL
    WHERE namespace = run.namespace AND run_id = run.run_id;
  RETURN jsonb_build_object('version', number, 'alreadyPublished', false);
EXCEPTION
  WHEN data_exception OR integrity_constraint_violation THEN
    GET STACKED DIAGNOSTICS detail = MESSAGE_TEXT;
    PERFORM slipway.refuse('a value does not fit: ' || detail);
    RETURN NULL;
END $$;
COMMENT ON FUNCTION slipway.publish_run IS 'Ends a run of the caller''s namespace as FINISHED with its metrics and, when the request has a model, its version; all or nothing, once per run: a repeated call gets the first one''s result. Refuses with SL002.';

CREATE FUNCTION slipway.find_published(key text) RETURNS jsonb
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  SELECT jsonb_build_object('version', version, 'alreadyPublished', true) FROM slipway.runs
    WHERE run_key = key AND published_at IS NOT NULL AND slipway.may_publish(namespace);
$$;
COMMENT ON FUNCTION slipway.find_published IS 'What publish_run returned for this run of the caller''s namespace; null when nothing was published.';
