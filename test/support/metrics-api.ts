/** The metrics API that autoscalers ask. */
import { CommandError, run } from './run.ts';

/**
 * Makes the metrics API answer in the cluster in use, which takes minutes once on a machine and seconds after that.
 * Returns why it cannot be had, for a test to say when it is skipped; undefined when it is there.
 */
export function metricsApi(): string | undefined {
  try {
    run('kubectl', ['get', '--raw', '/apis/metrics.k8s.io/v1beta1/nodes']);
    return undefined;
  } catch {
    // Not there yet.
  }
  try {
    run('node', ['test/cluster/cli.ts', 'metrics'], { timeoutMs: 900_000 });
    return undefined;
  } catch (error) {
    return `the cluster has no metrics API: ${error instanceof CommandError ? error.message : error}`;
  }
}
