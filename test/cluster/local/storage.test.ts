import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Claim, isReclaimable, storageClass, type Volume, volumeFor, wantsVolume } from './storage.ts';

function claim(spec: Partial<Claim['spec']> = {}): Claim {
  return {
    metadata: { name: 'data', namespace: 'demo', uid: 'u1' },
    spec: {
      storageClassName: 'standard',
      accessModes: ['ReadWriteOnce'],
      resources: { requests: { storage: '1Gi' } },
      ...spec,
    },
  };
}

function volume(phase: string, changes: Partial<Volume['spec']> = {}): Volume {
  return {
    metadata: { name: 'pvc-u1' },
    spec: {
      storageClassName: 'standard',
      persistentVolumeReclaimPolicy: 'Delete',
      hostPath: { path: '/volumes/pvc-u1' },
      ...changes,
    },
    status: { phase },
  };
}

test('a claim of the default class without a volume gets one', () => {
  assert.equal(wantsVolume(claim()), true);
  assert.equal(wantsVolume(claim({ volumeName: 'pvc-u1' })), false);
  assert.equal(wantsVolume(claim({ storageClassName: 'fast' })), false);
  assert.equal(wantsVolume(claim({ volumeMode: 'Block' })), false);
});

test('a volume belongs to exactly its claim', () => {
  const made = volumeFor(claim(), '/volumes') as {
    metadata: { name: string };
    spec: { claimRef: object; hostPath: object };
  };
  assert.equal(made.metadata.name, 'pvc-u1');
  assert.deepEqual(made.spec.hostPath, { path: '/volumes/pvc-u1', type: 'Directory' });
  assert.deepEqual(made.spec.claimRef, {
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    name: 'data',
    namespace: 'demo',
    uid: 'u1',
  });
});

test('a volume goes with its claim, unless it was asked to stay or is not ours', () => {
  assert.equal(isReclaimable(volume('Released'), '/volumes'), true);
  assert.equal(isReclaimable(volume('Bound'), '/volumes'), false);
  assert.equal(isReclaimable(volume('Released', { persistentVolumeReclaimPolicy: 'Retain' }), '/volumes'), false);
  assert.equal(isReclaimable(volume('Released', { hostPath: { path: '/etc' } }), '/volumes'), false);
  assert.equal(isReclaimable(volume('Released', { storageClassName: 'fast' }), '/volumes'), false);
});

test('the class is the default and binds at once', () => {
  assert.equal(storageClass.metadata.annotations['storageclass.kubernetes.io/is-default-class'], 'true');
  assert.equal(storageClass.volumeBindingMode, 'Immediate');
});
