/** The keys by which the model servers of a namespace check tokens of the cluster. */
import { TerminalError } from '../../api/errors.ts';
import type { Context } from '../../runtime/reconcile.ts';
import type { ControllerDeps } from '../ports.ts';
import { InferenceService } from './api.ts';
import type { Observed } from './observe.ts';

/**
 * Puts them where the pods look for them, when the service takes tokens. False: they could not be renewed, and what runs
 * goes on with those it has. Throws when there may be none yet.
 */
export async function ensureTokenKeys(
  { tokenKeys }: ControllerDeps,
  { kube, log }: Context,
  { owner, deployment }: Observed,
): Promise<boolean> {
  if (!owner.spec.auth?.tokens) return true;
  const { namespace } = owner.metadata;
  const takers = kube.list(InferenceService, { namespace }).filter(({ spec }) => spec.auth?.tokens);
  try {
    await tokenKeys.ensure(namespace, takers);
    return true;
  } catch (error) {
    if (error instanceof TerminalError || !deployment) throw error;
    log.warn({ error }, 'the keys of the cluster could not be renewed');
    return false;
  }
}
