/** TokenReview and SubjectAccessReview. */
import { AuthenticationV1Api, AuthorizationV1Api, type KubeConfig } from '@kubernetes/client-node';
import type { AccessReviews, User } from './kubernetes.ts';

/** A user in the words of a SubjectAccessReview. */
const subject = ({ username, uid, groups, extra }: User) => ({
  user: username,
  ...(uid !== undefined && { uid }),
  ...(groups && { groups: [...groups] }),
  ...(extra && { extra: Object.fromEntries(Object.entries(extra).map(([key, values]) => [key, [...values]])) }),
});

/** Asks that cluster's API server, as whoever `config` says this process is. */
export function accessReviews(config: KubeConfig): AccessReviews {
  const authentication = config.makeApiClient(AuthenticationV1Api);
  const authorization = config.makeApiClient(AuthorizationV1Api);
  return {
    async authenticate(token) {
      const { status } = await authentication.createTokenReview({ body: { spec: { token } } });
      const user = status?.authenticated ? status.user : undefined;
      if (!user?.username) return undefined;
      return { username: user.username, uid: user.uid, groups: user.groups, extra: user.extra };
    },
    async may(user, verb, namespace) {
      const resourceAttributes = { group: 'slipway.dev', resource: 'modelversions', verb, namespace };
      const { status } = await authorization.createSubjectAccessReview({
        body: { spec: { ...subject(user), resourceAttributes } },
      });
      return status?.allowed === true;
    },
  };
}
