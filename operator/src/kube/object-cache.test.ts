import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Kind, KubeObject } from '../api/meta.ts';
import { entryOf, fingerprintOf, isOlderVersion, ObjectCache, UnreadableObjectError } from './object-cache.ts';

const Thing: Kind<KubeObject> = {
  apiVersion: 'v1',
  kind: 'Thing',
  plural: 'things',
  parse(raw) {
    if ((raw as { spec?: unknown }).spec === 'bad') throw new Error('spec: expected an object');
    return raw as KubeObject;
  },
};
const raw = (name: string, more: object = {}, rest: object = {}) => ({
  metadata: { namespace: 'ns', name, uid: `uid-${name}`, resourceVersion: '1', ...more },
  ...rest,
});
const names = (found: readonly KubeObject[]) => found.map(({ metadata }) => metadata.name);
const owned = (uid: string) => ({
  ownerReferences: [{ apiVersion: 'v1', kind: 'Owner', name: 'o', uid, controller: true }],
});

test('objects are found by everything the filter names together', () => {
  const cache = new ObjectCache(Thing);
  cache.set(entryOf(Thing, raw('a', { labels: { app: 'x', tier: '1' }, ...owned('o1') })));
  cache.set(entryOf(Thing, raw('b', { labels: { app: 'x', tier: '2' }, ...owned('o2') })));
  cache.set(entryOf(Thing, raw('c', { namespace: 'other', labels: { app: 'x', tier: '1' } })));
  assert.deepEqual(names(cache.list({ labels: { app: 'x' } })), ['a', 'b', 'c']);
  assert.deepEqual(names(cache.list({ namespace: 'ns', labels: { app: 'x', tier: '1' } })), ['a']);
  assert.deepEqual(names(cache.list({ ownerUid: 'o2' })), ['b']);
  assert.deepEqual(names(cache.list({ namespace: 'nowhere' })), []);
});

test('an object that changes is found by what it is now, and not by what it was', () => {
  const cache = new ObjectCache(Thing);
  cache.set(entryOf(Thing, raw('a', { labels: { app: 'x' }, ...owned('o1') })));
  cache.set(entryOf(Thing, raw('a', { labels: { app: 'y' }, ...owned('o2') })));
  assert.deepEqual(names(cache.list({ labels: { app: 'x' } })), []);
  assert.deepEqual(names(cache.list({ ownerUid: 'o1' })), []);
  assert.deepEqual(names(cache.list({ labels: { app: 'y' }, ownerUid: 'o2' })), ['a']);
  cache.delete('ns/a');
  assert.deepEqual([cache.size, names(cache.list({ ownerUid: 'o2' }))], [0, []]);
});

test('an object its Kind refuses is met only by who asks for it', () => {
  const cache = new ObjectCache(Thing);
  cache.set(entryOf(Thing, raw('good')));
  cache.set(entryOf(Thing, raw('bad', {}, { spec: 'bad' })));
  assert.deepEqual(names(cache.list({})), ['good']);
  assert.throws(
    () => cache.get({ namespace: 'ns', name: 'bad' }),
    (error: Error) =>
      error instanceof UnreadableObjectError && /ns\/bad .*spec: expected an object/.test(error.message),
  );
  assert.equal(cache.unreadable, 1);
});

test('items of a list get their kind back, and lose their field managers', () => {
  const { object } = entryOf(Thing, raw('a', { managedFields: [{ manager: 'kubectl' }] }));
  assert.deepEqual(object, { ...raw('a'), apiVersion: 'v1', kind: 'Thing' });
});

test('the fingerprint notices edits, and nothing that is not one', () => {
  const before = fingerprintOf(raw('a', {}, { spec: { size: 1 } }));
  const same = raw('a', { resourceVersion: '2', generation: 2, managedFields: [] }, { spec: { size: 1 }, status: {} });
  assert.equal(fingerprintOf({ kind: 'Thing', apiVersion: 'v1', ...same }), before);
  assert.notEqual(fingerprintOf(raw('a', {}, { spec: { size: 2 } })), before);
  assert.notEqual(fingerprintOf(raw('a', { labels: { edited: 'yes' } }, { spec: { size: 1 } })), before);
});

test('versions are compared as the large numbers they are', () => {
  assert.equal(isOlderVersion('9', '10'), true);
  assert.equal(isOlderVersion('90071992547409930', '90071992547409931'), true);
  assert.equal(isOlderVersion('10', '10'), false);
  assert.equal(isOlderVersion('11', '10'), false);
});
