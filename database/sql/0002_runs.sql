CREATE TABLE slipway.experiments (
  namespace        text NOT NULL REFERENCES slipway.tenants,
  experiment_id    integer NOT NULL CHECK (experiment_id >= 0),
  name             text NOT NULL CHECK (name <> '' AND length(name) <= 500),
  lifecycle_stage  text NOT NULL DEFAULT 'active' CHECK (lifecycle_stage IN ('active', 'deleted')),
  creation_time    timestamptz NOT NULL DEFAULT now(),
  last_update_time timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (namespace, experiment_id),
  UNIQUE (namespace, name)
);
COMMENT ON TABLE slipway.experiments IS 'MLflow experiments, numbered per namespace; 0 is Default and exists from the claim on.';

CREATE TABLE slipway.runs (
  namespace       text NOT NULL,
  run_id          text NOT NULL CHECK (run_id ~ '^[0-9a-f]{32}$'),
  experiment_id   integer NOT NULL,
  run_name        text NOT NULL DEFAULT '' CHECK (length(run_name) <= 250),
  user_id         text NOT NULL DEFAULT '',
  status          text NOT NULL CHECK (status IN ('RUNNING', 'SCHEDULED', 'FINISHED', 'FAILED', 'KILLED')),
  lifecycle_stage text NOT NULL DEFAULT 'active' CHECK (lifecycle_stage IN ('active', 'deleted')),
  start_time      timestamptz NOT NULL,
  end_time        timestamptz,
  run_key         text UNIQUE CHECK (run_key <> '' AND length(run_key) <= 512),
  owner_uid       text,
  generation      bigint,
  spec_digest     text,
  training_job    text,
  cause           text,
  failure_reason  text,
  failure_message text,
  published_at    timestamptz,
  model           text,
  version         integer,
  PRIMARY KEY (namespace, run_id),
  FOREIGN KEY (namespace, experiment_id) REFERENCES slipway.experiments,
  -- What the operator starts is known by its key; what a tracking client starts has none.
  CHECK ((run_key IS NULL) = (owner_uid IS NULL) AND (run_key IS NULL) = (generation IS NULL)
     AND (run_key IS NULL) = (spec_digest IS NULL) AND (run_key IS NULL) = (training_job IS NULL)),
  CHECK (published_at IS NULL OR status = 'FINISHED'),
  CHECK ((model IS NULL) = (version IS NULL) AND (version IS NULL OR published_at IS NOT NULL))
);
COMMENT ON TABLE slipway.runs IS 'MLflow runs. Those of TrainingJobs also carry run_key, their identity across every crash, and the version they published.';
CREATE INDEX runs_by_owner ON slipway.runs (namespace, owner_uid, generation DESC) WHERE owner_uid IS NOT NULL;
CREATE INDEX runs_by_start ON slipway.runs (namespace, experiment_id, start_time DESC, run_id);

CREATE TABLE slipway.params (
  namespace text NOT NULL,
  run_id    text NOT NULL,
  key       text NOT NULL CHECK (key <> '' AND length(key) <= 250),
  value     text NOT NULL CHECK (length(value) <= 6000),
  PRIMARY KEY (namespace, run_id, key),
  FOREIGN KEY (namespace, run_id) REFERENCES slipway.runs ON DELETE CASCADE
);
COMMENT ON TABLE slipway.params IS 'What a run was given. Written once: a value never changes.';

CREATE TABLE slipway.metrics (
  namespace   text NOT NULL,
  run_id      text NOT NULL,
  key         text NOT NULL CHECK (key <> '' AND length(key) <= 250),
  step        bigint NOT NULL,
  "timestamp" bigint NOT NULL,
  value       double precision NOT NULL,
  -- The value belongs to the key: logging the same point again is no second point, a NaN included.
  PRIMARY KEY (namespace, run_id, key, step, "timestamp", value),
  FOREIGN KEY (namespace, run_id) REFERENCES slipway.runs ON DELETE CASCADE
);
COMMENT ON TABLE slipway.metrics IS 'Every point of every metric; timestamp in milliseconds since the epoch.';

CREATE TABLE slipway.latest_metrics (
  namespace   text NOT NULL,
  run_id      text NOT NULL,
  key         text NOT NULL,
  step        bigint NOT NULL,
  "timestamp" bigint NOT NULL,
  value       double precision NOT NULL,
  PRIMARY KEY (namespace, run_id, key),
  FOREIGN KEY (namespace, run_id) REFERENCES slipway.runs ON DELETE CASCADE
);
COMMENT ON TABLE slipway.latest_metrics IS 'The point that counts, per metric: highest step, then timestamp, then value. Kept by slipway.log_metrics.';

CREATE TABLE slipway.tags (
  namespace text NOT NULL,
  run_id    text NOT NULL,
  key       text NOT NULL CHECK (key <> '' AND length(key) <= 250),
  value     text NOT NULL CHECK (length(value) <= 8000),
  PRIMARY KEY (namespace, run_id, key),
  FOREIGN KEY (namespace, run_id) REFERENCES slipway.runs ON DELETE CASCADE
);
COMMENT ON TABLE slipway.tags IS 'Tags of runs; the last value written holds.';

CREATE FUNCTION slipway.ensure_experiment(tenant text, experiment_name text) RETURNS integer
LANGUAGE plpgsql AS $$
DECLARE
  id integer;
BEGIN
  SELECT experiment_id INTO id FROM slipway.experiments WHERE namespace = tenant AND name = experiment_name;
  IF FOUND THEN RETURN id; END IF;
  SELECT next_experiment INTO id FROM slipway.tenants WHERE namespace = tenant FOR NO KEY UPDATE;
  IF NOT FOUND THEN
    RAISE EXCEPTION 'namespace % has not been claimed', tenant USING ERRCODE = 'SL003';
  END IF;
  -- Somebody may have made it while we waited for the tenant's row.
  INSERT INTO slipway.experiments (namespace, experiment_id, name) VALUES (tenant, id, experiment_name)
    ON CONFLICT (namespace, name) DO NOTHING;
  IF FOUND THEN
    UPDATE slipway.tenants SET next_experiment = id + 1 WHERE namespace = tenant;
    RETURN id;
  END IF;
  SELECT experiment_id INTO id FROM slipway.experiments WHERE namespace = tenant AND name = experiment_name;
  RETURN id;
END $$;
COMMENT ON FUNCTION slipway.ensure_experiment IS 'The id of the experiment of that name, made when it is not there.';

CREATE FUNCTION slipway.log_metrics(tenant text, run text, points jsonb) RETURNS void
LANGUAGE sql AS $$
  INSERT INTO slipway.metrics (namespace, run_id, key, step, "timestamp", value)
    SELECT tenant, run, p.key, p.step, p."timestamp", p.value
    FROM jsonb_to_recordset(points) AS p (key text, value double precision, step bigint, "timestamp" bigint)
    ON CONFLICT DO NOTHING;
  INSERT INTO slipway.latest_metrics AS latest (namespace, run_id, key, step, "timestamp", value)
    SELECT DISTINCT ON (p.key) tenant, run, p.key, p.step, p."timestamp", p.value
    FROM jsonb_to_recordset(points) AS p (key text, value double precision, step bigint, "timestamp" bigint)
    ORDER BY p.key, p.step DESC, p."timestamp" DESC, p.value DESC
    ON CONFLICT (namespace, run_id, key) DO UPDATE
      SET step = excluded.step, "timestamp" = excluded."timestamp", value = excluded.value
      WHERE (excluded.step, excluded."timestamp", excluded.value) > (latest.step, latest."timestamp", latest.value);
$$;
COMMENT ON FUNCTION slipway.log_metrics IS 'Adds points [{key, value, step, timestamp}] to a run; a point that is there already is left alone.';

CREATE FUNCTION slipway.log_params(tenant text, run text, parameters jsonb) RETURNS void
LANGUAGE sql AS $$
  INSERT INTO slipway.params (namespace, run_id, key, value)
    SELECT tenant, run, p.key, p.value FROM jsonb_each_text(parameters) AS p
    ON CONFLICT DO NOTHING;
$$;
COMMENT ON FUNCTION slipway.log_params IS 'Adds parameters {key: value} to a run; one that is there already keeps its value.';
