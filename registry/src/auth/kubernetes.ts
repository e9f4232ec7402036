/** Who may read a namespace's ModelVersions in Kubernetes reads the namespace here; who may update them writes. */
import { createHash } from 'node:crypto';
import { ApiError } from '../errors.ts';
import type { Access, Caller } from '../http/exchange.ts';
import { tokenOf } from './credentials.ts';
import type { Gate } from './gate.ts';

/** A user, as the API server knows them. */
export interface User {
  readonly username: string;
  readonly uid?: string | undefined;
  readonly groups?: readonly string[] | undefined;
  readonly extra?: Readonly<Record<string, readonly string[]>> | undefined;
}

/** The right to a namespace's modelversions.slipway.dev that an access stands for. */
export type Verb = 'get' | 'update';

/** The two questions put to the API server. Both throw when it does not answer. */
export interface AccessReviews {
  /** Whose token this is; undefined when it is nobody's. */
  authenticate(token: string): Promise<User | undefined>;
  may(user: User, verb: Verb, namespace: string): Promise<boolean>;
}

export interface KubernetesGateOptions {
  readonly now: () => number;
  /** The ClusterRoles that allow reading and writing, named in a refusal. */
  readonly viewRole: string;
  readonly editRole: string;
}

const CACHE_MS = 30_000;
const CACHE_SIZE = 1_000;

const verbFor = (access: Access): Verb => (access === 'read' ? 'get' : 'update');

const token401 = (): ApiError =>
  new ApiError(
    'UNAUTHENTICATED',
    'A Kubernetes token is needed that this cluster knows: set MLFLOW_TRACKING_TOKEN, or send "Authorization: Bearer ' +
      '<token>" (kubectl create token <serviceaccount> -n <namespace> makes one)',
  );

/** As one word of a shell, whatever an identity provider puts into a name. */
const shellWord = (text: string): string => (/^[\w.:@/-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`);

function denied403({ username }: User, verb: Verb, namespace: string, role: string): ApiError {
  const who = username.toLowerCase().replaceAll(/[^a-z0-9]+/g, '-');
  const name = `${role}-${who}`.slice(0, 200).replace(/-+$/, '');
  return new ApiError(
    'PERMISSION_DENIED',
    `${username} may not ${verb} modelversions.slipway.dev in namespace ${namespace}. Its administrator allows it with: ` +
      `kubectl create rolebinding ${name} -n ${namespace} --clusterrole=${role} --user=${shellWord(username)}`,
  );
}

const unanswered = (error: unknown): ApiError => {
  if (error instanceof ApiError) return error;
  const message = 'The Kubernetes API server did not answer who you are. Try again in a moment.';
  return new ApiError('TEMPORARILY_UNAVAILABLE', message, { cause: error });
};

/**
 * Asks the API server; a yes holds for 30 s, a no is asked again each time. Tokens are remembered as digests only. A
 * token may come as a password too, whatever the user name beside it.
 */
export function kubernetesGate(reviews: AccessReviews, { now, viewRole, editRole }: KubernetesGateOptions): Gate {
  const allowed = new Map<string, { readonly caller: Caller; readonly until: number }>();

  async function review(token: string, namespace: string, access: Access): Promise<Caller> {
    const user = await reviews.authenticate(token);
    if (!user) throw token401();
    const verb = verbFor(access);
    if (await reviews.may(user, verb, namespace)) return { name: user.username };
    throw denied403(user, verb, namespace, access === 'read' ? viewRole : editRole);
  }

  return async (credentials, namespace, access) => {
    const token = credentials && tokenOf(credentials);
    if (!token) throw token401();
    const key = createHash('sha256').update(`${access}\n${namespace}\n${token}`).digest('base64');
    const known = allowed.get(key);
    if (known && known.until > now()) return known.caller;
    allowed.delete(key);
    const caller = await review(token, namespace, access).catch((error) => {
      throw unanswered(error);
    });
    const oldest = allowed.keys().next().value;
    if (allowed.size >= CACHE_SIZE && oldest !== undefined) allowed.delete(oldest);
    allowed.set(key, { caller, until: now() + CACHE_MS });
    return caller;
  };
}
