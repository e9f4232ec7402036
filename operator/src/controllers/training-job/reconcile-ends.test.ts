/** How runs end, what is told of them while they go on, and what stays. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runKeyFor } from '@slipway/contract';
import type { Run } from '@slipway/database';
import { Job } from '../../api/batch-job.ts';
import type { KubeObject } from '../../api/meta.ts';
import { ModelVersion } from '../model-version/api.ts';
import { TrainingJob } from './api.ts';
import { jobKey, runLabel } from './names.ts';
import { asJson, failedJob, failedPod, firstRun, key, runningPod, START, world } from './testing/world.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const hourly = { schedule: '0 * * * *' };
const tickKey = (at: number) => runKeyFor('u1', { kind: 'schedule', at: new Date(at) });
const tokenKey = (token: string) => runKeyFor('u1', { kind: 'manual', token });

const evicted = (message: string) => ({ phase: 'Failed', reason: 'Evicted', message });

const failures = [
  {
    name: 'memory of an image of its own',
    spec: { algorithm: undefined, container: { image: 'x', resources: { limits: { memory: '64Mi' } } } },
    pod: failedPod('trainer', { exitCode: 137, reason: 'OOMKilled' }),
    reason: 'OOMKilled',
    message: /more memory than its limit: raise spec\.container\.resources\.limits\.memory/,
    attempts: [{ exitCode: 137, reason: 'OOMKilled' }],
  },
  {
    name: 'a full disk names the volume',
    pod: evicted('Usage of EmptyDir volume "output" exceeds the limit "10Gi". '),
    reason: 'Evicted',
    message: /EmptyDir volume "output" exceeds the limit "10Gi"\..*\/output is full/,
    attempts: [{ reason: 'Evicted' }],
  },
  {
    name: 'an exit code that is not to be retried says so',
    spec: { algorithm: undefined, container: { image: 'x' }, nonRetriableExitCodes: [3, 7] },
    pod: failedPod('trainer', { exitCode: 7, reason: 'Error', message: 'bad licence' }),
    jobReason: 'PodFailurePolicy',
    reason: 'TrainerFailed',
    message: /exit code 7: bad licence; not retried: spec\.nonRetriableExitCodes has 7/,
    attempts: [{ exitCode: 7, reason: 'TrainerFailed', log: 'bad licence' }],
  },
];
for (const { name, spec = {}, pod, jobReason, reason, message, attempts } of failures) {
  test(name, async () => {
    const w = world(spec);
    await w.turn();
    w.setJob(firstRun, failedJob(jobReason));
    w.addPod(firstRun, pod);
    await w.turn();
    assert.deepEqual([w.succeeded()?.status, w.succeeded()?.reason], ['False', reason]);
    assert.match(w.succeeded()?.message ?? '', message);
    assert.deepEqual(w.read().status?.runs?.[0]?.attempts, attempts);
    assert.deepEqual(w.stores.counted, ['Created failed']);
  });
}

for (const { name, spec = {}, exitCodes, expected } of [
  { name: 'an attempt that failed is repeated', exitCodes: [3], expected: /^attempt 1 of 3 failed and is repeated: / },
  { name: 'the last attempt is not', exitCodes: [3, 3, 3], expected: /^attempt 3 of 3 failed: / },
  { name: 'one whose data is wrong is not', exitCodes: [65], expected: /^attempt 1 of 3 failed: / },
  {
    name: 'one that ended with an exit code of the list is not',
    spec: { algorithm: undefined, container: { image: 'x' }, nonRetriableExitCodes: [7] },
    exitCodes: [7],
    expected: /^attempt 1 of 3 failed: /,
  },
  {
    name: "a container's own exit code 65 is any other",
    spec: { algorithm: undefined, container: { image: 'x' } },
    exitCodes: [65],
    expected: /^attempt 1 of 3 failed and is repeated: /,
  },
]) {
  test(`before the Job has said what comes next: ${name}`, async () => {
    const w = world(spec);
    await w.turn();
    for (const [at, exitCode] of exitCodes.entries()) {
      w.addPod(firstRun, failedPod('trainer', { exitCode, reason: 'Error', message: 'no' }), `pod-${at}`);
    }
    await w.turn();
    assert.equal(w.succeeded()?.status, 'Unknown');
    assert.match(w.succeeded()?.message ?? '', expected);
  });
}

test('attempts stay told when pods and Job are gone', async () => {
  const w = world({ history: { successful: 0, failed: 0 } });
  await w.turn();
  w.addPod(firstRun, failedPod('trainer', { exitCode: 3, message: 'first' }), 'pod-1');
  w.addPod(firstRun, failedPod('trainer', { exitCode: 4, message: 'second' }), 'pod-2');
  w.setJob(firstRun, failedJob());
  await w.turn();
  assert.deepEqual(w.jobs(), []);
  w.kube.objects.delete('Pod/team-a/pod-1');
  w.kube.objects.delete('Pod/team-a/pod-2');
  w.change({ retries: 5 });
  await w.turn();
  assert.deepEqual(
    w.read().status?.runs?.[0]?.attempts?.map(({ exitCode }) => exitCode),
    [3, 4],
  );
});

test('history keeps so many Jobs of either outcome, the newest, and never touches those that go on', async () => {
  const w = world({ ...hourly, concurrencyPolicy: 'Allow', history: { successful: 1, failed: 2 } });
  for (let n = 1; n <= 8; n++) {
    w.annotate(`${n}`);
    w.clock.now += MINUTE;
    await w.turn();
    const runKey = tokenKey(`${n}`);
    const job = w.jobOf(runKey) as Job;
    const metadata = { ...job.metadata, creationTimestamp: new Date(w.clock.now).toISOString() };
    w.kube.put({ ...job, metadata } as KubeObject);
    if (n % 2 === 0) w.publish(runKey);
    else if (n > 1) {
      w.setJob(runKey, failedJob());
      w.addPod(runKey, failedPod('trainer', { exitCode: 1 }), `pod-${n}`);
    }
    await w.turn();
  }
  const kept = ['1', '5', '7', '8'].map((token) => jobKey({ metadata: key }, tokenKey(token)).name);
  assert.deepEqual(w.jobs().sort(), kept.sort());
  assert.equal(w.stores.runs.get(tokenKey('1'))?.status, 'RUNNING');
});

test('a data set that is not there is a run that failed, with how to upload it; then the next run finds it', async () => {
  const w = world({ ...hourly, inputs: [{ name: 'train', uri: 'data://iris-2026' }] });
  w.annotate('1');
  await w.turn();
  assert.deepEqual([w.succeeded()?.status, w.succeeded()?.reason], ['False', 'InputNotFound']);
  assert.match(
    w.succeeded()?.message ?? '',
    /input train: there is no data set iris-2026 .*curl -T iris-2026 .*\/n\/team-a\/data\/iris-2026.*slipway\.dev\/run=/,
  );
  assert.deepEqual(w.jobs(), []);
  w.stores.dataSets.set('team-a/iris-2026', { key: 'team-a/data/up1/iris-2026', sha256: 'b'.repeat(64) });
  w.annotate('2');
  await w.turn();
  assert.equal(w.jobs().length, 1);
  assert.match(JSON.stringify(w.kube.objects.get(`Job/team-a/${w.jobs()[0]}`)), /team-a\/data\/up1\/iris-2026/);
});

test('a run of before specs were kept is done with the spec and the parameters of now', async () => {
  const w = world({ parameters: { C: '0.5' } });
  await w.turn();
  const { spec: _, ...before } = w.stores.runs.get(firstRun) as Run;
  w.stores.runs.set(firstRun, { ...before, parameters: {} });
  w.kube.drop(Job, jobKey({ metadata: key }, firstRun));
  await w.turn();
  assert.match(JSON.stringify(w.kube.objects.get(`Job/team-a/${w.jobs()[0]}`)), /PARAM_C","value":"0\.5"/);
});

test('an algorithm that does not exist is told before any pod is made', async () => {
  const w = world({ algorithm: { name: 'perceptron', target: 'y' } });
  await w.turn();
  assert.deepEqual([w.succeeded()?.reason, w.jobs()], ['UnknownAlgorithm', []]);
  assert.match(w.succeeded()?.message ?? '', /expected one of logistic-regression.*got "perceptron"/);
});

const withProgress = (w: ReturnType<typeof world>, progress: unknown, runKey = firstRun) => {
  const run = w.stores.runs.get(runKey) as Run;
  w.stores.runs.set(runKey, { ...run, progress: typeof progress === 'string' ? progress : JSON.stringify(progress) });
};

test('progress, metrics and time left of the run that goes on are shown, and looked at every five seconds', async () => {
  const w = world();
  await w.turn();
  assert.equal(w.asked.requeueAfterMs, 5_000);
  w.addPod(firstRun, runningPod('trainer'));
  withProgress(w, { percent: 40.7, etaSeconds: 80, message: 'tree 40 of 100' });
  w.stores.runs.set(firstRun, { ...(w.stores.runs.get(firstRun) as Run), metrics: { loss: 0.25 } });
  await w.turn();
  assert.equal(w.read().status?.progress, '40% (tree 40 of 100), about 1m20s left');
  assert.deepEqual(w.read().status?.runs?.[0]?.metrics, { loss: '0.25' });
  w.publish(firstRun, { r2: 0.75 });
  await w.turn();
  assert.equal(w.read().status?.progress, undefined);
  assert.equal(w.read().status?.score, '0.75');
});

const tags = [
  { name: 'not JSON', tag: '40%', shown: undefined },
  { name: 'out of range', tag: { percent: 140 }, shown: undefined },
  { name: 'without a percentage', tag: { message: 'hello' }, shown: undefined },
  { name: 'endless', tag: `{"percent":1,"message":"${'x'.repeat(5000)}"}`, shown: undefined },
  {
    name: 'of several lines',
    tag: { percent: 99.99, message: 'epoch 3\n\u001b[31mof 10\u0000' },
    shown: '99% (epoch 3 [31mof 10)',
  },
  { name: 'of a trainer that is done', tag: { percent: 100, etaSeconds: 0, message: 'done' }, shown: '100% (done)' },
  { name: 'with an absurd time', tag: { percent: 1, etaSeconds: 1e300 }, shown: '1%, about 999h0m left' },
];
for (const { name, tag, shown } of tags) {
  test(`a progress tag ${name} shows ${shown}`, async () => {
    const w = world();
    await w.turn();
    withProgress(w, tag);
    await w.turn();
    assert.equal(w.read().status?.progress, shown);
  });
}

test('a result that is late is told once and goes on; it stays told, and is False for the next run', async () => {
  const w = world({ sla: '10m', deadline: '1h' });
  await w.turn();
  assert.equal(w.condition('SlaMissed')?.status, 'False');
  w.clock.now = START + 9 * MINUTE + 58_000;
  await w.turn();
  assert.equal(w.asked.requeueAfterMs, 2_001);
  w.clock.now = START + 10 * MINUTE + 1;
  await w.turn();
  await w.turn();
  assert.equal(w.condition('SlaMissed')?.status, 'True');
  assert.match(w.condition('SlaMissed')?.message ?? '', /not done by 2026-01-01T00:10:00Z \(spec\.sla 10m\)/);
  w.clock.now += MINUTE;
  w.publish(firstRun);
  await w.turn();
  await w.turn();
  assert.deepEqual([w.condition('SlaMissed')?.status, w.succeeded()?.status], ['True', 'True']);
  assert.deepEqual(
    w.events('SlaMissed').map(({ type }) => type),
    ['Warning'],
  );
  w.change({ parameters: { C: '2' } });
  await w.turn();
  assert.equal(w.condition('SlaMissed')?.status, 'False');
  assert.deepEqual(w.stores.counted, ['sla missed', 'Created succeeded']);
});

test('late is told for every run, even if the operator was down while it happened', async () => {
  const w = world({ ...hourly, sla: '10m', deadline: '1h' });
  w.clock.now = START + HOUR;
  await w.turn();
  for (const hour of [1, 2]) {
    w.clock.now = START + hour * HOUR + 30 * MINUTE;
    w.publish(tickKey(START + hour * HOUR));
    await w.turn();
    assert.equal(w.condition('SlaMissed')?.status, 'True');
    w.clock.now = START + (hour + 1) * HOUR;
    if (hour === 1) await w.turn();
  }
  assert.equal(w.events('SlaMissed').length, 2);
});

test('a tick that waits too long for its turn is late before it starts, and is not told again when it does', async () => {
  const w = world({ ...hourly, sla: '10m', deadline: '3h' });
  w.clock.now = START + HOUR;
  await w.turn();
  w.clock.now = START + HOUR + 5 * MINUTE;
  await w.turn();
  w.clock.now = START + 2 * HOUR;
  await w.turn();
  const afterFirst = w.events('SlaMissed').length;
  w.clock.now = START + 2 * HOUR + 11 * MINUTE;
  await w.turn();
  assert.match(w.condition('SlaMissed')?.message ?? '', /scheduled for 2026-01-01T02:00/);
  assert.equal(w.events('SlaMissed').length, afterFirst + 1);
  w.publish(tickKey(START + HOUR));
  await w.turn();
  await w.turn();
  assert.equal(w.events('SlaMissed').length, afterFirst + 1);
});

test('a run that outlasts several ticks is told once, and so is each tick that waits behind it', async () => {
  const w = world({ ...hourly, sla: '10m', deadline: '9h' });
  w.clock.now = START + HOUR;
  await w.turn();
  for (let minutes = 70; minutes <= 5 * 60; minutes += 10) {
    w.clock.now = START + minutes * MINUTE + 1;
    await w.turn();
  }
  const hours = w.events('SlaMissed').map(({ note }) => Number(/T0(\d):00/.exec(note)?.[1]));
  assert.deepEqual(hours, [1, 2, 3, 4]);
  assert.equal(w.stores.counted.length, 4);
});

test('a run that ended late is told of although the next one was started in the same look', async () => {
  const w = world({ ...hourly, sla: '10m' });
  w.clock.now = START + HOUR;
  await w.turn();
  w.clock.now = START + 2 * HOUR - MINUTE;
  w.publish(tickKey(START + HOUR));
  w.clock.now = START + 2 * HOUR;
  await w.turn();
  assert.deepEqual([w.events('SlaMissed').length, w.condition('SlaMissed')?.status], [1, 'False']);
  await w.turn();
  assert.equal(w.events('SlaMissed').length, 1);
});

test('a run that publishes after it was given up is told as finished: its version is there', async () => {
  const w = world();
  await w.turn();
  w.addPod(firstRun, failedPod('trainer', { exitCode: 137 }));
  w.setJob(firstRun, failedJob('DeadlineExceeded'));
  await w.turn();
  assert.equal(w.succeeded()?.reason, 'DeadlineExceeded');
  w.publish(firstRun, { accuracy: 0.9 });
  await w.turn();
  assert.deepEqual([w.succeeded()?.status, w.read().status?.runs?.[0]?.version], ['True', 1]);
  assert.equal(w.kube.list(ModelVersion).length, 1);
});

test('a request is expected from when it was made', async () => {
  const w = world({ ...hourly, sla: '10m' });
  w.clock.now = START + 10 * MINUTE;
  await w.turn();
  const requestId = '00000000-0000-4000-8000-000000000001';
  w.ask(requestId, {}, new Date(START + 2 * MINUTE));
  await w.turn();
  assert.equal(w.condition('SlaMissed')?.status, 'False');
  w.clock.now = START + 12 * MINUTE + 1;
  await w.turn();
  assert.match(w.condition('SlaMissed')?.message ?? '', /requested at 2026-01-01T00:02/);
});

test('a miss is not told anew when the request it counts from has been collected', async () => {
  const w = world({ ...hourly, sla: '10m' });
  await w.turn();
  const requestId = '00000000-0000-4000-8000-000000000001';
  w.ask(requestId);
  w.clock.now = START + 5 * MINUTE;
  await w.turn();
  w.clock.now = START + 20 * MINUTE;
  w.publish(runKeyFor('u1', { kind: 'request', requestId }));
  await w.turn();
  assert.equal(w.events('SlaMissed').length, 1);
  w.stores.requests.length = 0;
  w.change({ retries: 1 });
  await w.turn();
  assert.equal(w.events('SlaMissed').length, 1);
});

test('the deadline is hard, and the sla stays told when it has passed', async () => {
  const w = world({ sla: '5s', deadline: '20s' });
  await w.turn();
  w.clock.now += 6_000;
  await w.turn();
  w.clock.now += 15_000;
  const pod = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { namespace: 'team-a', name: 'pod-1', labels: runLabel(firstRun) },
  };
  const deletionTimestamp = '2026-01-01T00:00:20Z';
  w.kube.put(asJson({ ...pod, metadata: { ...pod.metadata, deletionTimestamp }, status: runningPod('trainer') }));
  await w.turn();
  assert.equal(w.succeeded()?.message, 'its pod is being stopped');
  w.addPod(firstRun, failedPod('trainer', { exitCode: 137, reason: 'Error' }));
  w.setJob(firstRun, failedJob('DeadlineExceeded'));
  await w.turn();
  assert.deepEqual([w.succeeded()?.reason, w.condition('SlaMissed')?.status], ['DeadlineExceeded', 'True']);
  assert.match(w.succeeded()?.message ?? '', /deadline of 20s: raise spec\.deadline/);
  assert.deepEqual(w.read().status?.runs?.[0]?.attempts, [{ exitCode: 137, reason: 'DeadlineExceeded' }]);
  assert.equal(w.events('SlaMissed').length, 1);
});

const gate = (passed: boolean) => ({
  passed,
  results: [
    { metric: 'rows', passed: true, message: 'rows 150 is at least 100' },
    { metric: 'accuracy', passed, message: `accuracy 0.8 is ${passed ? '' : 'not '}at least 0.9` },
  ],
});

test('a version whose gates failed is a run that succeeded: told which gate, with values, and how to stage it all the same', async () => {
  const w = world({ register: { stage: 'Production', gate: [{ metric: 'accuracy', min: '0.9' }] } });
  await w.turn();
  w.publish(firstRun, { accuracy: 0.8 });
  w.stores.runs.set(firstRun, { ...(w.stores.runs.get(firstRun) as Run), gate: gate(false) });
  await w.turn();
  await w.turn();
  assert.equal(w.succeeded()?.status, 'True');
  assert.match(
    w.succeeded()?.message ?? '',
    /version 1 of model iris is kept.*failed: accuracy 0\.8 is not at least 0\.9;.*stay where they are.*kubectl patch -n team-a mv\/iris-v1/,
  );
  assert.deepEqual([w.condition('GatePassed')?.status, w.condition('GatePassed')?.reason], ['False', 'GateFailed']);
  assert.equal(w.condition('Registered')?.status, 'True');
  assert.deepEqual(w.read().status?.runs?.[0]?.gates, [
    'failed: accuracy 0.8 is not at least 0.9',
    'passed: rows 150 is at least 100',
  ]);
  assert.equal(w.events('GateFailed').length, 1);
  assert.equal(w.events('GateFailed')[0]?.type, 'Warning');
});

test('what a pod says of its gates is one line each, without anything a terminal obeys', async () => {
  const w = world();
  await w.turn();
  w.publish(firstRun);
  const results = [{ metric: 'x', passed: false, message: 'x is 1\u001b[2J\nready\u009b31m' }];
  w.stores.runs.set(firstRun, { ...(w.stores.runs.get(firstRun) as Run), gate: { passed: false, results } });
  await w.turn();
  assert.deepEqual(w.read().status?.runs?.[0]?.gates, ['failed: x is 1 [2J ready 31m']);
  assert.match(w.condition('GatePassed')?.message ?? '', /^failed: x is 1 \[2J ready 31m$/);
});

test('whatever a pod says of its gates, the conditions fit into what the API server takes', async () => {
  const w = world();
  await w.turn();
  w.publish(firstRun);
  const results = Array.from({ length: 32 }, () => ({ metric: 'x', passed: false, message: 'x'.repeat(1024) }));
  w.stores.runs.set(firstRun, { ...(w.stores.runs.get(firstRun) as Run), gate: { passed: false, results } });
  await w.turn();
  for (const type of ['GatePassed', 'Succeeded']) {
    const { length = 0 } = w.condition(type)?.message ?? '';
    assert.ok(length > 1024 && length <= 32_768, `${type}: ${length}`);
  }
});

test('gates that fail again with the next run are told again', async () => {
  const w = world(hourly);
  for (const token of ['a', 'b']) {
    w.annotate(token);
    w.clock.now += MINUTE;
    await w.turn();
    w.publish(tokenKey(token));
    w.stores.runs.set(tokenKey(token), { ...(w.stores.runs.get(tokenKey(token)) as Run), gate: gate(false) });
    await w.turn();
  }
  assert.equal(w.events('GateFailed').length, 2);
});

test('without gates and without a model the conditions are few', async () => {
  const w = world({ model: undefined });
  await w.turn();
  const types = () => w.read().status?.conditions?.map(({ type }) => type);
  assert.deepEqual(types(), ['Running', 'Succeeded']);
  const run = w.stores.runs.get(firstRun) as Run;
  w.stores.runs.set(firstRun, { ...run, status: 'FINISHED', endTime: run.startTime });
  await w.turn();
  assert.deepEqual(types(), ['Running', 'Succeeded']);
  assert.match(w.succeeded()?.message ?? '', /registered nothing, since spec\.model is not set/);
});

test('each transition is one event, however many conditions tell of it, and going on to the next container is none', async () => {
  const w = world();
  await w.turn();
  w.addPod(firstRun, runningPod('fetch'));
  await w.turn();
  const fetched = { name: 'fetch', state: { terminated: { exitCode: 0 } } };
  w.addPod(firstRun, { phase: 'Pending', initContainerStatuses: [fetched, { name: 'trainer', state: {} }] });
  await w.turn();
  assert.equal(w.succeeded()?.message, 'the next container is starting');
  w.addPod(firstRun, runningPod('trainer'));
  await w.turn();
  w.publish(firstRun);
  await w.turn();
  assert.deepEqual(
    w.kube.events.map(({ reason }) => reason),
    ['Pending', 'Running', 'Completed'],
  );
});

test('a Job name that is taken keeps one run from its Job and no other, until the deadline', async () => {
  const w = world({ ...hourly, concurrencyPolicy: 'Allow', deadline: '10m' });
  w.annotate('a');
  await w.turn();
  const apply = w.kube.apply.bind(w.kube);
  const taken = jobKey({ metadata: key }, tokenKey('b')).name;
  const { TerminalError } = await import('../../api/errors.ts');
  w.kube.apply = async (object) => {
    if (object.metadata.name === taken) throw new TerminalError('NameTaken', `Job ${taken} is somebody else's`);
    return apply(object);
  };
  w.annotate('b');
  await w.turn();
  assert.equal(w.condition('Stalled')?.reason, 'NameTaken');
  w.publish(tokenKey('a'));
  await w.turn();
  assert.equal(w.stores.runs.get(tokenKey('b'))?.status, 'RUNNING');
  w.clock.now += 11 * MINUTE;
  await w.turn();
  assert.equal(w.stores.runs.get(tokenKey('b'))?.failure?.reason, 'DeadlineExceeded');
  assert.equal(w.condition('Stalled'), undefined);
});

test('a namespace that is deleted during a run: everything is ended, nothing is projected', async () => {
  const w = world(hourly);
  w.annotate('a');
  await w.turn();
  w.publish(tokenKey('a'));
  w.stores.namespaceIsBeingDeleted = true;
  const object = w.read();
  w.kube.put(asJson({ ...object, metadata: { ...object.metadata, deletionTimestamp: '2026-01-01T00:00:00Z' } }));
  assert.equal(await w.turn(), 'finalized');
  assert.equal(w.kube.get(TrainingJob, key), undefined);
  assert.equal(
    [...w.kube.objects.keys()].some((one) => one.startsWith('ModelVersion/')),
    false,
  );
});

test('an old Job of a run that was ended while the operator was away is stopped', async () => {
  const w = world();
  await w.turn();
  const run = w.stores.runs.get(firstRun) as Run;
  w.stores.runs.set(firstRun, { ...run, status: 'KILLED', endTime: run.startTime });
  await w.turn();
  assert.equal(w.kube.list(Job).length, 0);
  assert.equal(w.succeeded()?.status, 'False');
});
