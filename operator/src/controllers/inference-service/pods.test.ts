import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EXIT_TERMINAL, EXIT_UNAVAILABLE, type FailureReason, renderTerminationMessage } from '@slipway/contract';
import { Pod } from '../../api/pod.ts';
import { podFacts } from './pods.ts';

type Status = Record<string, unknown>;
const running = { running: { startedAt: '2026-01-01T00:00:00Z' } };
const ended = (exitCode: number, message = '', reason = 'Error') => ({
  terminated: { exitCode, reason, message, startedAt: '2026-01-01T00:00:00Z', finishedAt: '2026-01-01T00:00:01Z' },
});
const told = (exitCode: number, reason: FailureReason, stage: 'fetch' | 'serve' = 'fetch') =>
  ended(exitCode, renderTerminationMessage({ stage, reason, message: 'in words' }));
const waiting = (reason: string, message = '') => ({ waiting: { reason, message } });

const pod = (containers: { fetch?: Status; server?: Status }, status: Status = {}, metadata: Status = {}) =>
  Pod.parse({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name: 'p',
      namespace: 'ns',
      creationTimestamp: '2026-01-01T00:00:00Z',
      labels: { 'slipway.dev/version': '2' },
      annotations: { 'slipway.dev/artifact-digest': 'd', 'slipway.dev/template': 't' },
      ...metadata,
    },
    status: {
      initContainerStatuses: containers.fetch ? [{ name: 'fetch', ...containers.fetch }] : [],
      containerStatuses: containers.server ? [{ name: 'server', ...containers.server }] : [],
      ...status,
    },
  });
const verdict = (one: Pod): string => {
  const [facts] = podFacts([one]);
  const { isReady, fault, waiting: wait, loadingSince } = facts ?? assert.fail('the pod does not count');
  if (isReady) return 'ready';
  if (fault) return `fault ${fault.reason}`;
  if (wait) return `waits ${wait.reason}`;
  return loadingSince ? 'loading' : 'starting';
};

/** `fetch` was turned away and is started again later, as the kubelet shows it. */
const turnedAway = (reason: FailureReason, exitCode = EXIT_UNAVAILABLE) =>
  pod({ fetch: { state: waiting('CrashLoopBackOff'), restartCount: 9, lastState: told(exitCode, reason) } });
const crashing = (restartCount: number, last: Status) => ({
  server: { restartCount, state: waiting('CrashLoopBackOff'), lastState: last },
});
const rows: readonly [name: string, Pod, expected: string][] = [
  [
    'a pod that takes traffic',
    pod({ server: { state: running } }, { conditions: [{ type: 'Ready', status: 'True' }] }),
    'ready',
  ],
  ['the server runs and has not been ready', pod({ server: { state: running } }), 'loading'],
  ['it has been ready and is busy: no time is counted', pod({ server: { state: running, started: true } }), 'starting'],
  [
    'fetch found other bytes: the model is at fault, at once',
    pod({ fetch: { state: told(EXIT_TERMINAL, 'DigestMismatch') } }),
    'fault DigestMismatch',
  ],
  [
    'also while the kubelet waits to start it again',
    turnedAway('DigestMismatch', EXIT_TERMINAL),
    'fault DigestMismatch',
  ],
  [
    'the files hold nothing it can serve: the model is at fault',
    pod(crashing(1, told(EXIT_TERMINAL, 'FormatNotServable', 'serve'))),
    'fault FormatNotServable',
  ],
  ['a fault of fetch itself is no verdict on the model', turnedAway('InternalError'), 'waits FetchFailed'],
  ['the bucket is missing: the pod waits', turnedAway('BucketMissing'), 'waits BucketMissing'],
  ['its credentials are refused: the pod waits', turnedAway('ObjectStorageDenied'), 'waits ObjectStorageDenied'],
  ['it fetches, for as long as it takes', pod({ fetch: { state: running } }), 'starting'],
  [
    'fetch succeeded in the end: its earlier failures are over',
    pod({
      fetch: { state: ended(0, '', 'Completed'), lastState: told(EXIT_UNAVAILABLE, 'BucketMissing') },
      server: { state: running },
    }),
    'loading',
  ],
  ['the server needs more memory than it may use', pod(crashing(1, ended(137, '', 'OOMKilled'))), 'fault OutOfMemory'],
  ['it crashed once: it may try again', pod(crashing(1, ended(139))), 'starting'],
  ['it crashes again and again', pod(crashing(3, ended(139, 'Segmentation fault'))), 'fault CrashLoop'],
  [
    'it was given a wrong configuration: no fault of the model, however often',
    pod(crashing(9, told(EXIT_TERMINAL, 'InvalidConfiguration', 'serve'))),
    'waits ConfigurationError',
  ],
  [
    'its image cannot be pulled',
    pod({ server: { state: waiting('ImagePullBackOff', 'not found') } }),
    'waits ImagePull',
  ],
  [
    'a Secret is missing',
    pod({ fetch: { state: waiting('CreateContainerConfigError', 'secret not found') } }),
    'waits ConfigurationError',
  ],
  [
    'no node has room',
    pod({}, { conditions: [{ type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message: '0/1 nodes' }] }),
    'waits Unschedulable',
  ],
];
for (const [name, one, expected] of rows) test(name, () => assert.equal(verdict(one), expected));

const fetching: readonly [name: string, Pod, expected: boolean][] = [
  ['while fetch runs', pod({ fetch: { state: running } }), true],
  ['while the store turns it away', turnedAway('BucketMissing'), true],
  ['not while fetch itself is at fault', turnedAway('InternalError'), false],
  ['not before fetch has started', pod({ fetch: { state: waiting('PodInitializing') } }), false],
  ['not once its files are there', pod({ fetch: { state: ended(0) }, server: { state: running } }), false],
];
for (const [name, one, expected] of fetching)
  test(`what is wrong with the object storage concerns a pod: ${name}`, () =>
    assert.equal(podFacts([one])[0]?.isFetching ?? false, expected));

const answersAgain = { conditions: [{ type: 'Ready', status: 'True', lastTransitionTime: '2026-01-01T00:00:09Z' }] };
const unready = (lastTransitionTime: string) => ({
  conditions: [{ type: 'Ready', status: 'False', lastTransitionTime }],
});
const restarted = (last: Status, status: Status = answersAgain) =>
  pod({ server: { restartCount: 1, started: true, state: running, lastState: last } }, status);
const DISRUPTED = { type: 'DisruptionTarget', status: 'True' };
const crashes: readonly [name: string, Pod, expected: string | undefined][] = [
  ['it needed more memory than it may use', restarted(ended(137, '', 'OOMKilled')), 'OutOfMemory'],
  ['its heap was full', restarted(ended(134, 'FATAL ERROR: JavaScript heap out of memory')), 'OutOfMemory'],
  ['it fell over a request', restarted(ended(139, 'Segmentation fault')), 'CrashLoop'],
  ['it hung, and the kubelet had to kill it', restarted(ended(137)), 'CrashLoop'],
  ['it is down at the moment', pod({ server: { state: ended(139) } }, unready('2026-01-01T00:00:01Z')), 'CrashLoop'],
  ['it had never been ready', pod({ server: { state: ended(139) } }, unready('2025-12-31T23:59:58Z')), undefined],
  ['somebody asked it to end', restarted(ended(143)), undefined],
  ['it ended well', restarted(ended(0, '', 'Completed')), undefined],
  ['its node was restarted', restarted(ended(255, '', 'Unknown')), undefined],
  [
    'its pod was evicted',
    pod({ server: { state: ended(137) } }, { phase: 'Failed', reason: 'Evicted', conditions: [DISRUPTED] }),
    undefined,
  ],
  ['it never ended', pod({ server: { state: running, started: true } }), undefined],
];
for (const [name, one, expected] of crashes)
  test(`a server that ended by its own doing: ${name}`, () => {
    const [facts] = podFacts([one]);
    assert.equal(facts?.crash?.reason, expected);
    if (expected !== undefined) assert.equal(facts?.crash?.at, '2026-01-01T00:00:01Z');
  });

test('one crash of a server that had been ready is enough before the version is brought in everywhere', () => {
  const since = (time: string) =>
    verdict(pod({ server: { restartCount: 1, state: running, lastState: ended(139) } }, unready(time)));
  assert.equal(since('2026-01-01T00:00:01Z'), 'fault CrashLoop');
  assert.equal(since('2025-12-31T23:59:58Z'), 'loading');
});

test('a pod on its way out does not count', () =>
  assert.deepEqual(podFacts([pod({}, {}, { deletionTimestamp: '2026-01-01T00:00:00Z' })]), []));

test('the last words of a crash are in the message', () => {
  const [facts] = podFacts([pod(crashing(3, ended(139, 'Segmentation fault')))]);
  assert.match(facts?.fault?.message ?? '', /3 times.*exit code 139: Segmentation fault/);
});

test('the status shows what a server said of itself, and nothing of what its clients sent', () => {
  const line = JSON.stringify({ level: 'info', module: 'slipway.serving', input: { age: 4711 } });
  const [facts] = podFacts([pod(crashing(3, ended(139, `${line}\nSegmentation fault\n${line}`)))]);
  assert.match(facts?.fault?.message ?? '', /exit code 139: Segmentation fault$/);
});
