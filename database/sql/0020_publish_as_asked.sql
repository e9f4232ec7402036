-- A training pod's credential publishes what its run was started for, and nothing beyond: no other model, stage or alias.

CREATE FUNCTION slipway.check_asked(asked jsonb, request jsonb) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  published_model text := coalesce(request#>>'{model,model}', request->>'adopt');
  register jsonb := coalesce(request->'register', '{}');
BEGIN
  -- A run of before specs were kept.
  IF jsonb_typeof(asked) IS DISTINCT FROM 'object' THEN RETURN; END IF;
  IF published_model IS DISTINCT FROM asked->>'model' AND published_model IS NOT NULL THEN
    PERFORM slipway.refuse(format('model must be what spec.model of the run says (%s)', coalesce(asked->>'model', 'nothing')));
  END IF;
  IF register ? 'stage' AND register->'stage' IS DISTINCT FROM asked#>'{register,stage}' THEN
    PERFORM slipway.refuse(format('register.stage must be what spec.register.stage of the run says (%s)', coalesce(asked#>>'{register,stage}', 'nothing')));
  END IF;
  IF NOT coalesce(register->'aliases', '[]') <@ coalesce(asked#>'{register,aliases}', '[]') THEN
    PERFORM slipway.refuse('register.aliases must be among spec.register.aliases of the run');
  END IF;
  IF register <> '{}' AND coalesce(asked#>'{register,gate}', '[]') <> '[]' AND request#>>'{gate,passed}' IS DISTINCT FROM 'true' THEN
    PERFORM slipway.refuse('register needs a gate that passed: spec.register.gate of the run asks for one');
  END IF;
END $$;
COMMENT ON FUNCTION slipway.check_asked IS 'Refuses (SL002) a request for another model, stage or alias than the spec of its run names, or for a stage or alias without the verdict of the gates it names.';

CREATE OR REPLACE FUNCTION slipway.check_registration(request jsonb) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF request ? 'isCandidate' THEN
    IF jsonb_typeof(request->'isCandidate') IS DISTINCT FROM 'boolean' THEN PERFORM slipway.refuse('isCandidate must be true or false'); END IF;
    IF (request->>'isCandidate')::boolean AND NOT request ? 'model' THEN PERFORM slipway.refuse('isCandidate needs a model'); END IF;
  END IF;
  IF request ? 'gate' THEN PERFORM slipway.check_gate(request->'gate'); END IF;
  IF request ? 'versionTags' THEN PERFORM slipway.check_version_tags(request->'versionTags'); END IF;
  IF request ? 'inputs' THEN PERFORM slipway.check_inputs(request->'inputs'); END IF;
  IF request ? 'register' THEN
    PERFORM slipway.check_register(request->'register');
    IF request#>>'{gate,passed}' = 'false' THEN
      PERFORM slipway.refuse('register must be absent when the gates failed: such a version gets neither stage nor alias');
    END IF;
  END IF;
  PERFORM slipway.check_asked(r.spec, request) FROM slipway.runs r
    WHERE r.run_key = request->>'runKey' AND slipway.may_publish(r.namespace);
END $$;

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA slipway FROM PUBLIC;
