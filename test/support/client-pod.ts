/** A pod from which a test sends single requests, as a client inside the cluster does: by a Service's name. */
import { apply, kubectl } from './kubectl.ts';

export interface Heard {
  readonly status: number;
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string>>;
  // biome-ignore lint/suspicious/noExplicitAny: answers have many shapes
  readonly body: any;
}

export interface ClientPod {
  /** Sends one request and returns the answer, its body parsed as JSON. Waits at most two minutes. */
  request(
    url: string,
    init?: { readonly method?: string; readonly headers?: Readonly<Record<string, string>>; readonly body?: string },
  ): Heard;
}

const ASK = `
const [url, init] = JSON.parse(process.argv[1]);
const response = await fetch(url, init);
const headers = Object.fromEntries(response.headers);
console.log(JSON.stringify({ status: response.status, headers, body: await response.json() }));
`;

const pod = (name: string) => ({
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
        name: 'client',
        image: 'slipway/serving:dev',
        command: ['node', '-e', 'setInterval(() => {}, 1e6)'],
        securityContext: {
          allowPrivilegeEscalation: false,
          readOnlyRootFilesystem: true,
          capabilities: { drop: ['ALL'] },
        },
      },
    ],
  },
});

/** Makes the pod and waits until it runs. It goes with its namespace. */
export function clientPod(namespace: string, name = 'client'): ClientPod {
  apply(namespace, JSON.stringify(pod(name)));
  kubectl(['wait', '--for=condition=Ready', `pod/${name}`, '-n', namespace, '--timeout=60s']);
  return {
    request: (url, init = {}) =>
      JSON.parse(
        kubectl([
          ...['exec', name, '-n', namespace, '--', 'node', '--input-type=module', '-e', ASK, '--'],
          JSON.stringify([url, init]),
        ]),
      ) as Heard,
  };
}
