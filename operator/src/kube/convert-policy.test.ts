import assert from 'node:assert/strict';
import { test } from 'node:test';
import { childLabels } from '../api/containers.ts';
import { TerminalError } from '../api/errors.ts';
import type { KubeObject } from '../api/meta.ts';
import { convertPolicy, convertPolicyAccess } from './convert-policy.ts';
import { KubeError } from './errors.ts';
import type { KubeRequest, Transport } from './transport.ts';

const owner = (name: string) =>
  ({
    apiVersion: 'slipway.dev/v1alpha1',
    kind: 'ModelVersion',
    metadata: { namespace: 'team-a', name, uid: `uid-${name}` },
  }) as KubeObject;
const store = { peers: [{ podSelector: { matchLabels: { app: 'minio' } } }], port: 9000 };

function cluster(status?: number) {
  const asked: KubeRequest[] = [];
  const clock = { now: 0 };
  const json = async (request: KubeRequest): Promise<unknown> => {
    asked.push(request);
    if (status !== undefined) throw new KubeError(status, 'Forbidden', 'no');
    return {};
  };
  const access = convertPolicyAccess({ json } as unknown as Transport, {
    assertLeading: () => {},
    now: () => clock.now,
    store,
  });
  return { access, asked, clock };
}

test('it selects the pods of conversions, lets nobody in, and out to the object store and the name service only', () => {
  const { metadata, spec } = convertPolicy('team-a', store, [owner('b'), owner('a')]);
  assert.equal(metadata.name, 'slipway-convert');
  assert.deepEqual(
    metadata.ownerReferences.map(({ name }) => name),
    ['a', 'b'],
  );
  for (const [label, value] of Object.entries(spec.podSelector.matchLabels)) {
    assert.equal(childLabels('conversion', 'x')[label], value);
  }
  const verification = childLabels('verification', 'x');
  assert.ok(Object.entries(spec.podSelector.matchLabels).some(([label, value]) => verification[label] !== value));
  assert.deepEqual(spec.policyTypes, ['Ingress', 'Egress']);
  assert.ok(!('ingress' in spec));
  const [names, objects] = spec.egress;
  assert.deepEqual(
    names?.ports.map(({ protocol, port }) => `${protocol} ${port}`),
    ['UDP 53', 'TCP 53'],
  );
  assert.deepEqual(objects, { to: store.peers, ports: [{ protocol: 'TCP', port: 9000 }] });
});

test('it is written once, and again when its owners change or a minute has passed', async () => {
  const { access, asked, clock } = cluster();
  await access.ensure('team-a', [owner('a')]);
  await access.ensure('team-a', [owner('a')]);
  assert.equal(asked.length, 1);
  assert.equal(asked[0]?.path, '/apis/networking.k8s.io/v1/namespaces/team-a/networkpolicies/slipway-convert');
  await access.ensure('team-a', [owner('a'), owner('b')]);
  clock.now += 60_000;
  await access.ensure('team-a', [owner('a'), owner('b')]);
  assert.equal(asked.length, 3);
});

test('where it is refused nothing is converted, and who has to act is told', async () => {
  const { access } = cluster(403);
  await assert.rejects(access.ensure('team-a', [owner('a')]), (error) => {
    assert.ok(error instanceof TerminalError);
    assert.equal(error.reason, 'ConfigurationError');
    assert.match(error.message, /NetworkPolicy team-a\/slipway-convert, without which nothing is converted/);
    return true;
  });
});
