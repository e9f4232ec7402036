/** The keys by which the model servers of a namespace check tokens of the cluster. */
import { TerminalError } from '../../api/errors.ts';
import type { Context } from '../../runtime/reconcile.ts';
import type { ControllerDeps } from '../ports.ts';
import { InferenceService } from './api.ts';
import type { Observed } from './observe.ts';
import type { Problem } from './versions.ts';

/**
 * Puts them where the pods look for them, when the service takes tokens. `kept`, or why it will not pass by itself: they
 * could not be renewed, and what runs goes on with those it has. Throws when there may be none yet.
 */
export async function ensureTokenKeys(
  { tokenKeys }: ControllerDeps,
  { kube, log }: Context,
  { owner, deployment }: Observed,
): Promise<'renewed' | 'kept' | Problem> {
  if (!owner.spec.auth?.tokens) return 'renewed';
  const { namespace } = owner.metadata;
  const takers = kube.list(InferenceService, { namespace }).filter(({ spec }) => spec.auth?.tokens);
  try {
    await tokenKeys.ensure(namespace, takers);
    return 'renewed';
  } catch (error) {
    if (!deployment) throw error;
    log.warn({ error }, 'the keys of the cluster could not be renewed');
    if (!(error instanceof TerminalError)) return 'kept';
    const { reason, message } = error;
    return {
      reason,
      message: `${message}. The pods go on with the keys they have: tokens signed with newer ones are refused`,
    };
  }
}
