import { eventually } from './eventually.ts';
import { withPortForward } from './port-forward.ts';

export interface Prediction {
  readonly status: number;
  readonly body: string;
  /** The version that answered, from its header. */
  readonly version: string | null;
}

/** One `POST /predict` to a service, through a port-forward, as a user does it from a laptop. */
export function predict(namespace: string, service: string, body: unknown): Promise<Prediction> {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  return eventually(
    () =>
      withPortForward(namespace, `svc/${service}`, 80, async (url) => {
        const response = await fetch(`${url}/predict`, {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: text,
        });
        return {
          status: response.status,
          body: await response.text(),
          version: response.headers.get('x-model-version'),
        };
      }),
    30_000,
  );
}
