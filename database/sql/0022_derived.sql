-- What was made of a version by converting it: bytes of their own beside the original, whose row says what it always said.

CREATE TABLE slipway.derived_artifacts (
  namespace    text NOT NULL,
  model        text NOT NULL,
  version      integer NOT NULL,
  uri          text NOT NULL CHECK (uri <> '' AND length(uri) <= 2048),
  files        jsonb NOT NULL CHECK (jsonb_typeof(files) = 'array'),
  digest       text NOT NULL CHECK (digest ~ '^[0-9a-f]{64}$'),
  signature    jsonb CHECK (jsonb_typeof(signature) = 'object'),
  conversion   jsonb NOT NULL CHECK (jsonb_typeof(conversion) = 'object'),
  message      text NOT NULL DEFAULT '' CHECK (length(message) <= 4096),
  created_time timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (namespace, model, version),
  FOREIGN KEY (namespace, model, version) REFERENCES slipway.model_versions ON UPDATE CASCADE ON DELETE CASCADE
);
COMMENT ON TABLE slipway.derived_artifacts IS 'The proven ONNX of a version that is stored as something else: what is served. Written once; conversion says from which bytes, by which image and libraries, and how well it agrees.';

ALTER TABLE slipway.derived_artifacts ENABLE ROW LEVEL SECURITY;
CREATE POLICY own_rows ON slipway.derived_artifacts FOR SELECT USING (namespace = slipway.session_namespace());
REVOKE ALL ON slipway.derived_artifacts FROM PUBLIC;

COMMENT ON FUNCTION slipway.append_event IS 'One line of a model''s history. Events: Registered, StatusChanged, Deleted (from, to: status), StageChanged (stages), AliasSet and AliasDeleted (from: the version before or null, to: alias), Converted (from: the original''s uri, to: the derived one''s), Renamed (names).';
