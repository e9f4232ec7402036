-- The mutable side of the model registry: stages, aliases, tags, descriptions; who uses a version; who is told of a change.

ALTER TABLE slipway.registered_models
  ADD COLUMN model_key    bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
  ADD COLUMN description  text CHECK (length(description) <= 100000),
  ADD COLUMN deleted_time timestamptz;
COMMENT ON COLUMN slipway.registered_models.model_key IS 'Stays when the model is renamed: its events are found by it.';
COMMENT ON COLUMN slipway.registered_models.deleted_time IS 'A deleted model keeps its row, and so its numbers: one made anew under its name goes on counting.';

CREATE TABLE slipway.registered_model_tags (
  namespace text NOT NULL,
  model     text NOT NULL,
  key       text NOT NULL CHECK (key <> '' AND length(key) <= 250),
  value     text NOT NULL CHECK (length(value) <= 100000),
  PRIMARY KEY (namespace, model, key),
  FOREIGN KEY (namespace, model) REFERENCES slipway.registered_models ON UPDATE CASCADE ON DELETE CASCADE
);

ALTER TABLE slipway.model_versions
  ADD COLUMN version_key     bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
  ADD COLUMN description     text CHECK (length(description) <= 100000),
  ADD COLUMN stage           text NOT NULL DEFAULT 'None' CHECK (stage <> '' AND length(stage) <= 64),
  ADD COLUMN run_link        text CHECK (length(run_link) <= 500),
  ADD COLUMN client_source   text CHECK (length(client_source) <= 2048),
  ADD COLUMN logged_model_id text,
  DROP CONSTRAINT model_versions_format_check,
  ADD CONSTRAINT model_versions_format_check CHECK (format IN ('onnx', 'mlflow'));
COMMENT ON COLUMN slipway.model_versions.version_key IS 'A small name for the row, told by notifications.';
COMMENT ON COLUMN slipway.model_versions.source_uri IS 'Where the bytes are: s3://<bucket>/<namespace>/… for everything that lies in our store; anything else as the client named it.';
COMMENT ON COLUMN slipway.model_versions.client_source IS 'The source in the words of the MLflow client that registered it (models:/m-…, mlflow-artifacts:/…), given back to clients; null: derived from source_uri.';
COMMENT ON COLUMN slipway.model_versions.format IS 'onnx: can be served once verified. mlflow: a model folder of another flavour, kept and tracked only.';
CREATE INDEX model_versions_by_stage ON slipway.model_versions (namespace, model, stage, version DESC) WHERE status <> 'DELETED';
CREATE INDEX model_versions_newest ON slipway.model_versions (namespace, last_updated_time DESC, model, version DESC) WHERE status <> 'DELETED';
CREATE INDEX model_versions_by_source ON slipway.model_versions (namespace, md5(source_uri)) WHERE status <> 'DELETED';

CREATE TABLE slipway.model_version_tags (
  namespace text NOT NULL,
  model     text NOT NULL,
  version   integer NOT NULL,
  key       text NOT NULL CHECK (key <> '' AND length(key) <= 250),
  value     text NOT NULL CHECK (length(value) <= 100000),
  PRIMARY KEY (namespace, model, version, key),
  FOREIGN KEY (namespace, model, version) REFERENCES slipway.model_versions ON UPDATE CASCADE ON DELETE CASCADE
);
CREATE INDEX model_version_tags_by_value ON slipway.model_version_tags (namespace, key, md5(value));

CREATE TABLE slipway.model_aliases (
  namespace text NOT NULL,
  model     text NOT NULL,
  alias     text NOT NULL CHECK (alias ~ '^[A-Za-z0-9_-]{1,255}$'),
  version   integer NOT NULL,
  PRIMARY KEY (namespace, model, alias),
  FOREIGN KEY (namespace, model, version) REFERENCES slipway.model_versions ON UPDATE CASCADE ON DELETE CASCADE
);
COMMENT ON TABLE slipway.model_aliases IS 'Names that point to one version of a model each.';
CREATE INDEX model_aliases_by_version ON slipway.model_aliases (namespace, model, version);

CREATE TABLE slipway.version_uses (
  namespace text NOT NULL,
  model     text NOT NULL,
  version   integer NOT NULL,
  service   text NOT NULL CHECK (service <> ''),
  since     timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (namespace, model, version, service),
  FOREIGN KEY (namespace, model, version) REFERENCES slipway.model_versions ON UPDATE CASCADE
);
COMMENT ON TABLE slipway.version_uses IS 'InferenceServices that serve or are being rolled to a version, written by the operator under the version''s row lock before it rolls: whoever deletes a version locks that row and looks here.';
CREATE INDEX version_uses_by_service ON slipway.version_uses (namespace, service);

-- Events are found by the model's key, so that a renamed model keeps its history.
ALTER TABLE slipway.model_events ADD COLUMN model_key bigint;
ALTER TABLE slipway.model_events DISABLE TRIGGER model_events_append_only;
UPDATE slipway.model_events e SET model_key = m.model_key FROM slipway.registered_models m
  WHERE m.namespace = e.namespace AND m.name = e.model;
ALTER TABLE slipway.model_events ENABLE TRIGGER model_events_append_only;
CREATE INDEX model_events_by_key ON slipway.model_events (model_key, id);

CREATE OR REPLACE FUNCTION slipway.append_event(tenant text, model text, version integer, event text, from_value text, to_value text, actor text) RETURNS void
LANGUAGE sql AS $$
  INSERT INTO slipway.model_events (namespace, model, model_key, version, event, from_value, to_value, actor)
    VALUES (tenant, append_event.model,
      (SELECT m.model_key FROM slipway.registered_models m WHERE m.namespace = tenant AND m.name = append_event.model),
      version, event, from_value, to_value, actor);
$$;
COMMENT ON FUNCTION slipway.append_event IS 'One line of a model''s history. Events: Registered, StatusChanged, Deleted (from, to: status), StageChanged (stages), AliasSet and AliasDeleted (from: the version before or null, to: alias), Renamed (names).';

CREATE OR REPLACE FUNCTION slipway.allocate_version(tenant text, model_name text) RETURNS integer
LANGUAGE sql AS $$
  INSERT INTO slipway.registered_models AS m (namespace, name, next_version) VALUES (tenant, model_name, 2)
    ON CONFLICT (namespace, name) DO UPDATE SET next_version = m.next_version + 1, last_updated_time = now(), deleted_time = NULL
    RETURNING next_version - 1;
$$;

-- A notification says which row changed, by its key alone: every role of the database may listen.
CREATE FUNCTION slipway.tell_version_changed() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  row_key bigint;
BEGIN
  IF TG_TABLE_NAME = 'model_versions' THEN
    row_key := NEW.version_key;
  ELSE
    SELECT v.version_key INTO row_key FROM slipway.model_versions v
      WHERE (v.namespace, v.model, v.version) = (coalesce(NEW.namespace, OLD.namespace), coalesce(NEW.model, OLD.model), coalesce(NEW.version, OLD.version));
    -- An alias that moves changes two versions.
    IF TG_OP = 'UPDATE' AND NEW.version <> OLD.version THEN
      PERFORM pg_notify('slipway_versions', v.version_key::text) FROM slipway.model_versions v
        WHERE (v.namespace, v.model, v.version) = (OLD.namespace, OLD.model, OLD.version);
    END IF;
  END IF;
  IF row_key IS NOT NULL THEN PERFORM pg_notify('slipway_versions', row_key::text); END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER tell_version_changed AFTER INSERT OR UPDATE ON slipway.model_versions
  FOR EACH ROW EXECUTE FUNCTION slipway.tell_version_changed();
CREATE TRIGGER tell_version_changed AFTER INSERT OR UPDATE OR DELETE ON slipway.model_aliases
  FOR EACH ROW EXECUTE FUNCTION slipway.tell_version_changed();
CREATE TRIGGER tell_version_changed AFTER INSERT OR UPDATE OR DELETE ON slipway.model_version_tags
  FOR EACH ROW EXECUTE FUNCTION slipway.tell_version_changed();

DO $$
DECLARE
  name text;
BEGIN
  FOREACH name IN ARRAY ARRAY['registered_model_tags', 'model_version_tags', 'model_aliases', 'version_uses'] LOOP
    EXECUTE format('ALTER TABLE slipway.%I ENABLE ROW LEVEL SECURITY', name);
    EXECUTE format('CREATE POLICY own_rows ON slipway.%I FOR SELECT USING (namespace = slipway.session_namespace())', name);
    EXECUTE format('REVOKE ALL ON slipway.%I FROM PUBLIC', name);
  END LOOP;
END $$;
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA slipway FROM PUBLIC;
