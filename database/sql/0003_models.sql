CREATE TABLE slipway.registered_models (
  namespace         text NOT NULL REFERENCES slipway.tenants,
  name              text NOT NULL CHECK (name ~ '^[^/:[:cntrl:]]{1,250}$'),
  next_version      integer NOT NULL DEFAULT 1 CHECK (next_version >= 1),
  creation_time     timestamptz NOT NULL DEFAULT now(),
  last_updated_time timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (namespace, name)
);
COMMENT ON TABLE slipway.registered_models IS 'Models by name. next_version is the number the next version gets; it moves only in the transaction that inserts the version, so numbers have no gaps.';

CREATE TABLE slipway.model_versions (
  namespace         text NOT NULL,
  model             text NOT NULL,
  version           integer NOT NULL CHECK (version >= 1),
  status            text NOT NULL CHECK (status IN ('PENDING_REGISTRATION', 'READY', 'FAILED_REGISTRATION', 'DELETED')),
  status_message    text NOT NULL DEFAULT '',
  source_uri        text NOT NULL CHECK (source_uri <> '' AND length(source_uri) <= 2048),
  format            text NOT NULL CHECK (format IN ('onnx')),
  artifact_uri      text,
  artifact_files    jsonb CHECK (jsonb_typeof(artifact_files) = 'array'),
  artifact_digest   text CHECK (artifact_digest ~ '^[0-9a-f]{64}$'),
  signature         jsonb CHECK (jsonb_typeof(signature) = 'object'),
  lineage           jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(lineage) = 'object'),
  experiment_id     integer,
  run_id            text,
  object_uid        text,
  creation_time     timestamptz NOT NULL,
  last_updated_time timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (namespace, model, version),
  FOREIGN KEY (namespace, model) REFERENCES slipway.registered_models ON UPDATE CASCADE,
  UNIQUE (namespace, object_uid),
  CHECK ((artifact_uri IS NULL) = (artifact_files IS NULL) AND (artifact_uri IS NULL) = (artifact_digest IS NULL))
);
COMMENT ON TABLE slipway.model_versions IS 'Versions, kept for ever: a deleted one keeps its row and its number. run_id is no foreign key, because a tracking client may name a run that is elsewhere.';
COMMENT ON COLUMN slipway.model_versions.object_uid IS 'The uid of the ModelVersion object by which somebody brought this version: one number per object.';
CREATE INDEX model_versions_by_run ON slipway.model_versions (namespace, run_id) WHERE run_id IS NOT NULL;

CREATE TABLE slipway.model_events (
  id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  namespace  text NOT NULL REFERENCES slipway.tenants,
  model      text NOT NULL,
  version    integer NOT NULL,
  time       timestamptz NOT NULL DEFAULT clock_timestamp(),
  event      text NOT NULL CHECK (event <> ''),
  from_value text,
  to_value   text,
  actor      text NOT NULL CHECK (actor <> '')
);
COMMENT ON TABLE slipway.model_events IS 'What happened to versions, in order: append-only, for everybody.';
CREATE INDEX model_events_by_model ON slipway.model_events (namespace, model, id);

CREATE FUNCTION slipway.refuse_change() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '%.% is append-only: % is refused', TG_TABLE_SCHEMA, TG_TABLE_NAME, TG_OP USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER model_events_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON slipway.model_events
  FOR EACH STATEMENT EXECUTE FUNCTION slipway.refuse_change();

CREATE FUNCTION slipway.allocate_version(tenant text, model_name text) RETURNS integer
LANGUAGE sql AS $$
  INSERT INTO slipway.registered_models AS m (namespace, name, next_version) VALUES (tenant, model_name, 2)
    ON CONFLICT (namespace, name) DO UPDATE SET next_version = m.next_version + 1, last_updated_time = now()
    RETURNING next_version - 1;
$$;
COMMENT ON FUNCTION slipway.allocate_version IS 'The next number of that model (made when it is new). Holds the model''s row until the transaction ends: a rollback gives the number back.';

CREATE FUNCTION slipway.append_event(tenant text, model text, version integer, event text, from_value text, to_value text, actor text) RETURNS void
LANGUAGE sql AS $$
  INSERT INTO slipway.model_events (namespace, model, version, event, from_value, to_value, actor)
    VALUES (tenant, model, version, event, from_value, to_value, actor);
$$;
