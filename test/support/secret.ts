import { kubectlJson } from './kubectl.ts';

/** The decoded entries of a Secret. */
export function secret(namespace: string, name: string): Record<string, string> {
  const { data = {} } = kubectlJson<{ data?: Record<string, string> }>('get', 'secret', name, '-n', namespace);
  return Object.fromEntries(Object.entries(data).map(([key, value]) => [key, Buffer.from(value, 'base64').toString()]));
}
