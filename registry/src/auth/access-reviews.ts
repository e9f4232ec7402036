/** TokenReview and SubjectAccessReview. Imported only when they are asked for: the Kubernetes client is large. */
import { AuthenticationV1Api, AuthorizationV1Api, KubeConfig } from '@kubernetes/client-node';
import type { AccessReviews } from './auth.ts';

interface Dispatching {
  createDispatcher(...args: readonly unknown[]): unknown;
}

/** One connection pool for all calls; by itself the client opens a new one for each (kubernetes-client/javascript#2893). */
function shareConnections(config: KubeConfig): void {
  const dispatching = config as unknown as Dispatching;
  const create = dispatching.createDispatcher.bind(config);
  let made: unknown;
  dispatching.createDispatcher = (...args) => {
    made ??= create(...args);
    return made;
  };
}

/** The cluster this process runs in, or the one KUBECONFIG names. Throws when there is none. */
export function clusterConfig(): KubeConfig {
  const config = new KubeConfig();
  config.loadFromDefault();
  return config;
}

/** Asks that cluster's API server, as whoever `config` says this process is. */
export function accessReviews(config: KubeConfig): AccessReviews {
  shareConnections(config);
  const authentication = config.makeApiClient(AuthenticationV1Api);
  const authorization = config.makeApiClient(AuthorizationV1Api);
  return {
    async authenticate(token) {
      const { status } = await authentication.createTokenReview({ body: { spec: { token } } });
      const user = status?.authenticated ? status.user : undefined;
      if (!user?.username) return undefined;
      return { username: user.username, uid: user.uid, groups: user.groups, extra: user.extra };
    },
    async mayRead({ username, uid, groups, extra }, namespace) {
      const resourceAttributes = { group: 'slipway.dev', resource: 'modelversions', verb: 'get', namespace };
      const who = {
        user: username,
        ...(uid !== undefined && { uid }),
        ...(groups && { groups: [...groups] }),
        ...(extra && { extra: Object.fromEntries(Object.entries(extra).map(([key, values]) => [key, [...values]])) }),
      };
      const review = await authorization.createSubjectAccessReview({ body: { spec: { ...who, resourceAttributes } } });
      return review.status?.allowed === true;
    },
  };
}
