-- Runs that happen for more reasons than a changed spec: ticks of a schedule, tokens, requests, trials of a search.

ALTER TABLE slipway.runs
  ADD COLUMN scheduled_time timestamptz,
  -- What was asked for when the run was started: its Job is made from this, also when it has to be made again later.
  ADD COLUMN spec jsonb,
  -- The parameters it was started with: those of the spec, with what a token, a request or a search put over them.
  ADD COLUMN asked jsonb NOT NULL DEFAULT '{}',
  -- The search whose trial this is.
  ADD COLUMN parent_run_key text,
  -- What a trial published: registered only if it is the best of its search.
  ADD COLUMN candidate jsonb,
  ADD COLUMN gate jsonb,
  ADD COLUMN is_tracked boolean NOT NULL DEFAULT true;
COMMENT ON COLUMN slipway.runs.is_tracked IS 'False: tracking clients do not see the run; the row is only what keeps it from happening twice.';

-- Runs are found by their key, and listed by their start.
DROP INDEX slipway.runs_by_owner;
CREATE INDEX runs_of_owner ON slipway.runs (namespace, owner_uid, start_time DESC, run_id)
  WHERE owner_uid IS NOT NULL AND parent_run_key IS NULL;
CREATE INDEX runs_of_search ON slipway.runs (namespace, parent_run_key) WHERE parent_run_key IS NOT NULL;

CREATE TABLE slipway.run_requests (
  namespace    text NOT NULL REFERENCES slipway.tenants,
  request_id   text NOT NULL CHECK (request_id ~ '^[0-9a-f-]{36}$'),
  training_job text NOT NULL CHECK (length(training_job) BETWEEN 1 AND 253),
  requested_by text NOT NULL CHECK (length(requested_by) <= 512),
  parameters   jsonb NOT NULL DEFAULT '{}',
  requested_at timestamptz NOT NULL DEFAULT now(),
  -- Set with the run's row, in one transaction.
  run_id       text,
  -- Why no run will come of it.
  refused      text,
  PRIMARY KEY (namespace, request_id)
);
CREATE INDEX run_requests_pending ON slipway.run_requests (namespace, training_job, requested_at)
  WHERE run_id IS NULL AND refused IS NULL;
COMMENT ON TABLE slipway.run_requests IS 'Runs that clients of a service asked for (POST /train): a row each, so that no request overwrites another.';
ALTER TABLE slipway.run_requests ENABLE ROW LEVEL SECURITY;
