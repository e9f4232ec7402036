-- A tenant's role is granted three functions and no table. The policies stand behind that: if somebody grants a table by
-- mistake, a tenant still reads its own rows only, and writes none (no policy allows it). The schema's owner is exempt.

DO $$
DECLARE
  name text;
BEGIN
  FOREACH name IN ARRAY ARRAY['tenants', 'experiments', 'runs', 'params', 'metrics', 'latest_metrics', 'tags',
      'registered_models', 'model_versions', 'model_events'] LOOP
    EXECUTE format('ALTER TABLE slipway.%I ENABLE ROW LEVEL SECURITY', name);
    EXECUTE format('CREATE POLICY own_rows ON slipway.%I FOR SELECT USING (namespace = slipway.session_namespace())', name);
  END LOOP;
END $$;
ALTER TABLE slipway.leader_epoch ENABLE ROW LEVEL SECURITY;

REVOKE ALL ON ALL TABLES IN SCHEMA slipway FROM PUBLIC;
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA slipway FROM PUBLIC;
REVOKE ALL ON SCHEMA slipway FROM PUBLIC;

-- A database of our own needs no temporary tables of strangers; one that belongs to somebody else is left as it is.
DO $$
BEGIN
  IF (SELECT pg_has_role(current_user, datdba, 'MEMBER') FROM pg_database WHERE datname = current_database()) THEN
    EXECUTE format('REVOKE TEMPORARY, CREATE ON DATABASE %I FROM PUBLIC', current_database());
    REVOKE CREATE ON SCHEMA public FROM PUBLIC;
  END IF;
EXCEPTION
  WHEN insufficient_privilege OR invalid_schema_name THEN NULL; -- the schema public is not ours, or is gone
END $$;
