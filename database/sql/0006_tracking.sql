-- What an MLflow client tracks beyond what a TrainingJob needs: tags and places of experiments, data sets, logged models.

ALTER TABLE slipway.experiments
  ADD COLUMN artifact_location text CHECK (artifact_location <> '' AND length(artifact_location) <= 2048);
COMMENT ON COLUMN slipway.experiments.artifact_location IS 'Where its runs keep artifacts; null: mlflow-artifacts:/<experiment_id>, which is <namespace>/<experiment_id>/ in the bucket.';

CREATE TABLE slipway.experiment_tags (
  namespace     text NOT NULL,
  experiment_id integer NOT NULL,
  key           text NOT NULL CHECK (key <> '' AND length(key) <= 250),
  value         text NOT NULL CHECK (length(value) <= 5000),
  PRIMARY KEY (namespace, experiment_id, key),
  FOREIGN KEY (namespace, experiment_id) REFERENCES slipway.experiments ON DELETE CASCADE
);
COMMENT ON TABLE slipway.experiment_tags IS 'Tags of experiments; the last value written holds.';

ALTER TABLE slipway.runs
  ADD COLUMN artifact_root   text,
  ADD COLUMN deleted_time    timestamptz,
  ADD COLUMN client_status   text CHECK (client_status IN ('RUNNING', 'SCHEDULED', 'FINISHED', 'FAILED', 'KILLED')),
  ADD COLUMN client_end_time timestamptz;
COMMENT ON COLUMN slipway.runs.artifact_root IS 'Where the run keeps its artifacts; null: mlflow-artifacts:/<experiment_id>/<run_id>/artifacts.';
COMMENT ON COLUMN slipway.runs.deleted_time IS 'Since when lifecycle_stage is deleted: what garbage collection counts from.';
COMMENT ON COLUMN slipway.runs.client_status IS 'What an MLflow client said of a run that a TrainingJob owns. The operator alone moves such a run''s status.';
ALTER TABLE slipway.experiments ADD COLUMN deleted_time timestamptz;

CREATE INDEX runs_deleted ON slipway.runs (namespace, deleted_time) WHERE lifecycle_stage = 'deleted';
-- Search filters and orders by the value of one metric across all runs of an experiment.
CREATE INDEX latest_metrics_by_value ON slipway.latest_metrics (namespace, key, value DESC, run_id);
CREATE INDEX params_by_value ON slipway.params (namespace, key, md5(value));
CREATE INDEX tags_by_value ON slipway.tags (namespace, key, md5(value));

CREATE TABLE slipway.datasets (
  namespace     text NOT NULL,
  experiment_id integer NOT NULL,
  name          text NOT NULL CHECK (name <> '' AND length(name) <= 500),
  digest        text NOT NULL CHECK (digest <> '' AND length(digest) <= 36),
  source_type   text NOT NULL DEFAULT '',
  source        text NOT NULL DEFAULT '',
  schema        text,
  profile       text,
  PRIMARY KEY (namespace, experiment_id, name, digest),
  FOREIGN KEY (namespace, experiment_id) REFERENCES slipway.experiments ON DELETE CASCADE
);
COMMENT ON TABLE slipway.datasets IS 'Data sets that runs of an experiment were given, by name and digest.';

CREATE TABLE slipway.run_datasets (
  namespace     text NOT NULL,
  run_id        text NOT NULL,
  experiment_id integer NOT NULL,
  name          text NOT NULL,
  digest        text NOT NULL,
  tags          jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(tags) = 'object'),
  PRIMARY KEY (namespace, run_id, name, digest),
  FOREIGN KEY (namespace, run_id) REFERENCES slipway.runs ON DELETE CASCADE,
  FOREIGN KEY (namespace, experiment_id, name, digest) REFERENCES slipway.datasets ON DELETE CASCADE
);
COMMENT ON TABLE slipway.run_datasets IS 'Which data sets a run was given; tags {key: value} hold mlflow.data.context and the like.';

CREATE TABLE slipway.logged_models (
  namespace         text NOT NULL,
  model_id          text NOT NULL CHECK (model_id ~ '^m-[0-9a-f]{32}$'),
  experiment_id     integer NOT NULL,
  name              text NOT NULL CHECK (name <> '' AND length(name) <= 500),
  status            text NOT NULL DEFAULT 'LOGGED_MODEL_PENDING'
    CHECK (status IN ('LOGGED_MODEL_PENDING', 'LOGGED_MODEL_READY', 'LOGGED_MODEL_UPLOAD_FAILED')),
  model_type        text NOT NULL DEFAULT '' CHECK (length(model_type) <= 500),
  source_run_id     text,
  artifact_root     text,
  creation_time     timestamptz NOT NULL DEFAULT now(),
  last_updated_time timestamptz NOT NULL DEFAULT now(),
  deleted_time      timestamptz,
  PRIMARY KEY (namespace, model_id),
  FOREIGN KEY (namespace, experiment_id) REFERENCES slipway.experiments ON DELETE CASCADE
);
COMMENT ON TABLE slipway.logged_models IS 'Models that a run logged (MLflow 3), registered or not. artifact_root null: mlflow-artifacts:/<experiment_id>/models/<model_id>/artifacts.';
CREATE INDEX logged_models_by_experiment ON slipway.logged_models (namespace, experiment_id, creation_time DESC, model_id);
CREATE INDEX logged_models_by_run ON slipway.logged_models (namespace, source_run_id) WHERE source_run_id IS NOT NULL;

CREATE TABLE slipway.logged_model_params (
  namespace text NOT NULL,
  model_id  text NOT NULL,
  key       text NOT NULL CHECK (key <> '' AND length(key) <= 250),
  value     text NOT NULL CHECK (length(value) <= 6000),
  PRIMARY KEY (namespace, model_id, key),
  FOREIGN KEY (namespace, model_id) REFERENCES slipway.logged_models ON DELETE CASCADE
);
CREATE TABLE slipway.logged_model_tags (
  namespace text NOT NULL,
  model_id  text NOT NULL,
  key       text NOT NULL CHECK (key <> '' AND length(key) <= 250),
  value     text NOT NULL CHECK (length(value) <= 8000),
  PRIMARY KEY (namespace, model_id, key),
  FOREIGN KEY (namespace, model_id) REFERENCES slipway.logged_models ON DELETE CASCADE
);
CREATE TABLE slipway.logged_model_metrics (
  namespace      text NOT NULL,
  model_id       text NOT NULL,
  run_id         text NOT NULL,
  key            text NOT NULL CHECK (key <> '' AND length(key) <= 250),
  step           bigint NOT NULL,
  "timestamp"    bigint NOT NULL,
  value          double precision NOT NULL,
  dataset_name   text NOT NULL DEFAULT '',
  dataset_digest text NOT NULL DEFAULT '',
  PRIMARY KEY (namespace, model_id, key, run_id, step, "timestamp", dataset_name, dataset_digest, value),
  FOREIGN KEY (namespace, model_id) REFERENCES slipway.logged_models ON DELETE CASCADE,
  FOREIGN KEY (namespace, run_id) REFERENCES slipway.runs ON DELETE CASCADE
);
COMMENT ON TABLE slipway.logged_model_metrics IS 'Metric points that were logged with a model_id, by model.';

CREATE TABLE slipway.run_models (
  namespace text NOT NULL,
  run_id    text NOT NULL,
  model_id  text NOT NULL,
  direction text NOT NULL CHECK (direction IN ('input', 'output')),
  step      bigint NOT NULL DEFAULT 0,
  PRIMARY KEY (namespace, run_id, direction, model_id),
  FOREIGN KEY (namespace, run_id) REFERENCES slipway.runs ON DELETE CASCADE,
  FOREIGN KEY (namespace, model_id) REFERENCES slipway.logged_models ON DELETE CASCADE
);
COMMENT ON TABLE slipway.run_models IS 'Which logged models a run was given or made.';

DO $$
DECLARE
  name text;
BEGIN
  FOREACH name IN ARRAY ARRAY['experiment_tags', 'datasets', 'run_datasets', 'logged_models', 'logged_model_params',
      'logged_model_tags', 'logged_model_metrics', 'run_models'] LOOP
    EXECUTE format('ALTER TABLE slipway.%I ENABLE ROW LEVEL SECURITY', name);
    EXECUTE format('CREATE POLICY own_rows ON slipway.%I FOR SELECT USING (namespace = slipway.session_namespace())', name);
    EXECUTE format('REVOKE ALL ON slipway.%I FROM PUBLIC', name);
  END LOOP;
END $$;
