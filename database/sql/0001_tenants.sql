-- Refusals carry their own SQLSTATEs, so that callers tell them from faults of the database:
--   SL001 a write by a process that is no longer the leader
--   SL002 a publication that cannot be accepted, however often it is repeated
--   SL003 the namespace has not been claimed

CREATE TABLE slipway.tenants (
  namespace       text PRIMARY KEY CHECK (namespace <> '' AND length(namespace) <= 63),
  namespace_uid   text NOT NULL CHECK (namespace_uid <> ''),
  role_name       text UNIQUE,
  next_experiment integer NOT NULL DEFAULT 1 CHECK (next_experiment >= 1),
  adopted_from    text,
  claimed_at      timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE slipway.tenants IS 'A namespace that has data here. namespace_uid is the one Kubernetes namespace the data belongs to; a later one of the same name inherits nothing unless an administrator lets it adopt.';

CREATE TABLE slipway.leader_epoch (
  only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
  epoch    bigint NOT NULL DEFAULT 0 CHECK (epoch >= 0)
);
COMMENT ON TABLE slipway.leader_epoch IS 'The highest leader epoch that has written. A lower one belongs to a process that lost its lease and must not write.';
INSERT INTO slipway.leader_epoch DEFAULT VALUES;

CREATE FUNCTION slipway.fence(leader bigint) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
  highest bigint;
BEGIN
  UPDATE slipway.leader_epoch SET epoch = leader WHERE epoch < leader;
  -- The share lock holds a newer leader back until this transaction has ended, so nothing of ours commits after its first write.
  SELECT epoch INTO highest FROM slipway.leader_epoch FOR SHARE;
  IF highest > leader THEN
    RAISE EXCEPTION 'epoch % was overtaken by epoch %', leader, highest USING ERRCODE = 'SL001';
  END IF;
END $$;
COMMENT ON FUNCTION slipway.fence IS 'First statement of every write of the operator: refuses (SL001) an epoch lower than the highest seen, remembers a higher one.';
