import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Pod } from './pod.ts';
import { podFailure } from './pod-failure.ts';

const ended = (name: string, exitCode: number, more: object = {}) => ({
  name,
  state: { terminated: { exitCode, ...more } },
});

const failureOf = (status: object) =>
  podFailure(
    Pod.parse({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { namespace: 'team-a', name: 'iris-1' },
      status: { phase: 'Failed', ...status },
    }),
  );

test('whoever filled a volume is told which, not the code its containers were killed with', () => {
  const failure = failureOf({
    reason: 'Evicted',
    message: 'Usage of EmptyDir volume "output" exceeds the limit "10Gi". ',
    initContainerStatuses: [ended('fetch', 0), ended('trainer', 137, { reason: 'Error' })],
  });
  assert.deepEqual(failure, {
    reason: 'Evicted',
    message: 'the pod was evicted: Usage of EmptyDir volume "output" exceeds the limit "10Gi".',
  });
});

test("an eviction for the sake of the node is nobody's fault", () => {
  const conditions = [{ type: 'DisruptionTarget', status: 'True', message: 'The node was low on resource: memory.' }];
  assert.equal(failureOf({ reason: 'Evicted', message: 'low', conditions })?.reason, 'Disrupted');
});

test('how the sidecar ended is never why a pod failed', () => {
  const initContainerStatuses = [ended('fetch', 0), ended('watch', 137, { reason: 'OOMKilled' }), ended('trainer', 3)];
  assert.deepEqual(
    [failureOf({ initContainerStatuses })?.container, failureOf({ initContainerStatuses })?.exitCode],
    ['trainer', 3],
  );
});

test('a pod that is well, or goes on, has no failure', () => {
  assert.equal(failureOf({ phase: 'Running', initContainerStatuses: [ended('trainer', 3)] }), undefined);
});

test('last words are text that Postgres, the API server and a terminal take as it is', () => {
  const trainer = (message: string) =>
    failureOf({ initContainerStatuses: [ended('trainer', 1, { reason: 'Error', message })] });
  const logged = trainer('loss\0 0.5\n\u001b[2Jgone\u009b31m');
  assert.equal(logged?.log, 'loss  0.5\n [2Jgone 31m');
  assert.ok(logged.message.endsWith(logged.log));
  // The cut through a long log falls into the middle of a character.
  const cut = trainer(`x${'🌲'.repeat(2000)}y`);
  assert.ok(cut?.log?.isWellFormed() && cut.message.isWellFormed());
  const told = trainer(JSON.stringify({ stage: 'train', reason: 'InvalidCell', message: 'row 3 has \0 and \ud800' }));
  assert.deepEqual([told?.reason, told?.message], ['InvalidCell', 'row 3 has   and \ufffd']);
});

test('a heap that is full is too little memory, as the kernel would have said; the words alone are not', () => {
  const message =
    '<--- Last few GCs --->\nFATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory\n' +
    '----- Native stack trace -----\n';
  const trainer = (exitCode: number) =>
    failureOf({ initContainerStatuses: [ended('trainer', exitCode, { reason: 'Error', message })] });
  assert.equal(trainer(134)?.reason, 'OutOfMemory');
  assert.equal(trainer(134)?.message, 'container trainer needed more memory than its limit');
  assert.equal(trainer(1)?.reason, 'ContainerFailed');
});
