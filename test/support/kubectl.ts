/** kubectl, as a user types it. */
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

/** A namespace of its own for one test, with Pod Security `restricted` enforced; any earlier one of the name is removed first. */
export function freshNamespace(name: string): string {
  kubectl(['delete', 'namespace', name, '--ignore-not-found', '--wait=true', '--timeout=120s'], { timeoutMs: 130_000 });
  kubectl(['create', 'namespace', name]);
  kubectl(['label', 'namespace', name, 'pod-security.kubernetes.io/enforce=restricted', '--overwrite']);
  return name;
}

/** Removes a test's namespace without waiting for it to be gone. */
export const dropNamespace = (name: string): string =>
  kubectl(['delete', 'namespace', name, '--ignore-not-found', '--wait=false']);
