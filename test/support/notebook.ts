/** A data scientist's notebook in the cluster: a pod with Python and mlflow, speaking as a ServiceAccount of the namespace. */

import { apply, kubectl } from './kubectl.ts';
import { mlflowTrainerImage } from './mlflow-trainer.ts';
import { run } from './run.ts';

export interface Notebook {
  /** Runs a Python script with MLFLOW_TRACKING_URI and MLFLOW_TRACKING_TOKEN set; returns what it printed. Throws when it fails. */
  python(script: string, environment?: Record<string, string>): string;
  /** The environment a script gets. */
  readonly environment: Readonly<Record<string, string>>;
}

const account = (namespace: string, name: string, role: string) => [
  { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name, namespace } },
  {
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'RoleBinding',
    metadata: { name, namespace },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: role },
    subjects: [{ kind: 'ServiceAccount', name, namespace }],
  },
];

const pod = (namespace: string, name: string, image: string) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, namespace },
  spec: {
    restartPolicy: 'Never',
    terminationGracePeriodSeconds: 0,
    automountServiceAccountToken: false,
    securityContext: { runAsNonRoot: true, runAsUser: 65532, seccompProfile: { type: 'RuntimeDefault' } },
    containers: [
      {
        name: 'notebook',
        image,
        imagePullPolicy: 'IfNotPresent',
        command: ['python3', '-c', 'import signal; signal.pause()'],
        workingDir: '/tmp',
        env: [{ name: 'HOME', value: '/tmp' }],
        securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } },
      },
    ],
  },
});

/** Starts it in the namespace; `role` is one of the ClusterRoles the chart makes. */
export async function openNotebook(
  namespace: string,
  role: 'slipway-edit' | 'slipway-view' = 'slipway-edit',
): Promise<Notebook> {
  const name = role.replace('slipway', 'notebook');
  const image = await mlflowTrainerImage();
  const items = [...account(namespace, name, role), pod(namespace, name, image)];
  apply(namespace, JSON.stringify({ apiVersion: 'v1', kind: 'List', items }));
  kubectl(['wait', '-n', namespace, `pod/${name}`, '--for=condition=Ready', '--timeout=120s'], { timeoutMs: 130_000 });
  const environment = {
    MLFLOW_TRACKING_URI: `http://slipway-registry.slipway-system:5000/n/${namespace}`,
    MLFLOW_TRACKING_TOKEN: kubectl(['create', 'token', name, '-n', namespace]).trim(),
  };
  return {
    environment,
    python(script, more = {}) {
      // By standard input, so that no error message shows the token.
      const lines = ['import os', `os.environ.update(${JSON.stringify({ ...environment, ...more })})`, script];
      const args = ['exec', '-i', '-n', namespace, name, '--', 'python3', '-'];
      return run('kubectl', args, { input: lines.join('\n'), timeoutMs: 300_000 });
    },
  };
}
