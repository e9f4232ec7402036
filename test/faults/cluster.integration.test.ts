/** What the operator writes, against the real API server: ownership, preconditions, and requests that are not made. */
import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';
import { z } from 'zod';
import { commonStatus, customResource } from '../../operator/src/api/custom-resource.ts';
import { NotLeadingError, type TerminalError } from '../../operator/src/api/errors.ts';
import { type CustomResource, controllerReference, type KubeObject } from '../../operator/src/api/meta.ts';
import { type Cluster, openCluster } from '../../operator/src/kube/cluster.ts';
import { isConflict, isNotFound } from '../../operator/src/kube/errors.ts';
import { loadKubeConfig } from '../../operator/src/kube/kubeconfig.ts';
import { tenantAccess } from '../../operator/src/kube/tenant.ts';
import { openTransport, type Transport } from '../../operator/src/kube/transport.ts';
import { eventually } from '../support/eventually.ts';
import { ConfigMap, configMap, deleteConfigMap, putConfigMap, testNamespace } from './config-map.ts';
import { type FaultProxy, startFaultProxy } from './fault-proxy.ts';

/** A kind of the test's own: ours may not be installed here. The group is new every time. */
const group = `t${Date.now().toString(36)}.faults.slipway.dev`;
const apiVersion = `${group}/v1`;
const declared = customResource({
  kind: 'Widget',
  plural: 'widgets',
  singular: 'widget',
  shortNames: [],
  description: '',
  columns: [],
  rules: [],
  spec: z.object({ size: z.int().exactOptional() }),
  status: z.object(commonStatus),
});
type Widget = CustomResource;
const Widget = {
  ...declared,
  apiVersion,
  parse: (raw: unknown) => ({ ...declared.parse({ ...(raw as object), apiVersion: declared.apiVersion }), apiVersion }),
};

const definition = {
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: `widgets.${group}` },
  spec: {
    group,
    scope: 'Namespaced',
    names: { kind: 'Widget', plural: 'widgets', singular: 'widget' },
    versions: [
      {
        name: 'v1',
        served: true,
        storage: true,
        subresources: { status: {} },
        schema: {
          openAPIV3Schema: {
            type: 'object',
            properties: {
              spec: { type: 'object', properties: { size: { type: 'integer', maximum: 10 } } },
              status: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true },
            },
          },
        },
      },
    ],
  },
};

const quiet = { debug() {}, info() {}, warn() {}, error() {} };
let direct: Transport;
let namespace: string;
let cleanUp: () => Promise<unknown>;
let proxy: FaultProxy;
let transport: Transport;
let cluster: Cluster;
let tenants: ReturnType<typeof tenantAccess>;
let leading: boolean;

/** Requests that changed something. */
const writes = () => proxy.requests.filter(({ method }) => method !== 'GET').map(({ method }) => method);
const get = (name: string) => cluster.kube.get(ConfigMap, { namespace, name });
const live = (name: string) =>
  direct.json({ method: 'GET', path: `/api/v1/namespaces/${namespace}/configmaps/${name}` }) as Promise<ConfigMap>;
const cached = (name: string) => eventually(() => assert.ok(get(name)), 5_000, 20);

async function widget(name: string): Promise<Widget> {
  const body = { apiVersion, kind: 'Widget', metadata: { namespace, name }, spec: { size: 1 } };
  await direct.json({ method: 'POST', path: `/apis/${apiVersion}/namespaces/${namespace}/widgets`, body });
  return eventually(
    () => {
      const found = cluster.kube.get(Widget, { namespace, name });
      assert.ok(found);
      return found as Widget;
    },
    5_000,
    20,
  );
}

const childOf = (owner: KubeObject, name: string, data: Record<string, string> = {}): ConfigMap => {
  const { metadata, ...rest } = configMap(namespace, name, data);
  return { ...rest, metadata: { ...metadata, ownerReferences: [controllerReference(owner)] } };
};

describe('the cluster', () => {
  before(async () => {
    direct = openTransport(loadKubeConfig(), { userAgent: 'slipway-test-direct' });
    ({ name: namespace, cleanUp } = await testNamespace(direct, 'writes'));
    await direct.json({
      method: 'POST',
      path: '/apis/apiextensions.k8s.io/v1/customresourcedefinitions',
      body: definition,
    });
  });
  after(async () => {
    const path = `/apis/apiextensions.k8s.io/v1/customresourcedefinitions/${definition.metadata.name}`;
    await direct.json({ method: 'DELETE', path });
    await cleanUp();
    direct.close();
  });
  beforeEach(async () => {
    leading = true;
    proxy = await startFaultProxy(loadKubeConfig());
    transport = openTransport(proxy.config, { userAgent: 'slipway-test' });
    const assertLeading = () => {
      if (!leading) throw new NotLeadingError('no');
    };
    tenants = tenantAccess(transport, assertLeading);
    cluster = openCluster({
      transport,
      kinds: [ConfigMap, Widget],
      namespaces: [namespace],
      onChange: () => {},
      assertLeading,
      instance: 'test',
      log: quiet,
      now: () => new Date(),
    });
    cluster.start();
    await eventually(() => assert.ok(cluster.informers().every(({ synced }) => synced)), 20_000, 50);
  });
  afterEach(async () => {
    await cluster.stop();
    transport.close();
    await proxy.close();
  });

  test('an unchanged object is applied once; an edit by somebody else is put back', async () => {
    const child = childOf(await widget('once'), 'once', { a: '1' });
    await cluster.kube.apply(child);
    await cached('once');
    for (let i = 0; i < 3; i += 1) await cluster.kube.apply(child);
    assert.deepEqual(writes(), ['PATCH']);
    await putConfigMap(direct, configMap(namespace, 'once', { a: 'edited' }));
    await eventually(() => assert.equal(get('once')?.data?.['a'], 'edited'), 5_000, 20);
    await cluster.kube.apply(child);
    assert.equal((await live('once')).data?.['a'], '1');
    // The answer of the write is in the cache before the watch has told of it.
    await cluster.kube.apply(child);
    assert.deepEqual(writes(), ['PATCH', 'PATCH']);
  });

  test('a deleted child is made again although nothing about it changed', async () => {
    const child = childOf(await widget('again'), 'again');
    await cluster.kube.apply(child);
    await cached('again');
    await deleteConfigMap(direct, child);
    await eventually(() => assert.equal(get('again'), undefined), 5_000, 20);
    await cluster.kube.apply(child);
    assert.equal((await live('again')).metadata.name, 'again');
  });

  test('a field that is not sent any more goes away', async () => {
    const owner = await widget('fields');
    await cluster.kube.apply(childOf(owner, 'fields', { a: '1', b: '2' }));
    await cluster.kube.apply(childOf(owner, 'fields', { a: '1' }));
    assert.deepEqual((await live('fields')).data, { a: '1' });
  });

  test("somebody else's object of the same name is not taken over, whether the cache knows it or not", async () => {
    const owner = await widget('taken');
    const { labels: _labels, ...unlabelled } = configMap(namespace, 'hidden').metadata;
    await putConfigMap(direct, { ...configMap(namespace, 'hidden', { mine: 'yes' }), metadata: unlabelled });
    await putConfigMap(direct, configMap(namespace, 'taken', { mine: 'yes' }));
    await cached('taken');
    for (const name of ['taken', 'hidden']) {
      await assert.rejects(cluster.kube.apply(childOf(owner, name)), (error: TerminalError) => {
        assert.equal(error.reason, 'NameTaken');
        assert.match(error.message, /exists already and was not made by Slipway: delete or rename it/);
        return true;
      });
      assert.deepEqual((await live(name)).data, { mine: 'yes' });
    }
  });

  test('the child of an earlier owner of the same name is waited for, not taken', async () => {
    const owner = await widget('earlier');
    const stale = { ...owner, metadata: { ...owner.metadata, uid: '00000000-0000-0000-0000-000000000000' } };
    // A finalizer keeps the garbage collector from being faster than this test.
    const child = childOf(stale, 'earlier');
    const held = { ...child, metadata: { ...child.metadata, finalizers: ['slipway.dev/test'] } };
    await putConfigMap(direct, held);
    await cached('earlier');
    await assert.rejects(cluster.kube.apply(childOf(owner, 'earlier')), isConflict);
    const path = `/api/v1/namespaces/${namespace}/configmaps/earlier`;
    const body = { metadata: { finalizers: null } };
    await direct.json({ method: 'PATCH', path, contentType: 'application/merge-patch+json', body }).catch((error) => {
      if (!isNotFound(error)) throw error;
    });
  });

  test('a content the API server refuses is for the user to read', async () => {
    const owner = await widget('refused');
    const bad = { ...owner, metadata: { namespace, name: 'refused' }, spec: { size: 11 } };
    await assert.rejects(cluster.kube.apply(bad), (error: TerminalError) => {
      assert.equal(error.reason, 'Refused');
      assert.match(error.message, /spec\.size.*less than or equal to 10/);
      return true;
    });
  });

  test('delete takes exactly the object that was read', async () => {
    await putConfigMap(direct, configMap(namespace, 'precise'));
    await cached('precise');
    const read = get('precise') as ConfigMap;
    await putConfigMap(direct, configMap(namespace, 'precise', { changed: 'yes' }));
    await assert.rejects(cluster.kube.delete(ConfigMap, read), isConflict);
    await eventually(() => assert.ok(get('precise')?.data?.['changed']), 5_000, 20);
    await cluster.kube.delete(ConfigMap, get('precise') as ConfigMap);
    await cluster.kube.delete(ConfigMap, read);
    await assert.rejects(live('precise'), isNotFound);
  });

  test('status is seen by the next read, and never lands on a namesake', async () => {
    const owner = await widget('status');
    await cluster.kube.applyStatus(owner, { observedGeneration: 7 });
    assert.equal(cluster.kube.get(Widget, owner.metadata)?.status?.observedGeneration, 7);
    await cluster.kube.applyStatus(cluster.kube.get(Widget, owner.metadata) as Widget, { conditions: [] });
    assert.equal(cluster.kube.get(Widget, owner.metadata)?.status?.observedGeneration, undefined);
    const path = `/apis/${apiVersion}/namespaces/${namespace}/widgets/status`;
    await direct.json({ method: 'DELETE', path });
    await assert.rejects(cluster.kube.applyStatus(owner, { observedGeneration: 9 }), isConflict);
    await eventually(() => assert.equal(cluster.kube.get(Widget, owner.metadata), undefined), 5_000, 20);
    const namesake = await widget('status');
    await assert.rejects(cluster.kube.applyStatus(owner, { observedGeneration: 9 }), isConflict);
    assert.equal(cluster.kube.get(Widget, namesake.metadata)?.status, undefined);
  });

  test('a finalizer goes on and off the state that was read, and on no other', async () => {
    const read = await widget('final');
    await cluster.kube.addFinalizer(read, 'slipway.dev/test');
    const current = () => cluster.kube.get(Widget, read.metadata);
    assert.deepEqual(current()?.metadata.finalizers, ['slipway.dev/test']);
    await assert.rejects(cluster.kube.addFinalizer(read, 'slipway.dev/other'), isConflict);
    await cluster.kube.removeFinalizer(current() as Widget, 'slipway.dev/test');
    assert.equal(current()?.metadata.finalizers, undefined);
  });

  test('events are told once', async () => {
    const regarding = await widget('event');
    const event = { regarding, type: 'Warning', reason: 'Broken', note: 'x'.repeat(2_000) } as const;
    await cluster.kube.recordEvent(event);
    await cluster.kube.recordEvent(event);
    const path = `/apis/events.k8s.io/v1/namespaces/${namespace}/events`;
    const list = (await direct.json({ method: 'GET', path })) as {
      items: { regarding: { name: string }; reason: string; note: string }[];
    };
    const found = list.items.filter(({ regarding: about }) => about.name === 'event');
    assert.deepEqual(
      found.map(({ reason, note }) => [reason, note.length]),
      [['Broken', 1_022]],
    );
  });

  test('objects are found by namespace, label and owner', async () => {
    const owner = await widget('lists');
    await cluster.kube.apply(childOf(owner, 'lists'));
    await cached('lists');
    const names = (found: readonly KubeObject[]) => found.map(({ metadata }) => metadata.name);
    assert.deepEqual(names(cluster.kube.listOwned(ConfigMap, owner)), ['lists']);
    assert.deepEqual(names(cluster.kube.list(ConfigMap, { labels: { 'slipway.dev/test': 'other' } })), []);
    assert.ok(names(cluster.kube.list(ConfigMap, { namespace, labels: { 'slipway.dev/test': 'faults' } })).length > 0);
    assert.deepEqual(cluster.kube.list(ConfigMap, { namespace: 'elsewhere' }), []);
  });

  test('who does not lead writes nothing, whatever is tried', async () => {
    const owner = await widget('standby');
    leading = false;
    for (const attempt of [
      () => cluster.kube.apply(childOf(owner, 'standby')),
      () => cluster.kube.applyStatus(owner, {}),
      () => cluster.kube.addFinalizer(owner, 'slipway.dev/test'),
      () => cluster.kube.removeFinalizer(owner, 'slipway.dev/test'),
      () => cluster.kube.delete(Widget, owner),
      () => cluster.kube.recordEvent({ regarding: owner, type: 'Normal', reason: 'R', note: 'n' }),
      () => tenants.applySecret({ metadata: { namespace, name: 'x' } }),
      () => tenants.deleteSecret(namespace, 'x'),
    ]) {
      await assert.rejects(attempt, NotLeadingError);
    }
    assert.deepEqual(writes(), []);
  });

  test('a namespace says whether it is on its way out', async () => {
    assert.equal(await tenants.isBeingDeleted(namespace), false);
    assert.equal(await tenants.isBeingDeleted(`${namespace}-never-was`), true);
    const leaving = await testNamespace(direct, 'leaving');
    await putConfigMap(direct, {
      ...configMap(leaving.name, 'held'),
      metadata: { ...configMap(leaving.name, 'held').metadata, finalizers: ['slipway.dev/test'] },
    });
    await leaving.cleanUp();
    assert.equal(await tenants.isBeingDeleted(leaving.name), true);
    const path = `/api/v1/namespaces/${leaving.name}/configmaps/held`;
    const body = { metadata: { finalizers: null } };
    await direct.json({ method: 'PATCH', path, contentType: 'application/merge-patch+json', body });
  });

  test('two hundred reads share one connection', async () => {
    for (let i = 0; i < 200; i += 1) await tenants.readNamespace(namespace);
    assert.ok(proxy.connections() <= 4, `${proxy.connections()} connections`);
  });
});
