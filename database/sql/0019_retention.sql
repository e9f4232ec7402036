-- What retention and garbage collection ask of runs and of the data they read.

-- Which data sets runs name, by what was read: MLflow's digest is the beginning of ours.
CREATE INDEX datasets_by_digest ON slipway.datasets (namespace, digest);
-- A run is not given up while a version was made of a model that it logged.
CREATE INDEX model_versions_by_logged_model ON slipway.model_versions (namespace, logged_model_id) WHERE logged_model_id IS NOT NULL;
