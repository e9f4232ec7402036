import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeKube } from '../../../test/fake-kube.ts';
import { eventually } from '../../../test/support/eventually.ts';
import type { Kind, KubeObject } from '../api/meta.ts';
import { watchEmptyNamespaces } from './empty-namespaces.ts';

const kindOf = (kind: string): Kind<KubeObject> => ({
  apiVersion: 'slipway.dev/v1alpha1',
  kind,
  plural: kind,
  parse: (raw) => raw as KubeObject,
});
const [A, B, Other] = [kindOf('A'), kindOf('B'), kindOf('Other')];
const object = (kind: Kind<KubeObject>, namespace: string, name = 'x'): KubeObject => ({
  ...kind,
  metadata: { namespace, name, uid: `${kind.kind}${namespace}${name}` },
});

function world(mayDecide = () => true) {
  const kube = new FakeKube();
  const emptied: string[] = [];
  const stop = new AbortController();
  const onChange = watchEmptyNamespaces({
    kinds: [A, B],
    kube: () => kube,
    mayDecide,
    onEmpty: async (namespace) => void emptied.push(namespace),
    signal: stop.signal,
    graceMs: 10,
  });
  const gone = (kind: Kind<KubeObject>, namespace: string, name?: string) =>
    onChange(kind, { before: object(kind, namespace, name), after: undefined });
  return { kube, emptied, gone };
}

const put = (kube: FakeKube, kind: Kind<KubeObject>, namespace: string) =>
  kube.put(JSON.parse(JSON.stringify(object(kind, namespace))) as KubeObject);

/** Deletions in `marker` come last, so that once it is told everything before has been decided. */
async function decided(w: ReturnType<typeof world>): Promise<readonly string[]> {
  w.gone(A, 'marker');
  await eventually(() => assert.ok(w.emptied.includes('marker')), 2_000, 5);
  return w.emptied.filter((namespace) => namespace !== 'marker');
}

test('a namespace is empty when the last object of the last kind is gone, and is told of once', async () => {
  const w = world();
  put(w.kube, B, 'ns');
  w.gone(A, 'ns');
  assert.deepEqual(await decided(w), []);
  w.kube.drop(B, { namespace: 'ns', name: 'x' });
  w.gone(B, 'ns');
  w.gone(B, 'ns', 'y');
  w.emptied.length = 0;
  assert.deepEqual(await decided(w), ['ns']);
});

test('other kinds do not count, and an object that is back in time is not lost', async () => {
  const w = world();
  w.gone(Other, 'others');
  w.gone(A, 'back');
  put(w.kube, A, 'back');
  assert.deepEqual(await decided(w), []);
});

test('absence decides nothing while the caches are not whole', async () => {
  let whole = false;
  const w = world(() => whole);
  w.gone(A, 'ns');
  whole = true;
  assert.deepEqual(await decided(w), []);
});
