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
