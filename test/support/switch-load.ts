/** A load from inside the cluster that looks at every answer while a service is switched; see `test/load/switching.ts`. */
import { readFileSync } from 'node:fs';
import type { SwitchPlan, SwitchResult } from '../load/switching.ts';
import { eventually } from './eventually.ts';
import { apply, kubectl } from './kubectl.ts';

export interface Progress {
  readonly requests: number;
  readonly failures: number;
  readonly versions: Readonly<Record<string, number>>;
}

export interface SwitchLoad {
  /** How far it is. */
  progress(): Progress;
  /** Waits until that many more requests have been sent. */
  warm(requests: number, timeoutMs?: number): Promise<void>;
  /** Tells the load of the time of a switch, for its figures. */
  switched(from: number, to: number): void;
  /** Ends the load and returns its result; the pod is removed. */
  finish(): Promise<SwitchResult>;
}

const STOP_FILE = '/tmp/stop';

const pod = (name: string, plan: SwitchPlan) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name },
  spec: {
    restartPolicy: 'Never',
    automountServiceAccountToken: false,
    terminationGracePeriodSeconds: 0,
    securityContext: { runAsNonRoot: true, runAsUser: 65532, seccompProfile: { type: 'RuntimeDefault' } },
    containers: [
      {
        name: 'load',
        image: 'slipway/serving:dev',
        command: ['node', '/load/main.ts', JSON.stringify(plan)],
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

/** What a load of x = 1 on versions made by `line-models.ts` is to hear, by version. */
export const answersOf = (...versions: readonly number[]): Record<string, string> =>
  Object.fromEntries(versions.map((version) => [version, `{"prediction":[${version}]}`]));

/** Starts a pod that posts x = 1 to a service of the model `line`; returns once the first answers are there. */
export async function switchLoad(
  namespace: string,
  service: string,
  plan: Pick<SwitchPlan, 'answers'> & Partial<SwitchPlan>,
): Promise<SwitchLoad> {
  const name = `switch-load-${service}-${Math.round(performance.now())}`;
  const whole: SwitchPlan = {
    url: `http://${service}.${namespace}.svc/predict`,
    body: JSON.stringify({ samples: [{ x: 1 }] }),
    clients: { kept: 6, fresh: 2, slow: 3 },
    pauseMs: 4,
    stopFile: STOP_FILE,
    maxRequests: 1_000_000,
    maxSeconds: 600,
    ...plan,
  };
  const data = { 'main.ts': readFileSync('test/load/switching.ts', 'utf8') };
  apply(namespace, JSON.stringify({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name }, data }));
  apply(namespace, JSON.stringify(pod(name, whole)));
  const windows: [number, number][] = [];
  const lastLine = () => kubectl(['logs', name, '-n', namespace, '--tail=1']).trim();
  const progress = () => {
    const line = lastLine();
    if (!line.startsWith('{')) throw new Error(`${name} has not begun: ${line}`);
    return JSON.parse(line) as Progress;
  };
  await eventually(() => {
    if (Object.keys(progress().versions).length === 0) throw new Error(`${name} has no answer yet: ${lastLine()}`);
  }, 60_000);
  return {
    progress,
    warm: async (requests, timeoutMs = 60_000) => {
      const begun = progress().requests;
      await eventually(() => {
        const now = progress().requests;
        if (now < begun + requests) throw new Error(`${now - begun} of ${requests} requests sent`);
      }, timeoutMs);
    },
    switched: (from, to) => windows.push([from, to]),
    finish: async () => {
      const write = `require('fs').writeFileSync('${STOP_FILE}', '${JSON.stringify(windows)}')`;
      kubectl(['exec', name, '-n', namespace, '--', 'node', '-e', write]);
      const { result } = await eventually(() => {
        const line = lastLine();
        if (!line.startsWith('{"result"')) throw new Error(`${name} is still at it: ${line}`);
        return JSON.parse(line) as { result: SwitchResult };
      }, 60_000);
      kubectl(['delete', `pod/${name}`, `configmap/${name}`, '-n', namespace, '--wait=false']);
      return result;
    },
  };
}
