import type { ClusterKind } from './choice.ts';

/** What a shell needs to know of the cluster in use; absent means: what the shell has is right. */
export interface ShellEnvironment {
  readonly kind: ClusterKind;
  readonly kubeconfig?: string;
  /** Folders that go in front of PATH. */
  readonly path: readonly string[];
  readonly dockerHost?: string;
}

/** A word that a POSIX shell reads back as it is. */
export function quote(word: string): string {
  return /^[A-Za-z0-9_./:@%+=,-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

function prepended(path: readonly string[], current: string): string {
  const old = current.split(':').filter((folder) => folder !== '' && !path.includes(folder));
  return [...path, ...old].join(':');
}

/** Lines for `eval "$(…)"`. Evaluating them twice changes nothing more. */
export function exportLines(environment: ShellEnvironment, currentPath: string): string {
  const lines = [`export SLIPWAY_CLUSTER=${environment.kind}`];
  if (environment.kubeconfig !== undefined) lines.push(`export KUBECONFIG=${quote(environment.kubeconfig)}`);
  if (environment.path.length > 0) lines.push(`export PATH=${quote(prepended(environment.path, currentPath))}`);
  if (environment.dockerHost !== undefined) {
    lines.push(`export DOCKER_HOST=${quote(environment.dockerHost)}`);
    // The engine has no registry to pull the reaper's image from, and tests stop their own containers.
    lines.push('export TESTCONTAINERS_RYUK_DISABLED=true');
    // Ports are published on the machine itself, also where that machine looks like a container.
    lines.push('export TESTCONTAINERS_HOST_OVERRIDE=127.0.0.1');
    // The engine is Debian's, without the BuildKit plug-in.
    lines.push('export DOCKER_BUILDKIT=0');
  }
  return `${lines.join('\n')}\n`;
}
