/** When runs start: ticks, tokens, requests, and how they get along. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runKeyFor } from '@slipway/contract';
import { Job } from '../../api/batch-job.ts';
import { TrainingJob } from './api.ts';
import { jobKey } from './names.ts';
import { asJson, failedJob, failedPod, firstRun, key, START, world } from './testing/world.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const hourly = { schedule: '0 * * * *' };
const tickKey = (at: number) => runKeyFor('u1', { kind: 'schedule', at: new Date(at) });
const tokenKey = (token: string) => runKeyFor('u1', { kind: 'manual', token });
const requestKey = (requestId: string) => runKeyFor('u1', { kind: 'request', requestId });
const id = (n: number) => `00000000-0000-4000-8000-00000000000${n}`;
const away = { up: false, since: 'x', reason: 'PostgresUnavailable', message: 'gone' } as const;

test('a scheduled job does not train when it is created or changed; it says when it will, and wakes up just then', async () => {
  const w = world(hourly);
  w.clock.now = START + 55 * MINUTE;
  assert.equal(await w.turn(), 'requeued');
  assert.deepEqual([w.succeeded()?.status, w.succeeded()?.reason], ['Unknown', 'WaitingForSchedule']);
  assert.match(w.succeeded()?.message ?? '', /starts at 2026-01-01T01:00:00Z .*kubectl annotate -n team-a tj\/iris/);
  assert.equal(w.read().status?.nextScheduleTime, '2026-01-01T01:00:00Z');
  assert.equal(w.asked.requeueAfterMs, 5 * MINUTE);
  w.change({ parameters: { C: '2' } });
  await w.turn();
  assert.deepEqual([w.runs(), w.jobs()], [[], []]);
});

test('until a tick that is far away it looks every ten minutes: the clock may be put forward', async () => {
  const w = world(hourly);
  await w.turn();
  assert.equal(w.asked.requeueAfterMs, 10 * MINUTE);
});

test('a tick is one run with its time, however often it is looked at', async () => {
  const w = world(hourly);
  await w.turn();
  w.clock.now = START + HOUR;
  await w.turn();
  await w.turn();
  assert.deepEqual(w.runs(), ['s1767229200 Schedule RUNNING']);
  assert.equal(w.read().status?.runs?.[0]?.scheduledTime, '2026-01-01T01:00:00.000Z');
  assert.equal(w.read().status?.ticksSettledUntil, '2026-01-01T01:00:00Z');
  assert.equal(w.read().status?.nextScheduleTime, '2026-01-01T02:00:00Z');
  assert.equal(w.jobs().length, 1);
  assert.equal(w.condition('Running')?.status, 'True');
  w.publish(tickKey(START + HOUR));
  await w.turn();
  assert.deepEqual([w.succeeded()?.status, w.condition('Running')?.status], ['True', 'False']);
});

test('a steady scheduled job writes nothing, and stays as it is while Postgres is away', async () => {
  const w = world(hourly);
  await w.turn();
  w.kube.calls.length = 0;
  w.stores.writes.length = 0;
  w.clock.now += MINUTE;
  await w.turn();
  assert.deepEqual([w.kube.calls, w.stores.writes], [[], []]);
  w.stores.health = { ...w.stores.health, postgres: away };
  await w.turn();
  assert.deepEqual([w.kube.calls, w.succeeded()?.reason], [[], 'WaitingForSchedule']);
});

test('an operator that was down for hours runs the newest tick and counts the others', async () => {
  const w = world(hourly);
  await w.turn();
  w.clock.now = START + 5 * HOUR + MINUTE;
  await w.turn();
  assert.deepEqual(w.runs(), [`s${(START + 5 * HOUR) / 1000} Schedule RUNNING`]);
  assert.equal(w.read().status?.missedRuns, 4);
});

test('a status that was lost starts nothing twice', async () => {
  const w = world(hourly);
  await w.turn();
  w.clock.now = START + HOUR;
  await w.turn();
  w.publish(tickKey(START + HOUR));
  await w.turn();
  const { status: _, ...bare } = w.read();
  w.kube.drop(TrainingJob, key);
  w.kube.put(asJson(bare));
  w.clock.now += 30 * MINUTE;
  await w.turn();
  assert.deepEqual(w.runs(), ['s1767229200 Schedule FINISHED']);
  assert.equal(w.read().status?.missedRuns, undefined);
  assert.equal(w.succeeded()?.status, 'True');
  assert.equal(w.stores.runs.size, 1);
});

test('a clock that jumps back runs no tick twice; one that jumps forward runs one', async () => {
  const w = world(hourly);
  await w.turn();
  w.clock.now = START + 2 * HOUR;
  await w.turn();
  w.publish(tickKey(START + 2 * HOUR));
  await w.turn();
  w.clock.now = START + 30 * MINUTE;
  await w.turn();
  w.clock.now = START + 2 * HOUR + 1;
  await w.turn();
  const ran = [...w.stores.runs.keys()];
  assert.equal(ran.filter((one) => one === tickKey(START + 2 * HOUR)).length, 1);
  assert.equal(w.stores.runs.get(tickKey(START + 2 * HOUR))?.status, 'FINISHED');
  const before = w.stores.runs.size;
  w.clock.now = START + 1000 * HOUR;
  await w.turn();
  assert.equal(w.stores.runs.size, before + 1);
});

test('a run that starts after the clock was put back is the newest all the same', async () => {
  const w = world();
  w.clock.now = START + 5 * HOUR;
  await w.turn();
  w.publish(firstRun);
  await w.turn();
  w.clock.now = START + HOUR;
  w.change({ parameters: { C: '2' } });
  await w.turn();
  await w.turn();
  assert.deepEqual(w.runs(), ['g2 SpecChanged RUNNING', 'g1 Created FINISHED']);
  assert.equal(w.succeeded()?.status, 'Unknown');
  const made = w.kube.objects.get(`Job/team-a/${w.jobs().at(-1)}`) as unknown as {
    spec: { activeDeadlineSeconds: number };
  };
  assert.equal(made.spec.activeDeadlineSeconds, 3600, 'no more time than its deadline');
});

test('a job created just before its tick and seen just after runs it', async () => {
  const w = world(hourly);
  w.clock.now = START + HOUR + 100;
  await w.turn();
  assert.deepEqual(w.runs(), ['s1767229200 Schedule RUNNING']);
});

test('suspended: ticks start nothing and are not missed; lifted, counting starts now', async () => {
  const w = world({ ...hourly, suspend: true });
  await w.turn();
  assert.match(w.succeeded()?.message ?? '', /suspended.*"suspend":false/);
  assert.equal(w.read().status?.nextScheduleTime, undefined);
  assert.equal(w.asked.requeueAfterMs, undefined);
  w.clock.now = START + 5 * HOUR + MINUTE;
  await w.turn();
  w.change({ suspend: false });
  await w.turn();
  assert.deepEqual([w.runs(), w.read().status?.missedRuns], [[], undefined]);
  w.clock.now = START + 6 * HOUR;
  await w.turn();
  assert.equal(w.runs().length, 1);
});

test('suspension leaves the run that goes on alone', async () => {
  const w = world(hourly);
  w.clock.now = START + HOUR;
  await w.turn();
  w.change({ suspend: true });
  await w.turn();
  assert.deepEqual(w.runs(), ['s1767229200 Schedule RUNNING']);
  w.publish(tickKey(START + HOUR));
  await w.turn();
  assert.equal(w.succeeded()?.status, 'True');
});

test('another schedule catches nothing up', async () => {
  const w = world(hourly);
  await w.turn();
  w.clock.now = START + 10 * HOUR + MINUTE;
  w.change({ schedule: '30 * * * *' });
  await w.turn();
  assert.deepEqual([w.runs(), w.read().status?.nextScheduleTime], [[], '2026-01-01T10:30:00Z']);
});

test('a schedule that was taken away trains when what is trained differs from the last run', async () => {
  const w = world(hourly);
  w.clock.now = START + HOUR;
  await w.turn();
  w.publish(tickKey(START + HOUR));
  await w.turn();
  w.change({ schedule: undefined });
  await w.turn();
  assert.equal(w.runs().length, 1);
  assert.equal(w.read().status?.ticksSettledUntil, undefined);
  w.change({ parameters: { C: '2' } });
  await w.turn();
  assert.deepEqual(w.runs()[0], 'g3 SpecChanged RUNNING');
});

test('Forbid: the newest tick waits and says so; the one before is missed', async () => {
  const w = world(hourly);
  w.clock.now = START + HOUR;
  await w.turn();
  w.clock.now = START + 2 * HOUR;
  await w.turn();
  assert.match(w.condition('Running')?.message ?? '', /the tick of 2026-01-01T02:00:00Z will start when it has ended/);
  w.clock.now = START + 3 * HOUR;
  await w.turn();
  assert.equal(w.read().status?.missedRuns, 1);
  w.publish(tickKey(START + HOUR));
  await w.turn();
  assert.deepEqual(w.runs(), ['s1767236400 Schedule RUNNING', 's1767229200 Schedule FINISHED']);
  assert.equal(w.read().status?.missedRuns, 1);
});

test('Replace: the tick ends what goes on, and its Job', async () => {
  const w = world({ ...hourly, concurrencyPolicy: 'Replace' });
  w.clock.now = START + HOUR;
  await w.turn();
  w.clock.now = START + 2 * HOUR;
  await w.turn();
  assert.deepEqual(w.runs(), ['s1767232800 Schedule RUNNING', 's1767229200 Schedule KILLED']);
  assert.deepEqual(w.jobs(), [jobKey({ metadata: key }, tickKey(START + 2 * HOUR)).name]);
  assert.equal(w.stores.runs.get(tickKey(START + HOUR))?.failure?.reason, 'Replaced');
});

test('Allow: runs go on side by side; the newest decides, and all are looked after', async () => {
  const w = world({ ...hourly, concurrencyPolicy: 'Allow' });
  w.clock.now = START + HOUR;
  await w.turn();
  w.clock.now = START + 2 * HOUR;
  await w.turn();
  assert.equal(w.jobs().length, 2);
  assert.match(w.condition('Running')?.message ?? '', /and 1 more/);
  w.publish(tickKey(START + 2 * HOUR), { accuracy: 0.9 });
  await w.turn();
  assert.deepEqual([w.succeeded()?.status, w.condition('Running')?.status], ['True', 'True']);
  w.setJob(tickKey(START + HOUR), failedJob());
  w.addPod(tickKey(START + HOUR), failedPod('trainer', { exitCode: 3 }));
  await w.turn();
  assert.deepEqual(w.runs(), ['s1767232800 Schedule FINISHED', 's1767229200 Schedule FAILED']);
  assert.deepEqual([w.succeeded()?.status, w.condition('Running')?.status], ['True', 'False']);
  assert.equal(w.read().status?.score, '0.9');
});

test('a token is one run with its parameters; the same token never again, also when ten runs have passed', async () => {
  const w = world(hourly);
  w.annotate('{"token":"one","parameters":{"C":"0.5"}}');
  await w.turn();
  assert.deepEqual(w.stores.runs.get(tokenKey('one'))?.parameters, { C: '0.5' });
  const made = JSON.stringify(w.kube.objects.get(`Job/team-a/${jobKey({ metadata: key }, tokenKey('one')).name}`));
  assert.match(made, /PARAM_C/);
  w.publish(tokenKey('one'));
  await w.turn();
  for (let n = 0; n < 12; n++) {
    w.annotate(`token ${n}`);
    w.clock.now += 1000;
    await w.turn();
    w.publish(tokenKey(`token ${n}`));
    await w.turn();
  }
  assert.equal(w.read().status?.runs?.length, 10);
  w.annotate('one');
  await w.turn();
  await w.turn();
  assert.equal(w.stores.runs.size, 13);
  assert.equal(w.stores.counted.length, 13);
});

test('a token beside an unscheduled spec does not make the spec train again', async () => {
  const w = world({ parameters: { C: '1' } });
  await w.turn();
  w.publish(firstRun);
  await w.turn();
  w.annotate('{"token":"x","parameters":{"C":"2"}}');
  await w.turn();
  w.publish(tokenKey('x'));
  await w.turn();
  await w.turn();
  assert.deepEqual(w.runs().length, 2);
});

test('an annotation that cannot be read starts nothing, and is told once', async () => {
  const w = world(hourly);
  await w.turn();
  w.annotate('{"token":');
  await w.turn();
  await w.turn();
  assert.deepEqual(w.runs(), []);
  assert.match(w.succeeded()?.message ?? '', /annotation slipway\.dev\/run starts no run: expected any text/);
  assert.equal(w.events('InvalidAnnotation').length, 1);
});

test('a token whose parameter is out of range is a run that failed by name, and no pod is made', async () => {
  const w = world(hourly);
  w.annotate('{"token":"x","parameters":{"C":"-1"}}');
  await w.turn();
  assert.deepEqual([w.succeeded()?.status, w.succeeded()?.reason], ['False', 'InvalidParameter']);
  assert.match(w.succeeded()?.message ?? '', /parameter C: expected a number above 0.*"-1"/);
  assert.deepEqual([w.jobs(), w.runs().length], [[], 1]);
  assert.deepEqual(w.stores.counted, ['Manual failed']);
});

test('requests run one after another with their parameters, and each is answered with its run', async () => {
  const w = world(hourly);
  await w.turn();
  w.ask(id(1), { C: '0.5' });
  w.ask(id(2));
  w.ask(id(3), { C: 'much' });
  await w.turn();
  assert.deepEqual(w.runs(), [`r${id(1)} Api RUNNING`]);
  assert.match(w.condition('Running')?.message ?? '', /a request will start when it has ended/);
  assert.equal(w.stores.requests[0]?.runId, w.stores.runs.get(requestKey(id(1)))?.runId);
  assert.match(w.stores.requests[2]?.refused ?? '', /parameter C: expected a number above 0.*"much"/);
  w.publish(requestKey(id(1)));
  await w.turn();
  assert.deepEqual(w.runs(), [`r${id(2)} Api RUNNING`, `r${id(1)} Api FINISHED`]);
  w.publish(requestKey(id(2)));
  await w.turn();
  assert.equal(w.stores.runs.size, 2);
  assert.deepEqual(w.stores.counted, ['Api succeeded', 'Api succeeded']);
});

test('a request that waits for a job that is concluded starts as soon as it is seen', async () => {
  const w = world();
  await w.turn();
  w.publish(firstRun);
  await w.turn();
  w.ask(id(1));
  await w.turn();
  assert.equal(w.runs()[0], `r${id(1)} Api RUNNING`);
});

test('a tick that waited starts at once when what went on has failed in the same look', async () => {
  const w = world({ ...hourly, deadline: '10h' });
  await w.turn();
  w.clock.now = START + HOUR;
  await w.turn();
  w.clock.now = START + 2 * HOUR + MINUTE;
  w.addPod(tickKey(START + HOUR), failedPod('trainer', { exitCode: 3, reason: 'Error' }));
  w.setJob(tickKey(START + HOUR), failedJob());
  await w.turn();
  assert.deepEqual(w.runs(), [`s${(START + HOUR) / 1000} Schedule FAILED`]);
  await w.turn();
  assert.equal(w.runs()[0], `s${(START + 2 * HOUR) / 1000} Schedule RUNNING`);
  assert.equal(w.read().status?.missedRuns, undefined);
});

test('what is waiting starts at once when what went on has failed in the same look', async () => {
  const w = world();
  await w.turn();
  w.annotate('next');
  w.setJob(firstRun, failedJob());
  w.addPod(firstRun, failedPod('trainer', { exitCode: 3 }));
  await w.turn();
  assert.ok((w.asked.requeueAfterMs ?? 1e9) <= 100);
  await w.turn();
  assert.equal(w.runs()[0], `t${tokenKey('next').slice('u1/t'.length)} Manual RUNNING`);
});

const invalid = [
  { spec: { schedule: '0 0 3 * * *' }, says: /spec\.schedule "0 0 3 \* \* \*": expected five fields/ },
  { spec: { schedule: '0 3 * * *', timeZone: 'Mars/Olympus' }, says: /spec\.timeZone "Mars\/Olympus"/ },
];
for (const { spec, says } of invalid) {
  test(`${JSON.stringify(spec)} stalls by field until it is mended`, async () => {
    const w = world(spec);
    assert.equal(await w.turn(), 'stalled');
    assert.deepEqual([w.condition('Stalled')?.reason, w.succeeded()?.reason], ['InvalidSchedule', 'InvalidSchedule']);
    assert.match(w.succeeded()?.message ?? '', says);
    w.change({ schedule: '0 3 * * *', timeZone: 'Etc/UTC' });
    await w.turn();
    assert.deepEqual([w.condition('Stalled'), w.succeeded()?.reason], [undefined, 'WaitingForSchedule']);
  });
}

test('a spec that no store takes stalls by field, instead of failing to be written down for ever', async () => {
  const w = world({ parameters: { C: '1\0' } });
  assert.equal(await w.turn(), 'stalled');
  assert.equal(w.succeeded()?.reason, 'ConfigurationError');
  assert.match(w.succeeded()?.message ?? '', /^spec\.parameters\.C holds the character NUL.*remove it$/);
  w.change({ parameters: { C: '1' } });
  await w.turn();
  assert.equal(w.jobs().length, 1);
});

const large = Object.fromEntries(Array.from({ length: 12 }, (_, i) => [`text${i}`, 'ü'.repeat(4500)]));
for (const [field, spec, most] of [
  ['parameters', { algorithm: undefined, container: { image: 'mine:1' }, parameters: large }, 65536],
  ['register', { model: 'iris', register: { tags: large } }, 32768],
] as const) {
  test(`${field} that fit no environment fail their run before a pod is made`, async () => {
    const w = world(spec);
    await w.turn();
    assert.equal(w.jobs().length, 0);
    const expected = new RegExp(`^spec\\.${field} has 108\\d{3} bytes as JSON: expected at most ${most}`);
    assert.match(w.succeeded()?.message ?? '', expected);
  });
}

test('a run that goes on is looked after although its schedule has become invalid', async () => {
  const w = world(hourly);
  w.clock.now = START + HOUR;
  await w.turn();
  w.change({ schedule: 'never' });
  w.kube.drop(Job, jobKey({ metadata: key }, tickKey(START + HOUR)));
  await w.turn();
  assert.equal(w.jobs().length, 1);
  assert.ok((w.asked.requeueAfterMs ?? 1e9) <= 10_000);
});

test('a tick that comes while Postgres is away runs when it is back', async () => {
  const w = world(hourly);
  await w.turn();
  w.stores.health = { ...w.stores.health, postgres: away };
  w.clock.now = START + HOUR;
  await w.turn();
  assert.deepEqual([w.succeeded()?.status, w.succeeded()?.reason], ['Unknown', 'PostgresUnavailable']);
  w.stores.health = { ...w.stores.health, postgres: { up: true } };
  w.clock.now += MINUTE;
  await w.turn();
  assert.deepEqual(w.runs(), ['s1767229200 Schedule RUNNING']);
});

test('a run keeps what it was started with: its Job is made again from that', async () => {
  const w = world({ ...hourly, retries: 1 });
  w.clock.now = START + HOUR;
  await w.turn();
  const before = w.kube.objects.get(`Job/team-a/${w.jobs()[0]}`);
  w.change({ retries: 7, parameters: { C: '9' }, model: 'other' });
  w.kube.drop(Job, jobKey({ metadata: key }, tickKey(START + HOUR)));
  await w.turn();
  assert.deepEqual(w.kube.objects.get(`Job/team-a/${w.jobs()[0]}`)?.['spec'], before?.['spec']);
});

test('a deleted job refuses its requests and ends every run', async () => {
  const w = world({ ...hourly, concurrencyPolicy: 'Allow' });
  w.clock.now = START + HOUR;
  await w.turn();
  w.annotate('x');
  await w.turn();
  w.ask(id(1));
  w.change({}, { deletionTimestamp: '2026-01-01T01:00:00Z' });
  assert.equal(await w.turn(), 'finalized');
  assert.deepEqual(
    [...w.stores.runs.values()].map(({ status }) => status),
    ['KILLED', 'KILLED'],
  );
  assert.match(w.stores.requests[0]?.refused ?? '', /was deleted/);
  assert.deepEqual(w.jobs(), []);
});

test('a deleted job refuses every request, also more than are read at once', async () => {
  const w = world(hourly);
  await w.turn();
  const ids = Array.from({ length: 101 }, (_, n) => `00000000-0000-4000-8000-${String(n).padStart(12, '0')}`);
  for (const requestId of ids) w.ask(requestId);
  w.change({}, { deletionTimestamp: '2026-01-01T01:00:00Z' });
  assert.equal(await w.turn(), 'finalized');
  assert.equal(w.stores.requests.filter(({ refused }) => refused !== undefined).length, 101);
});
