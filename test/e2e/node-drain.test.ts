/** What a node drain does to a service of two replicas: its pods are evicted one at a time, and no request is lost. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { waitForCondition, waitForVersion } from '../support/conditions.ts';
import { eventually } from '../support/eventually.ts';
import { apply, dropNamespace, kubectl, kubectlJson, makeNamespace, uniqueNamespace } from '../support/kubectl.ts';
import { bringProven, line } from '../support/line-models.ts';
import { service } from '../support/manifests.ts';
import { CommandError } from '../support/run.ts';
import { answersOf, switchLoad } from '../support/switch-load.ts';

const namespace = uniqueNamespace('e2e-drain');
before(async () => {
  makeNamespace(namespace);
  assert.equal(await bringProven(namespace, 'one', line(1)), 1);
  apply(namespace, service('line', { model: 'line', replicas: 2 }));
  await waitForVersion(namespace, 'line', 1);
});
after(() => dropNamespace(namespace));

interface Listed {
  readonly items: readonly {
    readonly metadata: { readonly name: string; readonly deletionTimestamp?: string };
    readonly spec: { readonly topologySpreadConstraints?: readonly { readonly topologyKey: string }[] };
  }[];
}
const pods = () => {
  const selector = 'slipway.dev/inference-service=line';
  const { items } = kubectlJson<Listed>('get', 'pods', '-n', namespace, '-l', selector);
  return items.filter(({ metadata }) => metadata.deletionTimestamp === undefined);
};

/** As `kubectl drain` does it for every pod of a node. */
const evict = (name: string): string =>
  kubectl(['create', '--raw', `/api/v1/namespaces/${namespace}/pods/${name}/eviction`, '-f', '-'], {
    input: JSON.stringify({ apiVersion: 'policy/v1', kind: 'Eviction', metadata: { name, namespace } }),
  });

test('both pods are evicted under load: the second only when the first has been replaced, and nothing is lost', async () => {
  const load = await switchLoad(namespace, 'line', { answers: answersOf(1) });
  const [first, second] = pods().map(({ metadata }) => metadata.name);
  evict(first as string);
  assert.throws(
    () => evict(second as string),
    (error) => error instanceof CommandError && /disruption budget/.test(error.stderr),
  );
  await eventually(() => evict(second as string), 60_000);
  await eventually(() => {
    const left = pods().map(({ metadata }) => metadata.name);
    assert.ok(!left.includes(first as string) && !left.includes(second as string), `${left}`);
  }, 60_000);
  await waitForCondition(namespace, 'infsvc/line', { type: 'Ready', status: 'True' });
  await load.warm(300);
  const result = await load.finish();
  assert.equal(result.failures, 0, JSON.stringify(result));
  assert.deepEqual(Object.keys(result.versions), ['1']);
});

test('its pods ask to be spread over nodes and zones', () => {
  for (const { spec } of pods()) {
    assert.deepEqual(
      spec.topologySpreadConstraints?.map(({ topologyKey }) => topologyKey),
      ['kubernetes.io/hostname', 'topology.kubernetes.io/zone'],
    );
  }
});
