/** Tokens of training runs: good for their run's namespace as long as the run goes on. Everything else goes to the next gate. */
import { looksLikeRunToken, runTokenSubject } from '@slipway/contract';
import { ApiError } from '../errors.ts';
import { tokenOf } from './credentials.ts';
import type { Gate } from './gate.ts';

const CACHE_MS = 5_000;
const CACHE_SIZE = 10_000;

export interface RunTokenOptions {
  readonly key: string;
  /** True while the run's row says that it goes on. */
  readonly isOpen: (namespace: string, runId: string) => Promise<boolean>;
  readonly now: () => number;
}

const refused401 = (why: string): ApiError => new ApiError('UNAUTHENTICATED', why);

/** That a run goes on is believed for 5 s; that it has ended is asked again each time. */
export function runTokenGate({ key, isOpen, now }: RunTokenOptions, next: Gate): Gate {
  const openUntil = new Map<string, number>();

  async function goesOn(namespace: string, runId: string): Promise<boolean> {
    const known = `${namespace}/${runId}`;
    if ((openUntil.get(known) ?? 0) > now()) return true;
    openUntil.delete(known);
    if (!(await isOpen(namespace, runId))) return false;
    const oldest = openUntil.keys().next().value;
    if (openUntil.size >= CACHE_SIZE && oldest !== undefined) openUntil.delete(oldest);
    openUntil.set(known, now() + CACHE_MS);
    return true;
  }

  return async (credentials, namespace, access) => {
    const token = credentials && tokenOf(credentials);
    if (token === undefined || !looksLikeRunToken(token)) return next(credentials, namespace, access);
    const subject = runTokenSubject(key, token);
    if (!subject) throw refused401('This token of a run was not made by this installation.');
    if (subject.namespace !== namespace)
      throw new ApiError(
        'PERMISSION_DENIED',
        `This token belongs to a run in namespace ${subject.namespace} and reaches no other.`,
      );
    if (!(await goesOn(namespace, subject.runId)))
      throw refused401(`Run ${subject.runId} has ended, and its token with it.`);
    return { name: `run/${subject.runId}`, runId: subject.runId };
  };
}
