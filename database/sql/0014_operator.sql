-- What the operator needs to mirror versions, to guard those in use, to adopt what a script registered, and to close what was left open.

CREATE INDEX runs_open ON slipway.runs (namespace, run_id) WHERE run_key IS NOT NULL AND status = 'RUNNING';
COMMENT ON INDEX slipway.runs_open IS 'Runs of TrainingJobs that go on: few, whatever the table holds.';

-- A version is mirrored as an object while it is in use: whoever mirrors has to be told of the first use and of the last.
CREATE FUNCTION slipway.tell_version_used() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  PERFORM pg_notify('slipway_versions', v.version_key::text) FROM slipway.model_versions v
    WHERE (v.namespace, v.model, v.version)
      = (coalesce(NEW.namespace, OLD.namespace), coalesce(NEW.model, OLD.model), coalesce(NEW.version, OLD.version));
  RETURN NULL;
END $$;
CREATE TRIGGER tell_version_used AFTER INSERT OR DELETE ON slipway.version_uses
  FOR EACH ROW EXECUTE FUNCTION slipway.tell_version_used();

CREATE FUNCTION slipway.adopt_version(run slipway.runs, model_name text) RETURNS integer
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  numbers integer[];
BEGIN
  SELECT array_agg(v.version ORDER BY v.version) INTO numbers FROM slipway.model_versions v
    WHERE v.namespace = run.namespace AND v.run_id = run.run_id AND v.model = model_name AND v.status <> 'DELETED';
  IF numbers IS NULL THEN
    RAISE EXCEPTION 'no version of model % was registered under this run', model_name USING ERRCODE = 'SL004';
  END IF;
  IF array_length(numbers, 1) > 1 THEN
    RAISE EXCEPTION 'versions % of model % were registered under this run, expected exactly one',
      array_to_string(numbers, ', '), model_name USING ERRCODE = 'SL004';
  END IF;
  UPDATE slipway.model_versions v
    SET lineage = jsonb_build_object('trainingJob', run.training_job, 'runKey', run.run_key) || v.lineage
    WHERE v.namespace = run.namespace AND v.model = model_name AND v.version = numbers[1];
  RETURN numbers[1];
END $$;
COMMENT ON FUNCTION slipway.adopt_version IS 'The one version of that model that a tracking client registered under this run; SL004 when there is none or more than one.';

CREATE OR REPLACE FUNCTION slipway.publish_run(request jsonb) RETURNS jsonb
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
  ELSIF request ? 'adopt' THEN
    number := slipway.adopt_version(run, request->>'adopt');
  END IF;
  -- What was published outranks what the Job was thought to have come to: FAILED and KILLED become FINISHED.
  UPDATE slipway.runs SET status = 'FINISHED', end_time = to_timestamp((request->>'endTime')::double precision / 1000),
      published_at = now(), model = coalesce(request#>>'{model,model}', request->>'adopt'), version = number,
      failure_reason = NULL, failure_message = NULL
    WHERE namespace = run.namespace AND run_id = run.run_id;
  RETURN jsonb_build_object('version', number, 'alreadyPublished', false);
EXCEPTION
  WHEN data_exception OR integrity_constraint_violation THEN
    GET STACKED DIAGNOSTICS detail = MESSAGE_TEXT;
    PERFORM slipway.refuse('a value does not fit: ' || detail);
    RETURN NULL;
END $$;
COMMENT ON FUNCTION slipway.publish_run IS 'Ends a run of the caller''s namespace as FINISHED with its metrics and, when the request has a model, its version, or, when it says adopt, the version a tracking client registered under the run; all or nothing, once per run: a repeated call gets the first one''s result. Refuses with SL002; SL004 when there is nothing to adopt.';

REVOKE ALL ON FUNCTION slipway.tell_version_used(), slipway.adopt_version(slipway.runs, text) FROM PUBLIC;

CREATE INDEX model_events_renamed ON slipway.model_events (namespace, from_value) WHERE event = 'Renamed';
CREATE INDEX model_versions_pending ON slipway.model_versions (namespace, model, version) WHERE status = 'PENDING_REGISTRATION';
