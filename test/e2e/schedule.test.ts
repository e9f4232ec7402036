/** Training that nobody starts by hand: ticks, tokens, and results that are late. Waits for the clock's own minutes. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { conditionOf, get, waitForCondition } from '../support/conditions.ts';
import { rows } from '../support/database.ts';
import { eventually } from '../support/eventually.ts';
import { RELEASE_NAMESPACE } from '../support/install.ts';
import {
  apply,
  dropNamespace,
  kubectl,
  kubectlJson,
  makeNamespace,
  patch,
  uniqueNamespace,
} from '../support/kubectl.ts';
import { irisTraining } from '../support/manifests.ts';

const namespace = uniqueNamespace('e2e-schedule');
before(() => makeNamespace(namespace));
after(() => dropNamespace(namespace));

interface RunEntry {
  readonly runKey: string;
  readonly runId: string;
  readonly cause: string;
  readonly scheduledTime?: string;
  readonly endTime?: string;
  readonly version?: number;
}
const runsOf = (job: string): readonly RunEntry[] => get(namespace, `tj/${job}`).status?.runs ?? [];
const jobsOf = (job: string): string[] =>
  kubectl(['get', 'jobs', '-n', namespace, '-l', `slipway.dev/training-job=${job}`, '-o', 'name'])
    .split('\n')
    .filter(Boolean);
const eventsOf = (job: string, reason: string) =>
  kubectlJson<{ items: { regarding?: { name: string }; reason: string; note?: string }[] }>(
    ...['get', 'events.events.k8s.io', '-n', namespace],
  ).items.filter((event) => event.regarding?.name === job && event.reason === reason);

/** Changes something that trains nothing, and waits until the operator has looked at the object as it is now. */
async function lookedAt(job: string, status: string): Promise<void> {
  const { retries } = get(namespace, `tj/${job}`).spec as { retries: number };
  patch(namespace, `tj/${job}`, { spec: { retries: retries + 1 } });
  await waitForCondition(namespace, `tj/${job}`, { type: 'Succeeded', status }, 90_000);
}

/** A container that does nothing until its deadline. */
const sleeper = (name: string, spec: Record<string, unknown>): string =>
  irisTraining(name, {
    model: undefined,
    algorithm: undefined,
    inputs: [],
    retries: 0,
    container: { image: 'slipway/trainer:dev', command: ['sh', '-c', 'exec sleep 3600'] },
    ...spec,
  });

test('a schedule trains at its tick, by key, and an operator that comes back does not do it again', async () => {
  // One whose tick is half a day away shows what a schedule does before its first tick; the other may tick at once.
  const later = `0 ${(new Date().getUTCHours() + 12) % 24} * * *`;
  apply(namespace, irisTraining('daily', { schedule: later, timeZone: 'UTC', model: 'daily' }));
  apply(namespace, irisTraining('minutely', { schedule: '* * * * *', timeZone: 'Europe/Berlin', model: 'minutely' }));
  const waiting = { type: 'Succeeded', status: 'Unknown', reason: 'WaitingForSchedule' };
  await waitForCondition(namespace, 'tj/daily', waiting, 60_000);
  assert.deepEqual(jobsOf('daily'), [], 'a scheduled job does not run when it is created');

  const first = await eventually(() => {
    const run = runsOf('minutely').at(-1);
    assert.ok(run?.version, `no run has published: ${JSON.stringify(runsOf('minutely'))}`);
    return run;
  }, 150_000);
  assert.deepEqual(
    runsOf('minutely').filter(({ cause }) => cause !== 'Schedule'),
    [],
    'nothing but ticks started a run',
  );
  const tick = new Date(first.scheduledTime ?? '');
  assert.equal(tick.getTime() % 60_000, 0, 'the scheduled time is the tick, not when the pod came up');

  patch(namespace, 'tj/minutely', { spec: { suspend: true } });
  kubectl([
    ...['delete', 'pod', '-n', RELEASE_NAMESPACE, '-l', 'app.kubernetes.io/component=operator'],
    ...['--force', '--grace-period=0', '--wait=true'],
  ]);
  await lookedAt('minutely', 'True');
  const keys = runsOf('minutely').map(({ runKey }) => runKey);
  assert.equal(new Set(keys).size, keys.length);
  const stored = await rows<{ run_key: string }>(
    "SELECT run_key FROM slipway.runs WHERE namespace = $1 AND training_job = 'minutely'",
    [namespace],
  );
  assert.deepEqual(stored.map(({ run_key }) => run_key).sort(), [...keys].sort());
  assert.equal(get(namespace, 'tj/minutely').status.nextScheduleTime, undefined, 'suspended: no next tick');
  assert.equal(get(namespace, 'tj/minutely').status.missedRuns ?? 0, 0, 'what suspension skips is not missed');
});

test('what no schedule can be is told at once, by field', async () => {
  const cases = [
    { name: 'cron', spec: { schedule: '61 3 * * *' }, says: /spec\.schedule.*61 3 \* \* \*/ },
    { name: 'seconds', spec: { schedule: '0 0 3 * * *' }, says: /spec\.schedule.*five/ },
    { name: 'zone', spec: { schedule: '0 3 * * *', timeZone: 'Mars/Olympus' }, says: /spec\.timeZone.*Mars\/Olympus/ },
  ];
  for (const { name, spec } of cases) apply(namespace, irisTraining(name, spec));
  for (const { name, says } of cases) {
    const stalled = await waitForCondition(namespace, `tj/${name}`, { type: 'Stalled', status: 'True' }, 30_000);
    assert.equal(stalled.reason, 'InvalidSchedule');
    assert.match(stalled.message, says);
    assert.deepEqual(jobsOf(name), []);
  }
  const refused = (spec: Record<string, unknown>) => {
    try {
      apply(namespace, irisTraining('refused', spec));
    } catch (error) {
      return String((error as Error).message);
    }
    return 'accepted';
  };
  assert.match(refused({ sla: '2h', deadline: '1h' }), /sla is longer than deadline/);
});

test('a token is one run, however often it is seen, with its own parameters', async () => {
  apply(namespace, irisTraining('by-hand', { schedule: '0 3 1 1 *', model: 'by-hand' }));
  await waitForCondition(namespace, 'tj/by-hand', {
    type: 'Succeeded',
    status: 'Unknown',
    reason: 'WaitingForSchedule',
  });
  const annotate = (value: string) =>
    kubectl(['annotate', 'tj/by-hand', '-n', namespace, `slipway.dev/run=${value}`, '--overwrite']);
  annotate('first');
  await waitForCondition(namespace, 'tj/by-hand', { type: 'Succeeded', status: 'True' });
  annotate('{"token":"second","parameters":{"C":"0.01"}}');
  await eventually(() => assert.equal(runsOf('by-hand')[0]?.version, 2), 90_000);
  annotate('first');
  await lookedAt('by-hand', 'True');
  annotate('{"token":"third","parameters":{"C":"-1"}}');
  const failed = await waitForCondition(namespace, 'tj/by-hand', { type: 'Succeeded', status: 'False' });
  assert.equal(failed.reason, 'InvalidParameter');
  assert.match(failed.message, /C: expected a number above 0.*"-1"/);
  const runs = runsOf('by-hand');
  assert.deepEqual(
    runs.map(({ cause, version }) => ({ cause, version })),
    [
      { cause: 'Manual', version: undefined },
      { cause: 'Manual', version: 2 },
      { cause: 'Manual', version: 1 },
    ],
  );
  const [asked] = await rows<{ value: string }>(
    "SELECT value FROM slipway.params WHERE namespace = $1 AND run_id = $2 AND key = 'C'",
    [namespace, runs[1]?.runId],
  );
  assert.equal(asked?.value, '0.01');
});

test('a result that is late is told once; one that never comes ends at its deadline', async () => {
  apply(namespace, sleeper('late', { sla: '5s', deadline: '20s' }));
  const late = await waitForCondition(namespace, 'tj/late', { type: 'SlaMissed', status: 'True' }, 60_000);
  assert.match(late.message, /5s/);
  const ended = await waitForCondition(namespace, 'tj/late', { type: 'Succeeded', status: 'False' }, 90_000);
  assert.equal(ended.reason, 'DeadlineExceeded');
  assert.match(ended.message, /20s.*spec\.deadline/);
  assert.equal(eventsOf('late', 'SlaMissed').length, 1);
  assert.equal(
    conditionOf(get(namespace, 'tj/late'), 'SlaMissed')?.status,
    'True',
    'it stays said when the run has ended',
  );
  kubectl(['wait', 'tj/late', '-n', namespace, '--for=condition=Succeeded=false', '--timeout=5s']);
});

test('late is late even if no pod can start', async () => {
  apply(
    namespace,
    irisTraining('no-image', {
      model: undefined,
      algorithm: undefined,
      inputs: [],
      sla: '3s',
      deadline: '5m',
      container: { image: 'slipway/there-is-no-such-image:1' },
    }),
  );
  await waitForCondition(namespace, 'tj/no-image', { type: 'SlaMissed', status: 'True' }, 60_000);
  const waiting = await waitForCondition(namespace, 'tj/no-image', {
    type: 'Succeeded',
    status: 'Unknown',
    reason: 'ImagePull',
  });
  assert.match(waiting.message, /there-is-no-such-image/);
  kubectl(['delete', 'tj/no-image', '-n', namespace]);
});

test('exit codes that mean no use are not tried again; others are, with what each attempt said', async () => {
  const exits = (code: number) => `echo said before ${code}; exit ${code}`;
  for (const [name, code] of [
    ['final', 3],
    ['again', 4],
  ] as const) {
    apply(
      namespace,
      sleeper(name, {
        retries: 1,
        nonRetriableExitCodes: [3],
        container: { image: 'slipway/trainer:dev', command: ['sh', '-c', exits(code)] },
      }),
    );
  }
  await waitForCondition(namespace, 'tj/final', { type: 'Succeeded', status: 'False' }, 60_000);
  await waitForCondition(namespace, 'tj/again', { type: 'Succeeded', status: 'False' }, 120_000);
  const attempts = (job: string) => get(namespace, `tj/${job}`).status.runs[0].attempts;
  assert.equal(attempts('final').length, 1);
  assert.equal(attempts('again').length, 2);
  for (const { exitCode, reason, log } of attempts('again')) {
    assert.equal(exitCode, 4);
    assert.equal(reason, 'TrainerFailed');
    assert.match(log, /said before 4/);
  }
});

test('history keeps so many Jobs and no more; a Job deleted by hand is no reason to train again', async () => {
  apply(
    namespace,
    irisTraining('short', { model: 'short', schedule: '0 3 1 1 *', history: { successful: 1, failed: 1 } }),
  );
  for (const token of ['1', '2', '3']) {
    kubectl(['annotate', 'tj/short', '-n', namespace, `slipway.dev/run=${token}`, '--overwrite']);
    await eventually(() => assert.equal(runsOf('short')[0]?.version, Number(token)), 90_000);
  }
  await eventually(() => assert.equal(jobsOf('short').length, 1), 30_000);
  kubectl(['delete', ...jobsOf('short'), '-n', namespace]);
  await lookedAt('short', 'True');
  assert.deepEqual(jobsOf('short'), []);
  assert.equal(runsOf('short').length, 3);
});
