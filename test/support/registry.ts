/** The registry's API, asked as somebody who may view the namespace. */
import { RELEASE_NAMESPACE } from './install.ts';
import { apply, kubectl } from './kubectl.ts';
import { withPortForward } from './port-forward.ts';

const reader = 'e2e-reader';

/** A token of a service account that holds `slipway-view` across the cluster. */
function viewerToken(): string {
  apply(
    RELEASE_NAMESPACE,
    JSON.stringify({
      apiVersion: 'v1',
      kind: 'List',
      items: [
        { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: reader, namespace: RELEASE_NAMESPACE } },
        {
          apiVersion: 'rbac.authorization.k8s.io/v1',
          kind: 'ClusterRoleBinding',
          metadata: { name: reader },
          roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'slipway-view' },
          subjects: [{ kind: 'ServiceAccount', name: reader, namespace: RELEASE_NAMESPACE }],
        },
      ],
    }),
  );
  return kubectl(['create', 'token', reader, '-n', RELEASE_NAMESPACE]).trim();
}

/** GETs a path of the registry; `token` undefined asks as nobody. */
export function registryGet(
  path: string,
  token: string | undefined = viewerToken(),
): Promise<{ status: number; body: string }> {
  return withPortForward(RELEASE_NAMESPACE, 'svc/slipway-registry', 5000, async (url) => {
    const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
    const response = await fetch(`${url}${path}`, { headers });
    return { status: response.status, body: await response.text() };
  });
}
