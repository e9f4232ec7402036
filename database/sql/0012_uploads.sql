-- What uploads remember beyond 0008.

ALTER TABLE slipway.artifacts ADD COLUMN etag text NOT NULL DEFAULT '';
COMMENT ON COLUMN slipway.artifacts.etag IS 'The store''s mark for the bytes that were digested: the row speaks for an object only while they agree.';

CREATE FUNCTION slipway.add_data_set(tenant text, data_name text, new_upload text, bytes bigint, digest text, media_type text) RETURNS boolean
LANGUAGE plpgsql AS $$
DECLARE
  newest text;
BEGIN
  -- Two uploads of one name decide one after the other which is the newest.
  PERFORM pg_advisory_xact_lock(hashtextextended(tenant || '/' || data_name, 12));
  SELECT sha256 INTO newest FROM slipway.data_sets WHERE namespace = tenant AND name = data_name
    ORDER BY stored_time DESC, upload LIMIT 1;
  IF newest = digest THEN RETURN false; END IF;
  INSERT INTO slipway.data_sets (namespace, name, upload, size, sha256, content_type)
    VALUES (tenant, data_name, new_upload, bytes, digest, media_type);
  RETURN true;
END $$;
COMMENT ON FUNCTION slipway.add_data_set IS 'Adds an upload, unless the name means these very bytes already: then false, and the upload is not needed.';

REVOKE ALL ON FUNCTION slipway.add_data_set FROM PUBLIC;
