-- Names as long as other servers of the protocol allow, and aliases in every script. The registry checks letters one by
-- one; here what is not ASCII counts as a letter from the first one on.
ALTER TABLE slipway.registered_models DROP CONSTRAINT registered_models_name_check,
  ADD CONSTRAINT registered_models_name_check CHECK (length(name) BETWEEN 1 AND 256 AND name !~ '[/:[:cntrl:]]');
ALTER TABLE slipway.model_aliases DROP CONSTRAINT model_aliases_alias_check,
  ADD CONSTRAINT model_aliases_alias_check
    CHECK (length(alias) BETWEEN 1 AND 255 AND alias !~ '[^A-Za-z0-9_\u00aa-\U0010ffff-]');
