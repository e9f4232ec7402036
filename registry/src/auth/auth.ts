/** Who may read a namespace: whoever may read its ModelVersions in Kubernetes. */
import { createHash } from 'node:crypto';
import { ApiError } from '../errors.ts';

/** Resolves when the holder of `token` may read the namespace; throws ApiError, with the next step, when not. */
export type Authorize = (token: string | undefined, namespace: string) => Promise<void>;

/** Development: everybody may. */
export const openToAll: Authorize = async () => {};

export interface Caller {
  readonly username: string;
  readonly uid?: string | undefined;
  readonly groups?: readonly string[] | undefined;
  readonly extra?: Readonly<Record<string, readonly string[]>> | undefined;
}

/** The two questions put to the API server. Both throw when it does not answer. */
export interface AccessReviews {
  /** Whose token this is; undefined when it is nobody's. */
  authenticate(token: string): Promise<Caller | undefined>;
  mayRead(caller: Caller, namespace: string): Promise<boolean>;
}

const CACHE_MS = 30_000;
const CACHE_SIZE = 1_000;

const token401 = (): ApiError =>
  new ApiError(
    'UNAUTHENTICATED',
    'A Kubernetes token is needed that this cluster knows: send "Authorization: Bearer <token>" ' +
      '(kubectl create token <serviceaccount> -n <namespace> makes one)',
  );

/** As one word of a shell, whatever an identity provider puts into a name. */
const shellWord = (text: string): string => (/^[\w.:@/-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`);

const denied403 = ({ username }: Caller, namespace: string, viewRole: string): ApiError => {
  const who = username.toLowerCase().replaceAll(/[^a-z0-9]+/g, '-');
  const name = `${viewRole}-${who}`.slice(0, 200).replace(/-+$/, '');
  return new ApiError(
    'PERMISSION_DENIED',
    `${username} may not get modelversions.slipway.dev in namespace ${namespace}. Its administrator allows it with: ` +
      `kubectl create rolebinding ${name} -n ${namespace} --clusterrole=${viewRole} --user=${shellWord(username)}`,
  );
};

export interface AuthOptions {
  readonly now: () => number;
  /** The ClusterRole that allows reading, named in a refusal. */
  readonly viewRole: string;
}

async function review(reviews: AccessReviews, token: string, namespace: string, viewRole: string): Promise<void> {
  const caller = await reviews.authenticate(token);
  if (!caller) throw token401();
  if (!(await reviews.mayRead(caller, namespace))) throw denied403(caller, namespace, viewRole);
}

/** Asks the API server; a yes holds for 30 s, a no is asked again each time. Tokens are remembered as digests only. */
export function kubernetesAuth(reviews: AccessReviews, { now, viewRole }: AuthOptions): Authorize {
  const allowedUntil = new Map<string, number>();
  return async (token, namespace) => {
    if (!token) throw token401();
    const key = createHash('sha256').update(`${namespace}\n${token}`).digest('base64');
    if ((allowedUntil.get(key) ?? 0) > now()) return;
    allowedUntil.delete(key);
    await review(reviews, token, namespace, viewRole).catch((error) => {
      if (error instanceof ApiError) throw error;
      const message = 'The Kubernetes API server did not answer who you are. Try again in a moment.';
      throw new ApiError('TEMPORARILY_UNAVAILABLE', message, { cause: error });
    });
    const oldest = allowedUntil.keys().next().value;
    if (allowedUntil.size >= CACHE_SIZE && oldest !== undefined) allowedUntil.delete(oldest);
    allowedUntil.set(key, now() + CACHE_MS);
  };
}
