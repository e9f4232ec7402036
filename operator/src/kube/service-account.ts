/** The API server as a pod's own service account sees it, with what Kubernetes mounts and nothing else. */
import { readFileSync } from 'node:fs';
import { type RequestOptions, request } from 'node:https';

export interface ApiAnswer {
  readonly status: number;
  readonly body: unknown;
}

/** One call; `body` goes out as JSON under `contentType`. Rejects only when no answer came. */
export type ApiCall = (method: string, path: string, body?: unknown, contentType?: string) => Promise<ApiAnswer>;

const mounted = '/var/run/secrets/kubernetes.io/serviceaccount';
const timeoutMs = 15_000;

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return { message: text.slice(0, 500) };
  }
}

function send(options: RequestOptions, payload: string | undefined): Promise<ApiAnswer> {
  return new Promise((resolve, reject) => {
    const call = request(options, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, body: parsed(Buffer.concat(chunks).toString()) }),
      );
    });
    call.on('timeout', () => call.destroy(new Error(`the API server did not answer within ${timeoutMs / 1000} s`)));
    call.on('error', reject);
    call.end(payload);
  });
}

/** Calls as this pod's service account. Throws when the pod has no token mounted. */
export function serviceAccountCalls(env: Readonly<Record<string, string | undefined>>): ApiCall {
  const ca = readFileSync(`${mounted}/ca.crt`);
  return (method, path, body, contentType = 'application/json') => {
    const payload = body === undefined ? undefined : JSON.stringify(body);
    const headers = {
      // Read at every call: the kubelet renews it.
      authorization: `Bearer ${readFileSync(`${mounted}/token`, 'utf8').trim()}`,
      accept: 'application/json',
      ...(payload === undefined
        ? {}
        : { 'content-type': contentType, 'content-length': `${Buffer.byteLength(payload)}` }),
    };
    const { KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: port } = env;
    return send({ host, port, method, path, headers, ca, timeout: timeoutMs }, payload);
  };
}
