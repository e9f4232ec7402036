/** The chart as tests and demo install it: bundled stores, locally built images. */
import { kubectl } from './kubectl.ts';
import { run } from './run.ts';

export const RELEASE_NAMESPACE = 'slipway-system';

/** The tag `dev` stays the same over builds; the image's id on the pods makes an upgrade roll them. */
const imageId = (process: 'operator' | 'registry') =>
  `${process}.podAnnotations.slipway\\.dev/image=${run('docker', ['image', 'inspect', '-f', '{{.Id}}', `slipway/${process}:dev`]).trim()}`;

/** `helm upgrade --install` and wait until everything is ready. Extra `--set key=value` pairs go in `settings`. */
export function installSlipway(settings: readonly string[] = []): void {
  const labels = { 'pod-security.kubernetes.io/enforce': 'restricted' };
  const namespace = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: RELEASE_NAMESPACE, labels } };
  kubectl(['apply', '-f', '-'], { input: JSON.stringify(namespace) });
  const sets = [...settings, imageId('operator'), imageId('registry')].flatMap((setting) => ['--set', setting]);
  run(
    'helm',
    [
      ...['upgrade', '--install', 'slipway', 'charts/slipway', '-n', RELEASE_NAMESPACE, '--create-namespace'],
      ...['-f', 'charts/slipway/ci/values-local.yaml', ...sets, '--wait', '--timeout', '5m', '--take-ownership'],
    ],
    { timeoutMs: 330_000 },
  );
}
