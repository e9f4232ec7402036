/** The informer against the real API server with something in between that fails in every way the wire can. */
import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';
import type { Kind, KubeObject } from '../../operator/src/api/meta.ts';
import { type Change, Informer, type InformerTiming } from '../../operator/src/kube/informer.ts';
import { loadKubeConfig } from '../../operator/src/kube/kubeconfig.ts';
import { keyOf, ObjectCache } from '../../operator/src/kube/object-cache.ts';
import { openTransport, type Transport } from '../../operator/src/kube/transport.ts';
import { eventually } from '../support/eventually.ts';
import { ConfigMap, configMap, deleteConfigMap, putConfigMap, testNamespace } from './config-map.ts';
import { type Fault, type FaultProxy, type SeenRequest, startFaultProxy, status } from './fault-proxy.ts';
import { newKind } from './new-kind.ts';

const timing: InformerTiming = {
  watchSeconds: 30,
  idleMs: 20_000,
  resyncMs: 600_000,
  backoff: { baseMs: 100, maxMs: 1_000 },
};

interface Setup {
  readonly proxy: FaultProxy;
  readonly informer: Informer;
  readonly cache: ObjectCache;
  readonly changes: Change[];
  readonly log: string[];
  has(name: string): boolean;
}

let direct: Transport;
let namespace: string;
let cleanUp: () => Promise<unknown>;
let setup: Setup;
let stop: () => Promise<void>;

interface StartOptions {
  readonly timing?: Partial<InformerTiming>;
  readonly pageSize?: number;
  readonly throwing?: boolean;
  readonly kind?: Kind<KubeObject>;
}

async function start(options: StartOptions = {}) {
  const proxy = await startFaultProxy(loadKubeConfig());
  const transport = openTransport(proxy.config, { userAgent: 'slipway-test' });
  const cache = new ObjectCache(options.kind ?? ConfigMap);
  const changes: Change[] = [];
  const log: string[] = [];
  const line = (_fields: object, message: string) => void log.push(message);
  const informer = new Informer({
    transport,
    cache,
    namespace,
    onChange(change) {
      changes.push(change);
      if (options.throwing) throw new Error('a handler that throws');
    },
    log: { debug: line, info: line, warn: line, error: line },
    timing: { ...timing, ...options.timing },
    ...(options.pageSize === undefined ? {} : { pageSize: options.pageSize }),
  });
  const has = (name: string) => cache.get({ namespace, name }) !== undefined;
  setup = { proxy, informer, cache, changes, log, has };
  stop = async () => {
    await informer.stop();
    transport.close();
    await proxy.close();
  };
  return setup;
}

/** Started, listed, and with a watch that stands. */
async function watching(options: StartOptions = {}) {
  const s = await start(options);
  s.informer.start();
  await eventually(() => assert.ok(s.informer.state.synced && s.proxy.open() === 1), 10_000, 20);
  return s;
}

const seen = (name: string, timeoutMs = 10_000) => eventually(() => assert.ok(setup.has(name)), timeoutMs, 20);

/** While `fault` holds, something changes; afterwards it must be seen. Returns the requests made meanwhile. */
async function through(fault: (request: SeenRequest) => Fault | undefined, failures = 3): Promise<SeenRequest[]> {
  const { proxy } = setup;
  const from = proxy.requests.length;
  proxy.fault = fault;
  proxy.cut();
  await putConfigMap(direct, configMap(namespace, 'during'));
  await eventually(() => assert.ok(proxy.requests.length >= from + failures), 15_000, 20);
  assert.ok(!setup.has('during'), 'the fault let the change through');
  const meanwhile = proxy.requests.slice(from);
  proxy.fault = () => undefined;
  await seen('during');
  await putConfigMap(direct, configMap(namespace, 'after'));
  await seen('after');
  return meanwhile;
}

/** No two requests closer than the shortest pause after a failure allows. */
function assertNoSpinning(requests: readonly SeenRequest[]): void {
  const pauses = requests.slice(1).map(({ at }, index) => at - (requests[index] as SeenRequest).at);
  for (const pause of pauses) assert.ok(pause >= timing.backoff.baseMs / 2 - 5, `only ${pause} ms between two tries`);
}

describe('the informer', () => {
  before(async () => {
    direct = openTransport(loadKubeConfig(), { userAgent: 'slipway-test-direct' });
    ({ name: namespace, cleanUp } = await testNamespace(direct, 'faults'));
  });
  after(async () => {
    await cleanUp();
    direct.close();
  });
  beforeEach(() => direct.json({ method: 'DELETE', path: `/api/v1/namespaces/${namespace}/configmaps` }));
  afterEach(() => stop());

  test('lists in pages, then follows every change', async () => {
    for (let i = 0; i < 5; i += 1) await putConfigMap(direct, configMap(namespace, `page-${i}`));
    const { proxy, cache, has } = await watching({ pageSize: 2 });
    assert.equal(cache.size, 5);
    assert.equal(proxy.requests.filter(({ watch }) => !watch).length, 3);
    await putConfigMap(direct, configMap(namespace, 'new', { a: '1' }));
    await seen('new');
    await deleteConfigMap(direct, configMap(namespace, 'new'));
    await eventually(() => assert.ok(!has('new')), 5_000, 20);
    const object = cache.get({ namespace, name: 'page-0' });
    assert.equal(object?.kind, 'ConfigMap');
    assert.ok(!('managedFields' in (object?.metadata ?? {})));
  });

  test('500 on everything: comes back, backing off', async () => {
    await watching();
    assertNoSpinning(await through(() => status(500, 'InternalError'), 4));
  });

  test('403 on everything: comes back once the right is granted', async () => {
    await watching();
    assertNoSpinning(await through(() => status(403, 'Forbidden')));
  });

  test('404 from the start (the CRD is missing): says so and keeps trying', async () => {
    const { proxy, informer } = await start();
    proxy.fault = () => status(404, 'NotFound');
    informer.start();
    await eventually(() => assert.ok(proxy.requests.length >= 3), 10_000, 20);
    assert.match(informer.state.problem ?? '', /configmaps are unknown to the API server: install the CRDs/);
    assert.equal(informer.state.synced, false);
    proxy.fault = () => undefined;
    await eventually(() => assert.ok(informer.state.synced), 5_000, 20);
  });

  test('429 with Retry-After: leaves the server alone for as long as it asked', async () => {
    await watching();
    const tries = await through(() => status(429, 'TooManyRequests', { 'retry-after': '1' }), 3);
    for (const [index, { at }] of tries.slice(1).entries()) {
      assert.ok(at - (tries[index] as SeenRequest).at >= 995, 'tried again before the second had passed');
    }
  });

  test('connection reset, again and again', async () => {
    await watching();
    assertNoSpinning(await through(() => ({ reset: true })));
  });

  test('410 as an answer: lists again, and tells of what was deleted meanwhile', async () => {
    await putConfigMap(direct, configMap(namespace, 'doomed'));
    const { proxy, informer, changes } = await watching();
    proxy.fault = ({ watch }) => (watch ? status(410, 'Expired') : undefined);
    proxy.cut();
    await deleteConfigMap(direct, configMap(namespace, 'doomed'));
    await eventually(() => assert.ok(!setup.has('doomed')), 10_000, 20);
    const gone = changes.find(({ before, after: now }) => before?.metadata.name === 'doomed' && now === undefined);
    assert.ok(gone, 'nobody was told of the deletion');
    assert.ok(informer.state.relists >= 1);
    proxy.fault = () => undefined;
    await putConfigMap(direct, configMap(namespace, 'after'));
    await seen('after');
  });

  test('a version the API server has really forgotten: lists again', async (t) => {
    // Of a kind that is new, version 1 is forgotten on every API server, however young it is itself.
    const things = await newKind(direct);
    t.after(() => things.remove());
    const { proxy, informer } = await watching({ kind: things.kind });
    let asked = 0;
    proxy.fault = ({ watch }) => {
      if (!watch || asked > 0) return undefined;
      asked += 1;
      return { query: { resourceVersion: '1' } };
    };
    proxy.cut();
    await things.put(namespace, 'during');
    await seen('during');
    assert.equal(asked, 1);
    assert.equal(informer.state.relists, 1);
  });

  test('410 as an event in the stream: lists again', async () => {
    const { proxy, informer } = await watching();
    const object = { kind: 'Status', apiVersion: 'v1', status: 'Failure', code: 410, reason: 'Expired' };
    proxy.inject(`${JSON.stringify({ type: 'ERROR', object })}\n`);
    await eventually(() => assert.equal(informer.state.relists, 1), 5_000, 20);
    await putConfigMap(direct, configMap(namespace, 'after'));
    await seen('after');
  });

  test('deleted and made anew during a disconnect: seen as gone, then as new', async () => {
    await putConfigMap(direct, configMap(namespace, 'twin'));
    const { proxy, cache, changes } = await watching();
    const uid = cache.get({ namespace, name: 'twin' })?.metadata.uid;
    proxy.fault = () => status(503, 'ServiceUnavailable');
    proxy.cut();
    await deleteConfigMap(direct, configMap(namespace, 'twin'));
    await putConfigMap(direct, configMap(namespace, 'twin'));
    // Only a new list shows the twin: the watch that would have told of both is refused.
    proxy.fault = ({ watch, query }) => {
      if (!watch) proxy.fault = () => undefined;
      return watch && query.get('resourceVersion') ? status(410, 'Expired') : undefined;
    };
    await eventually(() => assert.notEqual(cache.get({ namespace, name: 'twin' })?.metadata.uid, uid), 10_000, 20);
    const told = changes.map(({ before, after: now }) => [before?.metadata.uid === uid, now === undefined] as const);
    const gone = told.findIndex(([wasOld, isGone]) => wasOld && isGone);
    assert.ok(gone >= 0, 'nobody was told that the first one is gone');
    assert.deepEqual(told[gone + 1], [false, false]);
  });

  test('a half-open connection is noticed by its silence', async () => {
    const { proxy, informer } = await watching({ timing: { idleMs: 1_500 } });
    proxy.freeze();
    const watches = informer.state.watches;
    await putConfigMap(direct, configMap(namespace, 'during'));
    const started = performance.now();
    await seen('during');
    assert.ok(performance.now() - started < 1_500 + timing.backoff.maxMs + 1_000);
    assert.equal(informer.state.watches, watches + 1);
  });

  test('a server that accepts and then says nothing is given up, too', async () => {
    await watching({ timing: { idleMs: 500 } });
    await through(({ watch }) => (watch ? { silent: true } : status(503, 'ServiceUnavailable')), 3);
  });

  test('a failing first LIST: starts as soon as it can', async () => {
    await putConfigMap(direct, configMap(namespace, 'early'));
    const { proxy, informer } = await start();
    proxy.fault = () => status(503, 'ServiceUnavailable');
    informer.start();
    await eventually(() => assert.ok(proxy.requests.length >= 3), 10_000, 20);
    assertNoSpinning(proxy.requests);
    proxy.fault = () => undefined;
    await seen('early');
  });

  test('a LIST that fails while listing anew: what is known stays known until it succeeds', async () => {
    await putConfigMap(direct, configMap(namespace, 'known'));
    const { has } = await watching();
    await through(({ watch }) => {
      assert.ok(has('known'));
      return watch ? status(410, 'Expired') : status(503, 'ServiceUnavailable');
    });
  });

  for (const [name, text] of [
    ['garbage', 'this is no JSON\n'],
    ['JSON that is no event', '{"type":"ADDED"}\n'],
    ['an event of an unknown type', '{"type":"MOVED","object":{"metadata":{"resourceVersion":"1"}}}\n'],
    ['an object without a name', '{"type":"ADDED","object":{"metadata":{"resourceVersion":"1"}}}\n'],
  ] as const) {
    test(`${name} in the stream: begins a new watch where it was`, async () => {
      const { proxy, informer } = await watching();
      proxy.inject(text);
      await eventually(() => assert.ok(informer.state.watches >= 2 && proxy.open() === 1), 5_000, 20);
      await putConfigMap(direct, configMap(namespace, 'after'));
      await seen('after');
      assert.equal(informer.state.relists, 0);
    });
  }

  test('a stream that ends in the middle of a line loses nothing', async () => {
    const { proxy } = await watching();
    proxy.inject('{"type":"ADDED","object":{"metadata":{"name":"ha');
    proxy.cut();
    await putConfigMap(direct, configMap(namespace, 'after'));
    await seen('after');
  });

  test('watches that end at once do not make it spin', async () => {
    const { proxy } = await watching();
    const from = proxy.requests.length;
    proxy.fault = ({ watch }) => (watch ? { end: true } : undefined);
    proxy.cut();
    await eventually(() => assert.ok(proxy.requests.length >= from + 5), 10_000, 20);
    assertNoSpinning(proxy.requests.slice(from));
    proxy.fault = () => undefined;
    await putConfigMap(direct, configMap(namespace, 'after'));
    await seen('after');
  });

  test('a handler that throws stops nothing', async () => {
    const { log } = await watching({ throwing: true });
    await putConfigMap(direct, configMap(namespace, 'first'));
    await putConfigMap(direct, configMap(namespace, 'second'));
    await seen('second');
    assert.ok(log.includes('a handler of changes threw'));
  });

  test('an object that cannot be read fails alone, and is told of', async () => {
    const { cache, changes } = await watching();
    await putConfigMap(direct, configMap(namespace, 'bad', { poison: 'yes' }));
    await putConfigMap(direct, configMap(namespace, 'good'));
    await seen('good');
    assert.equal(cache.unreadable, 1);
    assert.throws(() => cache.get({ namespace, name: 'bad' }), /data\.poison: must not be there/);
    assert.deepEqual(
      cache.list({ namespace }).map(({ metadata }) => metadata.name),
      ['good'],
    );
    assert.ok(changes.some(({ after: now }) => now && keyOf(now.metadata) === `${namespace}/bad`));
  });

  test('everything is listed anew and told again at every resync', async () => {
    await putConfigMap(direct, configMap(namespace, 'quiet'));
    const { informer, changes } = await watching({ timing: { resyncMs: 1_000, watchSeconds: 1 } });
    const told = changes.length;
    await eventually(() => assert.ok(informer.state.relists >= 1 && changes.length > told), 10_000, 50);
  });

  test('once stopped it asks and tells nothing more', async () => {
    const { proxy, informer, changes } = await watching();
    await informer.stop();
    assert.equal(informer.state.running, false);
    const before = [proxy.requests.length, changes.length];
    await putConfigMap(direct, configMap(namespace, 'late'));
    await eventually(() => assert.equal(proxy.open(), 0), 5_000, 20);
    assert.deepEqual([proxy.requests.length, changes.length], before);
  });
});
