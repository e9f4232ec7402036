-- What was uploaded through the registry, with the digest counted while it streamed by.

CREATE TABLE slipway.artifacts (
  namespace   text NOT NULL REFERENCES slipway.tenants,
  path        text NOT NULL CHECK (path <> '' AND length(path) <= 1024),
  size        bigint NOT NULL CHECK (size >= 0),
  sha256      text NOT NULL CHECK (sha256 ~ '^[0-9a-f]{64}$'),
  stored_time timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (namespace, path)
);
COMMENT ON TABLE slipway.artifacts IS 'Size and digest of what clients uploaded, by path below <namespace>/ in the bucket. The bucket is the truth: a row may be missing (multipart, direct uploads), never wrong about an upload that was answered.';

CREATE TABLE slipway.data_sets (
  namespace    text NOT NULL REFERENCES slipway.tenants,
  name         text NOT NULL CHECK (name <> '' AND length(name) <= 250),
  upload       text NOT NULL CHECK (upload ~ '^[0-9a-f]{32}$'),
  size         bigint NOT NULL CHECK (size >= 0),
  sha256       text NOT NULL CHECK (sha256 ~ '^[0-9a-f]{64}$'),
  content_type text NOT NULL DEFAULT 'application/octet-stream',
  stored_time  timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (namespace, name, upload)
);
COMMENT ON TABLE slipway.data_sets IS 'Uploaded data, every upload kept beside the ones before: bytes at <namespace>/data/<upload>/<name>; the newest upload is what the name means.';
CREATE INDEX data_sets_newest ON slipway.data_sets (namespace, name, stored_time DESC, upload);

DO $$
DECLARE
  name text;
BEGIN
  FOREACH name IN ARRAY ARRAY['artifacts', 'data_sets'] LOOP
    EXECUTE format('ALTER TABLE slipway.%I ENABLE ROW LEVEL SECURITY', name);
    EXECUTE format('CREATE POLICY own_rows ON slipway.%I FOR SELECT USING (namespace = slipway.session_namespace())', name);
    EXECUTE format('REVOKE ALL ON slipway.%I FROM PUBLIC', name);
  END LOOP;
END $$;
