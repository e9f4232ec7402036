/** Load from inside the cluster, by a pod that posts to a Service by name, as a client of the model would. */
import { readFileSync } from 'node:fs';
import type { LoadResult } from '../load/client.ts';
import { eventually } from './eventually.ts';
import { apply, kubectl } from './kubectl.ts';

export interface Load {
  /** Waits until that many more requests have been answered. */
  warm(requests: number): Promise<void>;
  /** Stops the load and returns both kinds of client added up; the pod is removed. */
  finish(): Promise<Pick<LoadResult, 'requests' | 'failures' | 'reasons' | 'versions'>>;
}

const STOP_FILE = '/tmp/stop';

const pod = (name: string, url: string, body: string) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name },
  spec: {
    restartPolicy: 'Never',
    automountServiceAccountToken: false,
    securityContext: { runAsNonRoot: true, runAsUser: 65532, seccompProfile: { type: 'RuntimeDefault' } },
    containers: [
      {
        name: 'load',
        image: 'slipway/serving:dev',
        command: ['node', '/load/main.ts', url, body, STOP_FILE],
        securityContext: {
          allowPrivilegeEscalation: false,
          readOnlyRootFilesystem: true,
          capabilities: { drop: ['ALL'] },
        },
        volumeMounts: [
          { name: 'load', mountPath: '/load' },
          { name: 'tmp', mountPath: '/tmp' },
        ],
      },
    ],
    volumes: [
      { name: 'load', configMap: { name } },
      { name: 'tmp', emptyDir: {} },
    ],
  },
});

const addUp = (a: Readonly<Record<string, number>>, b: Readonly<Record<string, number>>) =>
  Object.fromEntries(
    [...new Set([...Object.keys(a), ...Object.keys(b)])].map((key) => [key, (a[key] ?? 0) + (b[key] ?? 0)]),
  );

/** Starts a pod that posts `body` to the service's /predict without pause. */
export async function loadFromInside(namespace: string, service: string, body: unknown): Promise<Load> {
  const name = `load-${service}-${Math.round(performance.now())}`;
  const files = {
    'client.ts': readFileSync('test/load/client.ts', 'utf8'),
    'main.ts': readFileSync('test/load/main.ts', 'utf8'),
  };
  apply(namespace, JSON.stringify({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name }, data: files }));
  apply(namespace, JSON.stringify(pod(name, `http://${service}.${namespace}.svc/predict`, JSON.stringify(body))));

  const lines = () => kubectl(['logs', name, '-n', namespace]).trim().split('\n');
  const answers = () => {
    const last = lines().findLast((line) => line.startsWith('{"answers"'));
    if (!last) throw new Error(`${name} has not begun`);
    return (JSON.parse(last) as { answers: number }).answers;
  };
  const begun = await eventually(answers, 60_000);
  return {
    warm: async (requests) => {
      await eventually(() => {
        const now = answers();
        if (now < begun + requests) throw new Error(`${now - begun} of ${requests} requests answered`);
      }, 60_000);
    },
    finish: async () => {
      kubectl(['exec', name, '-n', namespace, '--', 'node', '-e', `require('fs').writeFileSync('${STOP_FILE}', '')`]);
      const last = await eventually(() => {
        const line = lines().at(-1) ?? '';
        if (!line.startsWith('{"kept"')) throw new Error(`${name} is still at it: ${line}`);
        return JSON.parse(line) as { kept: LoadResult; fresh: LoadResult };
      }, 60_000);
      kubectl(['delete', `pod/${name}`, `configmap/${name}`, '-n', namespace, '--wait=false']);
      const { kept, fresh } = last;
      return {
        requests: kept.requests + fresh.requests,
        failures: kept.failures + fresh.failures,
        reasons: addUp(kept.reasons, fresh.reasons),
        versions: addUp(kept.versions, fresh.versions),
      };
    },
  };
}
