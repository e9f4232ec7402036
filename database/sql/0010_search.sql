-- What searches read in order or by value and had no index for.

-- The newest runs of several experiments.
CREATE INDEX runs_newest ON slipway.runs (namespace, start_time DESC, run_id);
-- The newest versions of one model, in the order of a search by name.
CREATE INDEX model_versions_of_model ON slipway.model_versions (namespace, model, last_updated_time DESC, version DESC) WHERE status <> 'DELETED';
CREATE INDEX model_versions_by_client_source ON slipway.model_versions (namespace, md5(client_source)) WHERE client_source IS NOT NULL;
-- Prompts are hidden from every search that does not ask for them: one small look-up a model.
CREATE INDEX model_version_tags_of_prompts ON slipway.model_version_tags (namespace, model) WHERE key = 'mlflow.prompt.is_prompt' AND value = 'true';
CREATE INDEX registered_models_newest ON slipway.registered_models (namespace, last_updated_time DESC, name) WHERE deleted_time IS NULL;
CREATE INDEX logged_model_metrics_by_value ON slipway.logged_model_metrics (namespace, key, value, model_id);
CREATE INDEX logged_models_by_name ON slipway.logged_models (namespace, name) WHERE deleted_time IS NULL;

-- The runs of one experiment by the value of a metric: the experiment stands beside the value, because an index cannot
-- look into another table. A run never changes its experiment.
ALTER TABLE slipway.latest_metrics ADD COLUMN experiment_id integer;
UPDATE slipway.latest_metrics l SET experiment_id = r.experiment_id
  FROM slipway.runs r WHERE (r.namespace, r.run_id) = (l.namespace, l.run_id);
ALTER TABLE slipway.latest_metrics ALTER COLUMN experiment_id SET NOT NULL;
COMMENT ON COLUMN slipway.latest_metrics.experiment_id IS 'The experiment of the run; filled by a trigger, whoever writes.';

CREATE FUNCTION slipway.fill_experiment() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.experiment_id IS NULL THEN
    SELECT r.experiment_id INTO NEW.experiment_id FROM slipway.runs r WHERE r.namespace = NEW.namespace AND r.run_id = NEW.run_id;
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER fill_experiment BEFORE INSERT ON slipway.latest_metrics
  FOR EACH ROW EXECUTE FUNCTION slipway.fill_experiment();

DROP INDEX slipway.latest_metrics_by_value;
CREATE INDEX latest_metrics_by_value ON slipway.latest_metrics (namespace, experiment_id, key, value DESC, run_id);
REVOKE ALL ON FUNCTION slipway.fill_experiment FROM PUBLIC;
