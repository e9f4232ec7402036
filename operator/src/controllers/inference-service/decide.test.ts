import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Rejection } from './api.ts';
import { begins, decide, hindrance, usedBy } from './decide.ts';
import type { PodFacts } from './pods.ts';
import type { Release } from './release.ts';
import type { DeploymentFacts, Situation } from './situation.ts';
import type { VersionFacts } from './versions.ts';

const NOW = new Date('2026-01-01T12:00:00Z');
const secondsAgo = (seconds: number) => new Date(NOW.getTime() - seconds * 1000).toISOString();
const digest = (version: number) => String(version).repeat(64).slice(0, 64);
const release = (version: number, bytes = digest(version)): Release => ({
  version,
  digest: bytes,
  artifact: { uri: `s3://b/ns/${version}`, files: [{ path: 'model.onnx', sha256: bytes, size: 1 }], digest: bytes },
});
const id = (version: number) => ({ version, digest: digest(version) });
const proven = (version: number, more: Partial<VersionFacts> = {}): VersionFacts => ({
  version,
  release: release(version),
  isReady: true,
  isDeleting: false,
  stage: 'None',
  aliases: [],
  reason: 'Verified',
  message: 'ok',
  ...more,
});
const unproven = (version: number): VersionFacts => {
  const { release: _none, ...rest } = proven(version);
  return { ...rest, isReady: false, reason: 'Verifying', message: 'the verification runs' };
};
const deployed = (version: number, more: Partial<DeploymentFacts> = {}): DeploymentFacts => ({
  release: release(version),
  template: `t${version}`,
  isCurrent: true,
  replicas: 1,
  isRolledOut: false,
  ...more,
});
const pod = (version: number, more: Partial<PodFacts> = {}): PodFacts => ({
  ...id(version),
  template: `t${version}`,
  createdAt: secondsAgo(30),
  isReady: false,
  ...more,
});
const answering = (version: number) => pod(version, { isReady: true });
const rolled = { isRolledOut: true };
const rejection = (version: number, more: Partial<Rejection> = {}): Rejection => ({
  ...id(version),
  wanted: String(version),
  settings: 's',
  reason: 'InvalidModel',
  message: 'it is not a model',
  time: secondsAgo(60),
  ...more,
});

type Wanted = Situation['wanted'];
const situation = (wanted: Partial<Wanted>, more: Partial<Omit<Situation, 'wanted'>> = {}): Situation => ({
  wanted: {
    ...{ namespace: 'ns', name: 'iris', model: 'iris', version: 'latest', replicas: 1 },
    ...{ progressDeadlineSeconds: 120, settings: 's' },
    ...wanted,
  },
  versions: [proven(2), proven(1)],
  pods: [],
  memory: { rejected: [] },
  now: NOW,
  ...more,
});
/** Version 1 answers, version 2 is being brought in by one pod. */
const switching = (two: Partial<PodFacts>, more: Partial<Situation> = {}) =>
  situation(
    { version: 2 },
    {
      deployment: deployed(2),
      pods: [answering(1), pod(2, two)],
      memory: { serving: id(1), rollout: { ...id(2), startTime: secondsAgo(40) }, rejected: [] },
      ...more,
    },
  );

/** What a decision comes to, in one line. */
function outcome(given: Situation): string {
  const { act, choice, serving, rejected, isComplete, rollout } = decide(given);
  return [
    act.do === 'apply' ? `apply ${act.release.version}` : act.do,
    'problem' in choice ? choice.problem.reason : 'ok',
    `serving ${serving?.version ?? 'none'}`,
    ...rejected.map(({ version, reason }) => `rejected ${version} ${reason}`),
    ...(rollout ? [`bringing in ${rollout.version}`] : []),
    ...(isComplete ? ['complete'] : []),
  ].join(', ');
}

const fault = { fault: { reason: 'DigestMismatch', message: 'other bytes', at: secondsAgo(5) } };
const rows: readonly [name: string, Situation, expected: string][] = [
  ['a model without versions: nothing is made', situation({}, { versions: [] }), 'leave, ModelNotFound, serving none'],
  [
    'latest is the highest version that is ready',
    situation({}, { versions: [unproven(3), proven(2), proven(1)] }),
    'apply 2, ok, serving none, bringing in 2',
  ],
  [
    'latest is never a version whose gates failed',
    situation({}, { versions: [proven(2, { gateFailure: 'its gates failed' }), proven(1)] }),
    'apply 1, ok, serving none, bringing in 1',
  ],
  [
    'by its number a version whose gates failed is served',
    situation({ version: 2 }, { versions: [proven(2, { gateFailure: 'its gates failed' }), proven(1)] }),
    'apply 2, ok, serving none, bringing in 2',
  ],
  [
    'when every version failed its gates, latest is none',
    situation({}, { versions: [proven(1, { gateFailure: 'its gates failed' })] }),
    'leave, VersionNotFound, serving none',
  ],
  ['a number is that version', situation({ version: 1 }), 'apply 1, ok, serving none, bringing in 1'],
  ['an unknown number is named', situation({ version: 7 }), 'leave, VersionNotFound, serving none'],
  [
    'an unknown number changes nothing about what answers',
    situation(
      { version: 7 },
      { deployment: deployed(1, rolled), pods: [answering(1)], memory: { serving: id(1), rejected: [] } },
    ),
    'apply 1, VersionNotFound, serving 1, complete',
  ],
  [
    'a version that is not proven yet waits, and what answers goes on',
    situation(
      { version: 3 },
      {
        versions: [unproven(3), proven(1)],
        deployment: deployed(1, rolled),
        pods: [answering(1)],
        memory: { serving: id(1), rejected: [] },
      },
    ),
    'apply 1, VersionNotReady, serving 1, complete',
  ],
  [
    'no version is ready: the newest says why',
    situation({}, { versions: [unproven(1)] }),
    'leave, VersionNotReady, serving none',
  ],
  [
    'a version that is being deleted is not begun with',
    situation({}, { versions: [proven(2, { isDeleting: true }), proven(1)] }),
    'apply 1, ok, serving none, bringing in 1',
  ],
  [
    'the version that answers goes on answering though its object is not ready at the moment',
    situation(
      {},
      {
        versions: [proven(2, { isReady: false, reason: 'Verifying' }), proven(1)],
        deployment: deployed(2, rolled),
        pods: [answering(2)],
        memory: { serving: id(2), rejected: [] },
      },
    ),
    'apply 2, ok, serving 2, complete',
  ],
  [
    'the model disappeared: what answers goes on from what the Deployment itself says',
    situation(
      {},
      { versions: [], deployment: deployed(2, rolled), pods: [answering(2)], memory: { serving: id(2), rejected: [] } },
    ),
    'apply 2, ModelNotFound, serving 2, complete',
  ],
  [
    'all pods answer with the new version and no other does: it has been brought in',
    switching({ isReady: true }, { deployment: deployed(2, rolled), pods: [answering(2)] }),
    'apply 2, ok, serving 2, complete',
  ],
  [
    'an old pod that still answers: not yet',
    switching({ isReady: true }, { deployment: deployed(2, rolled), pods: [answering(1), answering(2)] }),
    'apply 2, ok, serving 1, bringing in 2',
  ],
  [
    'the Deployment was rolled out for another number of replicas: not complete',
    situation(
      { replicas: 3 },
      { deployment: deployed(2, rolled), pods: [answering(2)], memory: { serving: id(2), rejected: [] } },
    ),
    'apply 2, ok, serving 2',
  ],
  [
    'a fault of the model turns it down and the Deployment goes back',
    switching(fault),
    'apply 1, VersionRejected, serving 1, rejected 2 DigestMismatch',
  ],
  [
    'the same with latest: the next version is taken',
    switching(fault, { wanted: { ...situation({}).wanted, version: 'latest' } }),
    'apply 1, ok, serving 1, rejected 2 DigestMismatch',
  ],
  [
    'latest has nothing but a rejected version: its Deployment goes',
    situation({}, { versions: [proven(1)], deployment: deployed(1), pods: [pod(1, fault)] }),
    'delete, VersionRejected, serving none, rejected 1 DigestMismatch',
  ],
  [
    'the first version there ever was is rejected: no Deployment of it stays',
    situation({ version: 2 }, { deployment: deployed(2), pods: [pod(2, fault)] }),
    'delete, VersionRejected, serving none, rejected 2 DigestMismatch',
  ],
  [
    'its server runs for as long as the deadline without being ready: rejected',
    switching({ loadingSince: secondsAgo(120) }),
    'apply 1, VersionRejected, serving 1, rejected 2 LoadTimeout',
  ],
  ['one second less: not yet', switching({ loadingSince: secondsAgo(119) }), 'apply 2, ok, serving 1, bringing in 2'],
  [
    'a pod that waits for the cluster may do so for an hour',
    switching(
      { waiting: { reason: 'Unschedulable', message: 'no node' }, createdAt: secondsAgo(3600) },
      { memory: { serving: id(1), rollout: { ...id(2), startTime: secondsAgo(3600) }, rejected: [] } },
    ),
    'apply 2, ok, serving 1, bringing in 2',
  ],
  [
    'a pod of another template is no evidence',
    switching({ ...fault, template: 'earlier' }),
    'apply 2, ok, serving 1, bringing in 2',
  ],
  [
    'pods of a template this operator would not make now are no evidence',
    switching(fault, { deployment: deployed(2, { isCurrent: false }) }),
    'apply 2, ok, serving 1, bringing in 2',
  ],
  [
    'what a leftover pod did before this try began is no evidence',
    switching({ fault: { reason: 'DigestMismatch', message: 'm', at: secondsAgo(100) }, createdAt: secondsAgo(300) }),
    'apply 2, ok, serving 1, bringing in 2',
  ],
  [
    'what it did since is',
    switching({ ...fault, createdAt: secondsAgo(300) }),
    'apply 1, VersionRejected, serving 1, rejected 2 DigestMismatch',
  ],
  [
    'the version that answers is not turned down for what keeps one of its pods from starting',
    situation(
      {},
      {
        deployment: deployed(2),
        pods: [answering(2), pod(2, { fault: { reason: 'CrashLoop', message: 'm' } })],
        memory: { serving: id(2), rejected: [] },
      },
    ),
    'apply 2, ok, serving 2',
  ],
  [
    'the status was lost: a Deployment that is rolled out says what answers',
    situation({ version: 2 }, { deployment: deployed(2, rolled), pods: [answering(2)] }),
    'apply 2, ok, serving 2, complete',
  ],
  [
    'the status was lost in the middle of a switch: the old pods that answer say it, and there is a way back',
    switching(fault, { memory: { rejected: [] } }),
    'apply 1, VersionRejected, serving 1, rejected 2 DigestMismatch',
  ],
  [
    'what answers is known by its pods only: nothing is touched',
    switching(fault, { versions: [proven(2)], memory: { rejected: [] } }),
    'leave, VersionRejected, serving 1, rejected 2 DigestMismatch',
  ],
  [
    'the wish changed while a completed rollout was not written down: the newest that answered is remembered',
    situation(
      { version: 1 },
      { deployment: deployed(2, rolled), pods: [answering(2)], memory: { serving: id(1), rejected: [] } },
    ),
    'apply 1, ok, serving 2, bringing in 1',
  ],
  [
    'stopped: the template follows the wish, and nothing counts as proven by that',
    situation(
      { version: 2, replicas: 0 },
      { deployment: deployed(2, { ...rolled, replicas: 0 }), memory: { serving: id(1), rejected: [] } },
    ),
    'apply 2, ok, serving 1',
  ],
];

for (const [name, given, expected] of rows) test(name, () => assert.equal(outcome(given), expected));

const served = { deployment: deployed(1, rolled), pods: [answering(1)] };
const knowing = (rejected: readonly Rejection[]) => ({ ...served, memory: { serving: id(1), rejected } });
const refused = 'apply 1, VersionRejected, serving 1, rejected 2 InvalidModel, complete';
const triedAgain = 'apply 2, ok, serving 1, rejected 2 InvalidModel, bringing in 2';
const passedOver = 'apply 1, ok, serving 1, rejected 2 InvalidModel, complete';

const attempts: readonly [name: string, Situation, expected: string][] = [
  ['a rejected version is not tried again', situation({ version: 2 }, knowing([rejection(2)])), refused],
  [
    'not even when the number of replicas changes, by hand or by an autoscaler',
    situation({ version: 2, replicas: 5 }, knowing([rejection(2)])),
    'apply 1, VersionRejected, serving 1, rejected 2 InvalidModel',
  ],
  ['latest passes over it, whoever tried it', situation({}, knowing([rejection(2)])), passedOver],
  [
    'a version that latest turned down is tried when it is asked for by number',
    situation({ version: 2 }, knowing([rejection(2, { wanted: 'latest' })])),
    triedAgain,
  ],
  [
    'other bytes under that number are tried',
    situation({}, knowing([rejection(2, { digest: digest(9) })])),
    triedAgain,
  ],
  [
    'other resources or another deadline try it again',
    situation({ version: 2, settings: 'more memory' }, knowing([rejection(2)])),
    triedAgain,
  ],
  ['the annotation tries it again', situation({ version: 2, retry: '2' }, knowing([rejection(2)])), triedAgain],
  ['with latest too', situation({ retry: '2' }, knowing([rejection(2)])), triedAgain],
  [
    'the annotation names another version: no',
    situation({ version: 2, retry: '22' }, knowing([rejection(2)])),
    refused,
  ],
  [
    'the annotation has been used up by a rejection',
    situation({ version: 2, retry: '2' }, knowing([rejection(2, { retry: '2' })])),
    refused,
  ],
  [
    'another value is another try',
    situation({ version: 2, retry: '2-again' }, knowing([rejection(2, { retry: '2' })])),
    triedAgain,
  ],
];
for (const [name, given, expected] of attempts) test(name, () => assert.equal(outcome(given), expected));

const crash = (secondsSince: number) => ({
  crash: { reason: 'OutOfMemory', message: 'more memory', at: secondsAgo(secondsSince) },
});
/** Version 2 was brought in 60 s ago after version 1; one of its pods is as `two` says. */
const onProbation = (
  two: Partial<PodFacts>,
  memory: Partial<Situation['memory']> = {},
  more: Partial<Situation> = {},
) =>
  situation(
    { version: 2 },
    {
      deployment: deployed(2, rolled),
      pods: [pod(2, { isReady: true, ...two })],
      memory: { serving: id(2), since: secondsAgo(60), previous: 1, rejected: [], ...memory },
      ...more,
    },
  );
const turnedDown = 'apply 1, VersionRejected, serving 2, rejected 2 OutOfMemory, bringing in 1';
const kept = 'apply 2, ok, serving 2, complete';
const after = { rejected: [rejection(2, { reason: 'OutOfMemory', time: secondsAgo(5) })] };

const probation: readonly [name: string, Situation, expected: string][] = [
  ['a crash after it was ready turns it down, and the version before comes back', onProbation(crash(10)), turnedDown],
  ['the same while its server has not started again', onProbation({ ...crash(10), isReady: false }), turnedDown],
  [
    'with latest the next one is taken',
    onProbation(crash(10), {}, { wanted: situation({}).wanted }),
    'apply 1, ok, serving 2, rejected 2 OutOfMemory, bringing in 1',
  ],
  ['in the very second in which it was brought in', onProbation(crash(60)), turnedDown],
  ['a crash before it was brought in is none', onProbation(crash(61)), kept],
  [
    'the operator was away and looks long after: it decides as if it had not been',
    onProbation(crash(3000), { since: secondsAgo(3060) }),
    turnedDown,
  ],
  ['a crash after the progress deadline is no verdict', onProbation(crash(10), { since: secondsAgo(131) }), kept],
  [
    'a crash of a pod of another template is none',
    onProbation({ ...crash(10), template: 'earlier' }),
    'apply 2, ok, serving 2',
  ],
  ['there is nothing to go back to: it stays', onProbation(crash(10), { previous: 7 }), kept],
  [
    'what answered before is being deleted: it stays',
    onProbation(crash(10), {}, { versions: [proven(2), proven(1, { isDeleting: true })] }),
    kept,
  ],
  [
    'what was come back to is not on probation: a client that kills both leads not from one to the other for ever',
    situation(
      { version: 2 },
      {
        deployment: deployed(1, rolled),
        pods: [pod(1, { isReady: true, ...crash(10) })],
        memory: { serving: id(1), since: secondsAgo(60), previous: 2, rejected: [rejection(2)] },
      },
    ),
    refused,
  ],
  [
    'while it is gone back, the evidence of the crash writes no second verdict',
    onProbation(crash(10), after),
    turnedDown,
  ],
  [
    'until what was there before answers on all replicas, the crashing one answers',
    onProbation(crash(10), after, { deployment: deployed(1), pods: [answering(2), pod(1)] }),
    turnedDown,
  ],
  [
    'then it is what answers, and the verdict stays',
    onProbation({}, after, { deployment: deployed(1, rolled), pods: [answering(1)] }),
    'apply 1, VersionRejected, serving 1, rejected 2 OutOfMemory, complete',
  ],
  [
    'what was there before cannot be brought back: the crashing one stays, and nothing goes in circles',
    onProbation({}, { rejected: [rejection(1), ...after.rejected] }),
    'apply 2, VersionRejected, serving 2, rejected 1 InvalidModel, rejected 2 OutOfMemory, complete',
  ],
  [
    'asked for again it stays, and its old crash is not held against it',
    onProbation(crash(10), after, { wanted: { ...situation({}).wanted, version: 2, retry: '2' } }),
    'apply 2, ok, serving 2, rejected 2 OutOfMemory, complete',
  ],
  [
    'a new crash is',
    onProbation(crash(2), after, { wanted: { ...situation({}).wanted, version: 2, retry: '2' } }),
    turnedDown,
  ],
];
for (const [name, given, expected] of probation)
  test(`on probation: ${name}`, () => assert.equal(outcome(given), expected));

test('asking for another version and back tries the rejected one again', () => {
  const away = decide(situation({ version: 1 }, knowing([rejection(2)])));
  assert.equal(outcome(situation({ version: 2 }, knowing(away.rejected))), triedAgain);
});

test('a rejection remembers the annotation it used up, and the wish it was tried for', () => {
  const { rejected } = decide({ ...switching(fault), wanted: { ...switching({}).wanted, retry: '2' } });
  const [first] = rejected;
  assert.equal(first?.retry, '2');
  assert.equal(first?.wanted, '2');
  assert.equal(first?.message, 'other bytes');
});

test('a version that was rejected once and answers now is not reproached any more', () => {
  const given = switching({}, { deployment: deployed(2, rolled), pods: [answering(2)] });
  assert.deepEqual(decide({ ...given, memory: { ...given.memory, rejected: [rejection(2)] } }).rejected, []);
});

test('the start of a rollout is kept for as long as it lasts', () => {
  assert.equal(decide(switching({})).rollout?.startTime, secondsAgo(40));
  const fresh = decide(situation({ version: 2 })).rollout?.startTime;
  assert.equal(fresh, '2026-01-01T12:00:00Z');
});

test('while a server loads, it is looked at again when its time is up', () => {
  assert.equal(decide(switching({ loadingSince: secondsAgo(100) })).lookAgainAfterMs, 20_000);
  assert.equal(decide(switching({})).lookAgainAfterMs, undefined);
});

test('while pods fetch, they are looked at again soon: no watch tells how the object storage is', () => {
  assert.equal(decide(switching({ isFetching: true })).lookAgainAfterMs, 10_000);
  assert.equal(decide(switching({ isFetching: true, template: 'earlier' })).lookAgainAfterMs, undefined);
});

const staged = (version: number, stage: string, aliases: string[] = []) => proven(version, { stage, aliases });
const labelled: readonly [name: string, Situation, expected: string][] = [
  [
    'a stage means its highest ready number',
    situation(
      { version: 'Production' },
      {
        versions: [
          { ...unproven(4), stage: 'Production' },
          staged(3, 'Staging'),
          staged(2, 'Production'),
          staged(1, 'Production'),
        ],
      },
    ),
    'apply 2, ok, serving none, bringing in 2',
  ],
  [
    'an alias means the version it points to, however high others are',
    situation({ version: '@champion' }, { versions: [proven(3), staged(2, 'None', ['champion']), proven(1)] }),
    'apply 2, ok, serving none, bringing in 2',
  ],
  [
    'an empty stage keeps what answers',
    situation({ version: 'Production' }, { ...served, memory: { serving: id(1), rejected: [] } }),
    'apply 1, VersionNotFound, serving 1, complete',
  ],
  [
    'so does an alias that points nowhere',
    situation({ version: '@champion' }, { ...served, memory: { serving: id(1), rejected: [] } }),
    'apply 1, VersionNotFound, serving 1, complete',
  ],
  [
    'an empty stage of a service that never answered makes nothing',
    situation({ version: 'Staging' }),
    'leave, VersionNotFound, serving none',
  ],
  [
    'a stage whose versions are not proven waits',
    situation({ version: 'Staging' }, { ...knowing([]), versions: [{ ...unproven(2), stage: 'Staging' }, proven(1)] }),
    'apply 1, VersionNotReady, serving 1, complete',
  ],
  [
    'what a stage points to is refused once it was rejected for that stage, as a number is',
    situation(
      { version: 'Production' },
      {
        ...knowing([rejection(2, { wanted: 'Production' })]),
        versions: [staged(2, 'Production'), staged(1, 'Production')],
      },
    ),
    refused,
  ],
  [
    'latest passes over what is archived',
    situation({}, { ...knowing([]), versions: [staged(2, 'Archived'), proven(1)] }),
    'apply 1, ok, serving 1, complete',
  ],
  [
    'latest goes on to an older version when the newest is archived',
    situation(
      {},
      {
        versions: [staged(2, 'Archived'), proven(1)],
        ...{ deployment: deployed(2, rolled), pods: [answering(2)], memory: { serving: id(2), rejected: [] } },
      },
    ),
    'apply 1, ok, serving 2, bringing in 1',
  ],
  [
    'with everything archived what answers goes on',
    situation({}, { ...knowing([]), versions: [staged(1, 'Archived')] }),
    'apply 1, VersionNotFound, serving 1, complete',
  ],
  [
    'what is archived may be asked for by its number, or by that stage',
    situation({ version: 'Archived' }, { versions: [proven(2), staged(1, 'Archived')] }),
    'apply 1, ok, serving none, bringing in 1',
  ],
];
for (const [name, given, expected] of labelled) test(name, () => assert.equal(outcome(given), expected));

test('an empty stage and an alias that points nowhere say what to type', () => {
  const says = (version: string) => {
    const { choice } = decide(situation({ version }));
    return 'problem' in choice ? choice.problem.message : '';
  };
  assert.match(
    says('Production'),
    /kubectl patch mv iris-v2 -n ns --type=merge -p '\{"spec":\{"stage":"Production"\}\}'/,
  );
  assert.match(
    says('@champion'),
    /kubectl patch mv iris-v2 -n ns --type=merge -p '\{"spec":\{"aliases":\["champion"\]\}\}'/,
  );
});

test('in use is what answers, what is there, what comes, and what is asked for by number', () => {
  const given = switching({});
  assert.deepEqual(usedBy(given, decide(given)), [1, 2]);
  const unknown = situation({ version: 7 }, knowing([]));
  assert.deepEqual(usedBy(unknown, decide(unknown)), [1, 7]);
});

test('only a release that neither answers nor is there is begun', () => {
  const begun = (given: Situation) => begins(given, decide(given));
  assert.equal(begun(situation({ version: 2 }, knowing([]))), true);
  assert.equal(begun(switching({})), false);
  assert.equal(begun(situation({ version: 1 }, knowing([]))), false);
  assert.equal(begun(situation({ version: 7 }, knowing([]))), false);
});

const storageOutage = { reason: 'BucketMissing', message: 'the object storage is away since noon' };
const hindrances: readonly [name: string, Situation, expected: string | undefined][] = [
  ['hinders pods that fetch', switching({ isFetching: true }, { storageOutage }), 'BucketMissing'],
  ['not those that have what they need', switching({}, { storageOutage }), undefined],
  ['not those of another template', switching({ isFetching: true, template: 'earlier' }, { storageOutage }), undefined],
];
for (const [name, given, expected] of hindrances)
  test(`an outage of the object storage ${name}`, () => assert.equal(hindrance(given)?.reason, expected));
