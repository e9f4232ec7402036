/** The chart as tests and demo install it: bundled stores, locally built images. */
import { kubectl } from './kubectl.ts';
import { run } from './run.ts';

export const RELEASE_NAMESPACE = 'slipway-system';

/** `helm upgrade --install` and wait until everything is ready. Extra `--set key=value` pairs go in `settings`. */
export function installSlipway(settings: readonly string[] = []): void {
  const labels = { 'pod-security.kubernetes.io/enforce': 'restricted' };
  const namespace = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: RELEASE_NAMESPACE, labels } };
  kubectl(['apply', '-f', '-'], { input: JSON.stringify(namespace) });
  const sets = settings.flatMap((setting) => ['--set', setting]);
  run(
    'helm',
    [
      ...['upgrade', '--install', 'slipway', 'charts/slipway', '-n', RELEASE_NAMESPACE, '--create-namespace'],
      ...['-f', 'charts/slipway/ci/values-local.yaml', ...sets, '--wait', '--timeout', '5m'],
    ],
    { timeoutMs: 330_000 },
  );
}
