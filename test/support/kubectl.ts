/** kubectl, as a user types it. */
import { randomBytes } from 'node:crypto';
import { type RunOptions, run } from './run.ts';

/** Runs kubectl with these arguments against the cluster in use and returns what it prints. */
export const kubectl = (args: readonly string[], options?: RunOptions): string => run('kubectl', args, options);

/** The parsed JSON of `kubectl … -o json`. */
export const kubectlJson = <T = Record<string, never>>(...args: string[]): T =>
  JSON.parse(kubectl([...args, '-o', 'json'])) as T;

/** Applies one YAML text in a namespace. */
export const apply = (namespace: string, yaml: string): string =>
  kubectl(['apply', '-n', namespace, '-f', '-'], { input: yaml });

/** Merge-patches an object, as `kubectl patch --type=merge` does. */
export const patch = (namespace: string, object: string, body: object): string =>
  kubectl(['patch', '-n', namespace, object, '--type=merge', '-p', JSON.stringify(body)]);

/**
 * A name for a namespace that nobody had before: data outlives a namespace, and one made again under an old name is
 * refused the data of the earlier one.
 */
export const uniqueNamespace = (prefix: string): string => `${prefix}-${randomBytes(3).toString('hex')}`;

/** Makes the namespace, with Pod Security `restricted` enforced. */
export function makeNamespace(name: string): void {
  const labels = { 'pod-security.kubernetes.io/enforce': 'restricted' };
  kubectl(['apply', '-f', '-'], {
    input: JSON.stringify({ apiVersion: 'v1', kind: 'Namespace', metadata: { name, labels } }),
  });
}

/** Removes a test's namespace without waiting for it to be gone. */
export const dropNamespace = (name: string): string =>
  kubectl(['delete', 'namespace', name, '--ignore-not-found', '--wait=false']);
