import assert from 'node:assert/strict';
import { test } from 'node:test';
import { z } from 'zod';
import { FakeKube } from '../../../test/fake-kube.ts';
import { commonStatus, customResource } from '../api/custom-resource.ts';
import { NotLeadingError, TerminalError } from '../api/errors.ts';
import type { CommonStatus, CustomResource } from '../api/meta.ts';
import { KubeError } from '../kube/errors.ts';
import { UnreadableObjectError } from '../kube/object-cache.ts';
import { processKey } from './process-key.ts';
import type { ControllerDefinition } from './reconcile.ts';
import { WorkQueue } from './work-queue.ts';

const Widget = customResource({
  kind: 'Widget',
  plural: 'widgets',
  singular: 'widget',
  shortNames: [],
  description: '',
  columns: [],
  rules: [],
  spec: z.object({ size: z.int() }),
  status: z.object({ ...commonStatus, seen: z.int().exactOptional() }),
});
type Widget = CustomResource<{ size: number }, CommonStatus & { seen?: number }>;
type Definition = ControllerDefinition<Widget>;

const key = { namespace: 'ns', name: 'a' };
const now = new Date('2026-01-01T00:00:00Z');
const widget = (metadata: object = {}, more: object = {}): Widget =>
  ({
    apiVersion: Widget.apiVersion,
    kind: 'Widget',
    metadata: { ...key, uid: 'u1', generation: 3, ...metadata },
    spec: { size: 1 },
    ...more,
  }) as Widget;
const ready = (reason: string, status: 'True' | 'False' = 'True') =>
  ({ type: 'Ready', status, reason, message: `it is ${reason}`, lastTransitionTime: now.toISOString() }) as const;

/** A world with one widget and one controller; `turn` runs processKey once. */
function world(reconcile: Definition['reconcile'], more: Partial<Definition> = {}, object: object = widget()) {
  const kube = new FakeKube().put(object as Widget);
  const queue = new WorkQueue({ random: () => 1 });
  const logged: string[] = [];
  const log = {
    debug: () => {},
    info: () => {},
    warn: (_: object, message: string) => logged.push(`warn ${message}`),
    error: (_: object, message: string) => logged.push(`error ${message}`),
  };
  const definition: Definition = {
    for: Widget as never,
    owns: [],
    warnings: new Set(['Broken']),
    summary: 'Ready',
    reconcile,
    ...more,
  };
  const ctx = { kube, log, now: () => now, signal: new AbortController().signal };
  const turn = async () => {
    const outcome = await processKey(definition, ctx, queue, key);
    return outcome;
  };
  const status = () => (kube.objects.get('Widget/ns/a') as unknown as Widget | undefined)?.status;
  const conditions = () => status()?.conditions?.map(({ type, status: s, reason }) => `${type}=${s}/${reason}`);
  return { kube, queue, logged, turn, status, conditions };
}

test('status is written once, with the generation it is about; a steady state writes nothing', async (t) => {
  const w = world(async () => ({ status: { seen: 7, conditions: [ready('Fine')] } }));
  t.after(() => w.queue.close());
  assert.equal(await w.turn(), 'success');
  assert.deepEqual(w.kube.calls, ['status Widget a']);
  assert.deepEqual([w.status()?.seen, w.status()?.observedGeneration], [7, 3]);
  assert.equal(await w.turn(), 'success');
  assert.deepEqual(w.kube.calls, ['status Widget a']);
});

test('a field that is undefined is no difference', async (t) => {
  const w = world(async () => ({ status: { seen: undefined } as unknown as CommonStatus }));
  t.after(() => w.queue.close());
  await w.turn();
  await w.turn();
  assert.deepEqual(w.kube.calls, ['status Widget a']);
});

test('applying a child twice is one write', async (t) => {
  const child = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { namespace: 'ns', name: 'child' } };
  const w = world(async ({ kube }) => {
    await kube.apply(child);
    return { status: {} };
  });
  t.after(() => w.queue.close());
  await w.turn();
  await w.turn();
  assert.deepEqual(w.kube.calls, ['apply ConfigMap child', 'status Widget a']);
});

test('events tell of conditions that changed, after the status that says so, and warn where the kind says', async (t) => {
  let reason = 'Fine';
  const w = world(async () => ({ status: { conditions: [ready(reason, reason === 'Fine' ? 'True' : 'False')] } }));
  t.after(() => w.queue.close());
  w.kube.onWrite = () => assert.deepEqual(w.kube.events.length, reason === 'Fine' ? 0 : 1);
  await w.turn();
  await w.turn();
  reason = 'Broken';
  await w.turn();
  assert.deepEqual(
    w.kube.events.map(({ type, reason: r, note }) => [type, r, note]),
    [
      ['Normal', 'Fine', 'it is Fine'],
      ['Warning', 'Broken', 'it is Broken'],
    ],
  );
});

test('no event is told of a status that could not be written', async (t) => {
  const w = world(async () => ({ status: { conditions: [ready('Fine')] } }));
  t.after(() => w.queue.close());
  w.kube.onWrite = () => {
    throw new KubeError(500, 'InternalError', 'etcd is full');
  };
  assert.equal(await w.turn(), 'error');
  assert.deepEqual(w.kube.events, []);
});

test('a terminal error is shown as Stalled and in the summary, is not retried, and is cleared by the next success', async (t) => {
  let broken = true;
  const w = world(async () => {
    if (broken) throw new TerminalError('NoSuchModel', 'there is no model x: name another');
    return { status: { conditions: [ready('Fine')] } };
  });
  t.after(() => w.queue.close());
  assert.equal(await w.turn(), 'stalled');
  assert.deepEqual(w.conditions(), ['Ready=False/NoSuchModel', 'Stalled=True/NoSuchModel']);
  assert.deepEqual([w.queue.remembered, w.queue.retries, w.logged], [0, 0, []]);
  assert.deepEqual(
    w.kube.events.map(({ type, reason }) => [type, reason]),
    [['Warning', 'NoSuchModel']],
  );
  await w.turn();
  assert.deepEqual(w.kube.calls, ['status Widget a']);
  broken = false;
  assert.equal(await w.turn(), 'success');
  assert.deepEqual(w.conditions(), ['Ready=True/Fine']);
});

test('a terminal error that may pass unseen is looked at again', async (t) => {
  const w = world(async () => {
    throw new TerminalError('Refused', 'quota exceeded', { retryAfterMs: 60_000 });
  });
  t.after(() => w.queue.close());
  assert.equal(await w.turn(), 'stalled');
  assert.equal(w.queue.remembered, 1);
});

test('any other error leaves the status alone, is logged once and retried', async (t) => {
  const w = world(async () => {
    throw new Error('ECONNRESET');
  });
  t.after(() => w.queue.close());
  assert.deepEqual([await w.turn(), await w.turn(), await w.turn()], ['error', 'error', 'error']);
  assert.deepEqual(w.kube.calls, []);
  assert.deepEqual(w.logged, ['error reconcile failed, will try again']);
  assert.equal(w.queue.retries, 3);
});

test('a conflict is retried without a word', async (t) => {
  const w = world(async () => {
    throw new KubeError(409, 'Conflict', 'the object has been modified');
  });
  t.after(() => w.queue.close());
  assert.equal(await w.turn(), 'conflict');
  assert.deepEqual([w.logged, w.queue.retries], [[], 1]);
});

test('a lost lease is neither retried nor reported on the object', async (t) => {
  const w = world(async () => {
    throw new NotLeadingError('too late');
  });
  t.after(() => w.queue.close());
  assert.equal(await w.turn(), 'lost');
  assert.deepEqual([w.kube.calls, w.queue.remembered], [[], 0]);
});

test('what a result asks for is looked at again later', async (t) => {
  const w = world(async () => ({ status: {}, requeueAfterMs: 60_000 }));
  t.after(() => w.queue.close());
  assert.equal(await w.turn(), 'requeued');
  assert.equal(w.queue.remembered, 1);
});

test('an object that is gone is forgotten', async (t) => {
  const w = world(async () => ({ status: {} }));
  t.after(() => w.queue.close());
  w.queue.retry('ns/a');
  w.kube.drop(Widget as never, key);
  assert.equal(await w.turn(), 'gone');
  assert.equal(w.queue.remembered, 0);
});

test('an object that cannot be read backs off alone and says so in an event', async (t) => {
  const w = world(async () => ({ status: {} }));
  t.after(() => w.queue.close());
  w.kube.get = () => {
    throw new UnreadableObjectError(widget(), new Error('spec.size: expected a number'));
  };
  assert.equal(await w.turn(), 'error');
  assert.deepEqual(
    w.kube.events.map(({ type, reason }) => [type, reason]),
    [['Warning', 'Unreadable']],
  );
  assert.match(w.kube.events[0]?.note ?? '', /spec\.size: expected a number/);
});

const finalizer = 'slipway.dev/widget';
const leaving = () => widget({ finalizers: [finalizer], deletionTimestamp: now.toISOString() });

test('the finalizer is on before the first reconcile', async (t) => {
  const order: string[] = [];
  const w = world(
    async () => {
      order.push('reconcile');
      return { status: {} };
    },
    { finalizer, finalize: async () => ({ done: true }) },
  );
  t.after(() => w.queue.close());
  w.kube.onWrite = (call) => order.push(call);
  await w.turn();
  assert.deepEqual(order, ['addFinalizer Widget a', 'reconcile', 'status Widget a']);
});

test('an object on its way out is finalized, not reconciled, and then let go', async (t) => {
  const reconcile = async () => assert.fail('reconciled');
  const w = world(reconcile, { finalizer, finalize: async () => ({ done: true }) }, leaving());
  t.after(() => w.queue.close());
  assert.equal(await w.turn(), 'finalized');
  assert.deepEqual(w.kube.calls, ['removeFinalizer Widget a']);
  assert.equal(w.kube.objects.size, 0);
});

test('a finalizer that must wait says why and keeps the object', async (t) => {
  const blocked = { type: 'DeletionBlocked', status: 'True', reason: 'InUse', message: 'iris serves it' } as const;
  const condition = { ...blocked, lastTransitionTime: now.toISOString() };
  const finalize = async () => ({ done: false, status: { conditions: [condition] }, requeueAfterMs: 60_000 }) as const;
  const w = world(async () => ({ status: {} }), { finalizer, finalize }, leaving());
  t.after(() => w.queue.close());
  assert.equal(await w.turn(), 'blocked');
  assert.deepEqual(w.conditions(), ['DeletionBlocked=True/InUse']);
  assert.deepEqual([w.kube.calls, w.queue.remembered], [['status Widget a'], 1]);
});

test('an object that goes and has nothing of ours is left alone', async (t) => {
  const w = world(async () => assert.fail('reconciled'), {}, widget({ deletionTimestamp: now.toISOString() }));
  t.after(() => w.queue.close());
  assert.equal(await w.turn(), 'gone');
  assert.deepEqual(w.kube.calls, []);
});
