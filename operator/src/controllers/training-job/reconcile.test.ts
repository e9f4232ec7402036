import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Job } from '../../api/batch-job.ts';
import type { KubeObject } from '../../api/meta.ts';
import { Pod } from '../../api/pod.ts';
import { ModelVersion } from '../model-version/api.ts';
import { jobKey } from './names.ts';
import { failedJob, failedPod, firstRun, key, keyOfGeneration, runningPod, START, world } from './testing/world.ts';

test('a new TrainingJob starts one run and one Job, and says it waits', async () => {
  const { turn, stores, jobs, succeeded } = world();
  assert.equal(await turn(), 'requeued');
  assert.deepEqual([...stores.runs.keys()], [firstRun]);
  assert.equal(jobs().length, 1);
  assert.deepEqual([succeeded()?.status, succeeded()?.reason], ['Unknown', 'Pending']);
});

test('a steady state writes nothing', async () => {
  const w = world();
  await w.turn();
  w.kube.calls.length = 0;
  w.stores.writes.length = 0;
  await w.turn();
  assert.deepEqual([w.kube.calls, w.stores.writes], [[], []]);
});

test('a published run is Completed with version and metrics as strings, and its version becomes an object', async () => {
  const w = world();
  await w.turn();
  w.stores.publish(firstRun, 'iris', { accuracy: 0.9736842105263158, samples: 150 });
  assert.equal(await w.turn(), 'success');
  assert.deepEqual([w.succeeded()?.status, w.succeeded()?.reason], ['True', 'Completed']);
  assert.match(
    w.succeeded()?.message ?? '',
    /version 1 of model iris .*accuracy 0\.973684.*kubectl wait -n team-a mv\/iris-v1/,
  );
  const [run] = w.read().status?.runs ?? [];
  assert.equal(run?.version, 1);
  assert.deepEqual(run?.metrics, { accuracy: '0.973684', samples: '150' });
  const version = w.kube.get(ModelVersion, { namespace: 'team-a', name: 'iris-v1' });
  assert.equal(version?.spec.version, 1);
  assert.equal(version?.metadata.ownerReferences, undefined);
});

test('what was published outranks what the Job says', async () => {
  const w = world();
  await w.turn();
  w.stores.publish(firstRun, 'iris');
  w.setJob(firstRun, failedJob());
  await w.turn();
  assert.equal(w.succeeded()?.status, 'True');
});

test('a finished run is not run again because its Job vanished', async () => {
  const w = world();
  await w.turn();
  w.stores.publish(firstRun, 'iris');
  await w.turn();
  w.kube.drop(Job, jobKey({ metadata: key }, firstRun));
  w.kube.calls.length = 0;
  await w.turn();
  assert.deepEqual(w.kube.calls, []);
});

test('a Job deleted by hand is made again under the same run key, with the time that is left', async () => {
  const w = world({ deadline: '10m' });
  await w.turn();
  w.kube.drop(Job, jobKey({ metadata: key }, firstRun));
  w.clock.now += 60_000;
  await w.turn();
  assert.equal(w.stores.runs.size, 1);
  const made = w.kube.objects.get(`Job/team-a/${jobKey({ metadata: key }, firstRun).name}`) as unknown as {
    spec: { activeDeadlineSeconds: number };
  };
  assert.equal(made.spec.activeDeadlineSeconds, 540);
});

test('a Job deleted by hand after the deadline closes the run', async () => {
  const w = world({ deadline: '10m' });
  await w.turn();
  w.kube.drop(Job, jobKey({ metadata: key }, firstRun));
  w.clock.now += 601_000;
  await w.turn();
  assert.deepEqual([w.succeeded()?.status, w.succeeded()?.reason], ['False', 'DeadlineExceeded']);
  assert.deepEqual(w.jobs(), []);
});

test('a suspended Job is made again', async () => {
  const w = world();
  await w.turn();
  w.kube.put({ ...(w.jobOf(firstRun) as Job), spec: { suspend: true } } as KubeObject);
  await w.turn();
  await w.turn();
  assert.equal(w.jobs().length, 1);
  assert.equal(w.jobOf(firstRun)?.spec?.suspend, undefined);
});

const failures = [
  {
    name: "the trainer's exit code and last log lines are told",
    pod: failedPod('trainer', { exitCode: 3, reason: 'Error', message: 'loading\nthe disk is on fire\n' }),
    reason: 'TrainerFailed',
    message:
      /container trainer ended with exit code 3: the disk is on fire; its last log lines:\nloading\nthe disk is on fire$/,
    attempt: { exitCode: 3, reason: 'TrainerFailed', log: 'loading\nthe disk is on fire' },
  },
  {
    name: 'a container that says itself what is wrong is quoted',
    pod: failedPod('fetch', {
      exitCode: 65,
      reason: 'Error',
      message: JSON.stringify({ stage: 'fetch', reason: 'InputNotFound', message: 'input train: create it' }),
    }),
    reason: 'InputNotFound',
    message: /^input train: create it$/,
    attempt: { exitCode: 65, reason: 'InputNotFound' },
  },
  {
    name: 'a trainer that needs too much memory is told which field to raise',
    pod: failedPod('trainer', { exitCode: 137, reason: 'OOMKilled' }),
    reason: 'OOMKilled',
    message: /spec\.resources\.limits\.memory/,
    attempt: { exitCode: 137, reason: 'OOMKilled' },
  },
  {
    name: 'a command that does not exist is a configuration error',
    pod: failedPod('trainer', { exitCode: 128, reason: 'StartError', message: 'exec: "trian": not found' }),
    reason: 'ConfigurationError',
    message: /exec: "trian": not found/,
    attempt: { exitCode: 128, reason: 'ConfigurationError' },
  },
];
for (const { name, pod, reason, message, attempt } of failures) {
  test(name, async () => {
    const w = world();
    await w.turn();
    w.setJob(firstRun, failedJob());
    w.addPod(firstRun, pod);
    assert.equal(await w.turn(), 'success');
    assert.deepEqual([w.succeeded()?.status, w.succeeded()?.reason], ['False', reason]);
    assert.match(w.succeeded()?.message ?? '', message);
    assert.deepEqual(w.read().status?.runs?.[0]?.attempts, [attempt]);
    assert.equal(w.stores.runs.get(firstRun)?.status, 'FAILED');
  });
}

test('a Job that failed before its pod was seen to fail waits for the pod, not for ever', async () => {
  const w = world();
  await w.turn();
  w.setJob(firstRun, failedJob());
  w.clock.now = Date.parse('2026-01-01T00:00:31Z');
  await w.turn();
  assert.equal(w.succeeded()?.status, 'Unknown');
  w.clock.now = Date.parse('2026-01-01T00:01:00Z');
  await w.turn();
  assert.deepEqual([w.succeeded()?.status, w.succeeded()?.message], ['False', 'Job said so']);
});

test('a deadline that passed while an image could not be pulled says so', async () => {
  const w = world();
  await w.turn();
  const waiting = { reason: 'ImagePullBackOff', message: 'not found' };
  w.addPod(firstRun, {
    phase: 'Pending',
    initContainerStatuses: [{ name: 'trainer', image: 'nobody/x:1', state: { waiting } }],
  });
  await w.turn();
  assert.deepEqual([w.succeeded()?.status, w.succeeded()?.reason], ['Unknown', 'ImagePull']);
  assert.match(w.succeeded()?.message ?? '', /nobody\/x:1.*until spec\.deadline/);
  w.kube.drop(Pod, { namespace: 'team-a', name: 'pod-1' });
  w.setJob(firstRun, failedJob('DeadlineExceeded'));
  await w.turn();
  assert.deepEqual([w.succeeded()?.status, w.succeeded()?.reason], ['False', 'DeadlineExceeded']);
  assert.match(w.succeeded()?.message ?? '', /deadline of 1h.*nobody\/x:1/);
});

const since = '2026-01-01T00:00:10.000Z';
for (const [container, dependency, reason] of [
  ['publish', 'objectStorage', 'ObjectStorageUnavailable'],
  ['publish', 'postgres', 'PostgresUnavailable'],
  ['fetch', 'objectStorage', 'ObjectStorageUnavailable'],
] as const) {
  test(`${dependency} away while ${container} runs: Unknown/${reason} since when, and Running again when it is back`, async () => {
    const w = world();
    await w.turn();
    w.addPod(firstRun, runningPod(container));
    w.stores.health = { ...w.stores.health, [dependency]: { up: false, since, reason, message: 'no answer' } };
    assert.equal(await w.turn(), 'requeued');
    assert.deepEqual([w.succeeded()?.status, w.succeeded()?.reason], ['Unknown', reason]);
    assert.match(w.succeeded()?.message ?? '', /away since 2026-01-01T00:00:10/);
    w.stores.health = { postgres: { up: true }, objectStorage: { up: true } };
    await w.turn();
    assert.equal(w.succeeded()?.reason, 'Running');
  });
}

test('Postgres away leaves what is concluded as it is', async () => {
  const w = world();
  await w.turn();
  w.stores.publish(firstRun, 'iris');
  await w.turn();
  w.stores.health = {
    ...w.stores.health,
    postgres: { up: false, since, reason: 'PostgresUnavailable', message: 'gone' },
  };
  w.kube.calls.length = 0;
  assert.equal(await w.turn(), 'success');
  assert.deepEqual([w.kube.calls, w.succeeded()?.status], [[], 'True']);
});

test('a change of what is trained is a new run; it replaces one that is still going', async () => {
  const w = world();
  await w.turn();
  w.change({ parameters: { C: '0.5' } });
  await w.turn();
  const second = keyOfGeneration(2);
  assert.deepEqual(w.jobs(), [jobKey({ metadata: key }, second).name]);
  assert.equal(w.stores.runs.get(firstRun)?.status, 'KILLED');
  assert.equal(w.stores.runs.get(firstRun)?.failure?.reason, 'Replaced');
  assert.deepEqual(
    w.read().status?.runs?.map(({ runKey, cause, endTime }) => [runKey, cause, endTime !== undefined]),
    [
      [second, 'SpecChanged', false],
      [firstRun, 'Created', true],
    ],
  );
});

test('a run that published just before it was replaced still becomes a version', async () => {
  const w = world();
  await w.turn();
  w.change({ parameters: { C: '0.5' } });
  w.stores.publish(firstRun, 'iris');
  await w.turn();
  assert.ok(w.kube.get(ModelVersion, { namespace: 'team-a', name: 'iris-v1' }));
  assert.equal(w.read().status?.runs?.[1]?.version, 1);
});

test('what has dropped out of the status is not looked after any more: a version that was taken away stays away', async () => {
  const w = world();
  for (let generation = 1; generation <= 11; generation += 1) {
    await w.turn();
    w.stores.publish(keyOfGeneration(generation), 'iris');
    await w.turn();
    w.change({ parameters: { C: String(generation) } });
  }
  await w.turn();
  assert.deepEqual([w.read().status?.runs?.length, w.succeeded()?.status], [10, 'Unknown']);
  for (const version of [2, 3]) w.kube.drop(ModelVersion, { namespace: 'team-a', name: `iris-v${version}` });
  await w.turn();
  assert.deepEqual(
    [2, 3].filter((version) => w.kube.get(ModelVersion, { namespace: 'team-a', name: `iris-v${version}` })),
    [],
  );
});

test('a change of retries or deadline trains nothing', async () => {
  const w = world();
  await w.turn();
  w.stores.publish(firstRun, 'iris');
  await w.turn();
  w.change({ retries: 5, deadline: '2h' });
  await w.turn();
  assert.equal(w.stores.runs.size, 1);
  assert.equal(w.jobs().length, 1);
  assert.equal(w.succeeded()?.status, 'True');
  assert.equal(w.succeeded()?.observedGeneration, 2);
});

test('a placeholder without a parameter is a run that failed by field, and no pod is made', async () => {
  const container = { image: 'x', args: ['--lr={{params.lr}}'] };
  const w = world({ algorithm: undefined, container });
  await w.turn();
  assert.equal(w.succeeded()?.status, 'False');
  assert.equal(w.succeeded()?.reason, 'ConfigurationError');
  assert.match(w.succeeded()?.message ?? '', /spec\.container\.args\[0\] uses \{\{params\.lr\}\}/);
  assert.equal(w.jobs().length, 0);
});

test('parameters that differ only in case are refused by name: one would be lost', async () => {
  const w = world({ parameters: { C: '1', c: '2' } });
  await w.turn();
  assert.deepEqual([w.succeeded()?.status, w.succeeded()?.reason], ['False', 'ConfigurationError']);
  assert.match(w.succeeded()?.message ?? '', /spec\.parameters has C and c.*PARAM_C/);
  assert.deepEqual(w.jobs(), []);
});

test('a run that published before an edit that cannot run still becomes a version', async () => {
  const w = world();
  await w.turn();
  w.change({ algorithm: undefined, container: { image: 'x', args: ['{{params.lr}}'] } });
  w.stores.publish(firstRun, 'iris');
  await w.turn();
  assert.ok(w.kube.get(ModelVersion, { namespace: 'team-a', name: 'iris-v1' }));
});

test('an edit that cannot run replaces the run that was going on like any other edit', async () => {
  const w = world();
  await w.turn();
  assert.equal(w.jobs().length, 1);
  w.change({ algorithm: undefined, container: { image: 'x', args: ['{{params.lr}}'] } });
  await w.turn();
  assert.equal(w.jobs().length, 0);
  assert.deepEqual([...w.stores.runs.values()].map(({ status }) => status).sort(), ['FAILED', 'KILLED']);
  assert.equal(w.succeeded()?.reason, 'ConfigurationError');
});

test('the operator killed after every write makes one run, one Job and one version all the same', async () => {
  // Each round lets one write more through than the one before, then a fresh operator goes on.
  for (let allowed = 0; allowed < 12; allowed++) {
    const w = world();
    let left = allowed;
    const dieWhenSpent = () => {
      if (left-- <= 0) throw new Error('killed');
    };
    w.kube.onWrite = dieWhenSpent;
    w.stores.onWrite = dieWhenSpent;
    await w.turn();
    await w.turn();
    if (w.stores.runs.has(firstRun)) w.stores.publish(firstRun, 'iris');
    await w.turn();
    w.kube.onWrite = () => {};
    w.stores.onWrite = () => {};
    await w.turn();
    w.stores.publish(firstRun, 'iris');
    await w.turn();
    await w.turn();
    assert.equal(w.stores.runs.size, 1, `killed after ${allowed} writes`);
    assert.equal(w.stores.versions.length, 1, `killed after ${allowed} writes`);
    assert.ok(w.jobs().length <= 1);
    assert.deepEqual(
      w.kube.list(ModelVersion).map(({ metadata }) => metadata.name),
      ['iris-v1'],
    );
    assert.equal(w.succeeded()?.status, 'True', `killed after ${allowed} writes`);
    assert.equal(w.read().status?.runs?.length, 1);
  }
});

const deletion = { deletionTimestamp: '2026-01-01T00:00:00Z' };

test('a deleted TrainingJob closes its run, stops its Job and goes', async () => {
  const w = world();
  await w.turn();
  w.change({}, deletion);
  assert.equal(await w.turn(), 'finalized');
  assert.equal(w.stores.runs.get(firstRun)?.status, 'KILLED');
  assert.deepEqual(w.jobs(), []);
});

test('a deletion waits for Postgres, but no longer than a minute', async () => {
  const w = world();
  await w.turn();
  w.change({}, deletion);
  w.stores.health = {
    ...w.stores.health,
    postgres: { up: false, since, reason: 'PostgresUnavailable', message: 'gone' },
  };
  assert.equal(await w.turn(), 'blocked');
  assert.equal(w.succeeded()?.reason, 'PostgresUnavailable');
  w.clock.now += 61_000;
  assert.equal(await w.turn(), 'finalized');
});

test('the Jobs of three runs that succeeded are kept, and the one of the run that goes on', async () => {
  const w = world();
  await w.turn();
  for (let generation = 1; generation <= 5; generation++) {
    const runKey = keyOfGeneration(generation);
    w.stores.publish(runKey, 'iris');
    const job = w.jobOf(runKey) as Job;
    const metadata = { ...job.metadata, creationTimestamp: new Date(START + generation * 1000).toISOString() };
    w.kube.put({ ...job, metadata, status: { conditions: [{ type: 'Complete', status: 'True' }] } } as KubeObject);
    await w.turn();
    w.change({ parameters: { C: String(generation) } });
    await w.turn();
  }
  const kept = [3, 4, 5, 6].map((generation) => jobKey({ metadata: key }, keyOfGeneration(generation)).name);
  assert.deepEqual(w.jobs().sort(), kept.sort());
});
