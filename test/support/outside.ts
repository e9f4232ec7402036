/** A data scientist's machine outside the cluster: a process here, with its own Python, that reaches the registry by a port-forward. */
import { spawnSync } from 'node:child_process';
import { RELEASE_NAMESPACE } from './install.ts';
import { apply, kubectl } from './kubectl.ts';
import { type PortForward, portForward } from './port-forward.ts';

export interface OutsideClient {
  /** Runs Python's arguments with MLFLOW_TRACKING_URI and MLFLOW_TRACKING_TOKEN set; returns what it printed. Throws when it fails. */
  python(interpreter: string, args: readonly string[], environment?: Record<string, string>): string;
  stop(): Promise<void>;
}

/** Speaks as a ServiceAccount of the namespace that may edit there. */
export async function openOutside(namespace: string): Promise<OutsideClient> {
  const name = 'outside';
  const items = [
    { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name, namespace } },
    {
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'RoleBinding',
      metadata: { name, namespace },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'slipway-edit' },
      subjects: [{ kind: 'ServiceAccount', name, namespace }],
    },
  ];
  apply(namespace, JSON.stringify({ apiVersion: 'v1', kind: 'List', items }));
  const forward: PortForward = await portForward(RELEASE_NAMESPACE, 'svc/slipway-registry', 5000);
  const environment = {
    MLFLOW_TRACKING_URI: `${forward.url}/n/${namespace}`,
    MLFLOW_TRACKING_TOKEN: kubectl(['create', 'token', name, '-n', namespace]).trim(),
    MLFLOW_DISABLE_TELEMETRY: 'true',
    GIT_PYTHON_REFRESH: 'quiet',
  };
  return {
    python(interpreter, args, more = {}) {
      // Not in the arguments, so that no error message shows the token.
      const env = { ...process.env, ...environment, ...more };
      const { status, stdout, stderr } = spawnSync(interpreter, args, { env, encoding: 'utf8', timeout: 180_000 });
      if (status !== 0) throw new Error(`python ${args[0]} ended with ${status}: ${stderr.slice(-3000)}`);
      return stdout;
    },
    stop: forward.stop,
  };
}
