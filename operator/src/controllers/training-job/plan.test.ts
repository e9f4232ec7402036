import assert from 'node:assert/strict';
import { test } from 'node:test';
import { shortHash } from '@slipway/contract';
import type { Run, RunRequest } from '@slipway/database';
import type { TrainingJob } from './api.ts';
import type { ManualRun } from './manual.ts';
import { type Plan, planFor } from './plan.ts';
import { specDigest } from './training.ts';

const NOON = '2026-01-01T12:00:00.000Z';
const algorithm = { name: 'logistic-regression', target: 'species' };

const trainingJob = (spec: object, generation = 3): TrainingJob =>
  ({
    metadata: { namespace: 'a', name: 'b', uid: 'u', generation },
    spec: { algorithm, parameters: {}, inputs: [], concurrencyPolicy: 'Forbid', ...spec },
  }) as unknown as TrainingJob;

const row = (name: string, over: Partial<Run> = {}): Run =>
  ({ runKey: `u/${name}`, status: 'FINISHED', startTime: NOON, specDigest: 'another', ...over }) as Run;

const request = (requestId: string, parameters: Record<string, string> = {}, requestedAt = NOON): RunRequest => ({
  ...{ namespace: 'a', trainingJob: 'b', requestedBy: 'x', requestId, parameters, requestedAt },
});

interface Case {
  readonly name: string;
  readonly spec?: object;
  readonly rows?: readonly Run[];
  /** The newest run was started with what the spec says now. */
  readonly isUnchanged?: boolean;
  readonly due?: string;
  readonly manual?: ManualRun;
  readonly pending?: readonly RunRequest[];
  readonly starts?: readonly string[];
  readonly waiting?: readonly string[];
  readonly replaced?: readonly string[];
  readonly dealt?: boolean;
}

const going = (name: string) => row(name, { status: 'RUNNING' });
const schedule = { schedule: '0 * * * *' };
const manual = { token: 'x', parameters: {} };
const byHand = `t${shortHash('x', 16)} Manual`;
const tick = `s${Date.parse(NOON) / 1000} Schedule`;

const cases: readonly Case[] = [
  { name: 'a new job without a schedule trains', starts: ['g3 Created'] },
  { name: 'a changed one trains again', rows: [row('g1')], starts: ['g3 SpecChanged'] },
  { name: 'an unchanged one does not', rows: [row('g1')], isUnchanged: true },
  {
    name: 'an unchanged one does not, even if its last run was by hand',
    rows: [row('t1'), row('g1')],
    isUnchanged: true,
  },
  { name: 'a change replaces what goes on', rows: [going('g1')], starts: ['g3 SpecChanged'], replaced: ['g1'] },
  {
    name: 'a change replaces what goes on under Allow, too',
    spec: { concurrencyPolicy: 'Allow' },
    rows: [going('t1'), going('g1')],
    starts: ['g3 SpecChanged'],
    replaced: ['t1', 'g1'],
  },
  { name: 'the run of this very generation is not started again', rows: [row('t1'), row('g3')] },
  {
    name: 'a cache that is behind asks for nothing: the run of a later generation stays',
    rows: [{ ...going('g4'), generation: 4 }, row('g1')],
  },
  { name: 'with a schedule neither creation nor change trains', spec: schedule },
  { name: 'a tick trains', spec: schedule, due: NOON, starts: [tick] },
  {
    name: 'Forbid: a tick waits for what goes on',
    spec: schedule,
    rows: [going('s1')],
    due: NOON,
    waiting: [tick],
    dealt: false,
  },
  {
    name: 'Replace: a tick ends what goes on',
    spec: { ...schedule, concurrencyPolicy: 'Replace' },
    rows: [going('s1'), going('t1'), row('s0')],
    due: NOON,
    starts: [tick],
    replaced: ['s1', 't1'],
  },
  {
    name: 'Allow: a tick starts beside',
    spec: { ...schedule, concurrencyPolicy: 'Allow' },
    rows: [going('s1')],
    due: NOON,
    starts: [tick],
  },
  { name: 'a token trains', spec: schedule, manual, starts: [byHand] },
  { name: 'a token waits for what goes on', spec: schedule, rows: [going('s1')], manual, waiting: [byHand] },
  {
    name: 'Replace: a token waits all the same',
    spec: { ...schedule, concurrencyPolicy: 'Replace' },
    rows: [going('s1')],
    manual,
    waiting: [byHand],
  },
  {
    name: 'Allow: a token starts beside',
    spec: { ...schedule, concurrencyPolicy: 'Allow' },
    rows: [going('s1')],
    manual,
    starts: [byHand],
  },
  {
    name: 'requests start one after another, the oldest first',
    spec: schedule,
    pending: [request('1'), request('2')],
    starts: ['r1 Api'],
    waiting: ['r2 Api'],
  },
  {
    name: 'Allow: all requests start at once',
    spec: { ...schedule, concurrencyPolicy: 'Allow' },
    pending: [request('1'), request('2')],
    starts: ['r1 Api', 'r2 Api'],
  },
  {
    name: 'a token goes before, then whoever asked first',
    spec: schedule,
    manual,
    due: NOON,
    pending: [request('1', {}, '2026-01-01T11:59:00.000Z'), request('2', {}, '2026-01-01T12:01:00.000Z')],
    starts: [byHand],
    waiting: ['r1 Api', tick, 'r2 Api'],
    dealt: false,
  },
  {
    name: 'Replace: the tick goes before all others, which wait',
    spec: { ...schedule, concurrencyPolicy: 'Replace' },
    manual,
    due: NOON,
    pending: [request('1')],
    starts: [tick],
    waiting: [byHand, 'r1 Api'],
  },
  {
    name: 'a change goes before a token',
    rows: [row('g1')],
    manual,
    starts: ['g3 SpecChanged'],
    waiting: [byHand],
  },
];

const keys = (starts: Plan['starts']) => starts.map(({ runKey, cause }) => `${runKey.slice(2)} ${cause}`);

for (const { name, spec = {}, rows = [], isUnchanged, due, pending = [], ...expected } of cases) {
  test(name, () => {
    const job = trainingJob(spec);
    const digest = specDigest(job.spec);
    const plan = planFor({
      trainingJob: job,
      rows: rows.map((run) => (isUnchanged ? { ...run, specDigest: digest } : run)),
      ticks: {
        ...(due && { due: new Date(due) }),
        dealt: { ticksSettledUntil: 'dealt' },
        waiting: { ticksSettledUntil: 'waits' },
      },
      pending,
      ...(expected.manual && { manual: expected.manual }),
    });
    assert.deepEqual(keys(plan.starts), expected.starts ?? []);
    assert.deepEqual(keys(plan.waiting), expected.waiting ?? []);
    assert.deepEqual(
      plan.replaced.map(({ runKey }) => runKey.slice(2)),
      expected.replaced ?? [],
    );
    assert.equal(plan.tickStatus.ticksSettledUntil, (expected.dealt ?? true) ? 'dealt' : 'waits');
  });
}

test('what a token or a request gives goes over the parameters of the spec', () => {
  const job = trainingJob({ ...schedule, concurrencyPolicy: 'Allow', parameters: { C: '1', tol: '0.1' } });
  const { starts } = planFor({
    trainingJob: job,
    rows: [],
    ticks: { dealt: {}, waiting: {} },
    manual: { token: 'x', parameters: { C: '2' } },
    pending: [request('1', { tol: '0.2' })],
  });
  assert.deepEqual(
    starts.map(({ parameters }) => parameters),
    [
      { C: '2', tol: '0.1' },
      { C: '1', tol: '0.2' },
    ],
  );
  assert.equal(starts[1]?.requestId, '1');
});

const refusals = [
  { name: 'out of range', spec: {}, parameters: { C: '-1' }, says: /parameter C: expected a number above 0.*"-1"/ },
  { name: 'unknown', spec: {}, parameters: { depth: '1' }, says: /"depth" is unknown to logistic-regression/ },
  {
    name: 'searched',
    spec: {
      search: {
        method: 'grid',
        space: { C: { values: ['1'] } },
        maxTrials: 5,
        objective: { metric: 'm', goal: 'maximize' },
      },
    },
    parameters: { C: '2' },
    says: /parameter C is searched \(spec\.search\.space\.C\)/,
  },
  {
    name: 'different from another only in case',
    spec: { parameters: { c: '1' }, algorithm: undefined, container: { image: 'x' } },
    parameters: { C: '2' },
    says: /C and c, which both become PARAM_C/,
  },
];
for (const { name, spec, parameters, says } of refusals) {
  test(`a request whose parameter is ${name} is refused with why, and the next one is started`, () => {
    const plan = planFor({
      trainingJob: trainingJob({ ...schedule, ...spec }),
      rows: [],
      ticks: { dealt: {}, waiting: {} },
      pending: [request('1', parameters), request('2')],
    });
    assert.deepEqual(
      plan.refusals.map(({ requestId }) => requestId),
      ['1'],
    );
    assert.match(plan.refusals[0]?.why ?? '', says);
    assert.deepEqual(keys(plan.starts), ['r2 Api']);
  });
}

test('a request that was made of an earlier TrainingJob of this name is refused; clocks may differ by a little', () => {
  const job = trainingJob(schedule);
  const { starts, refusals } = planFor({
    trainingJob: { ...job, metadata: { ...job.metadata, creationTimestamp: NOON } },
    rows: [],
    ticks: { dealt: {}, waiting: {} },
    pending: [request('1', {}, '2026-01-01T11:58:00.000Z'), request('2', {}, '2026-01-01T11:59:30.000Z')],
  });
  assert.match(refusals[0]?.why ?? '', /^TrainingJob b was deleted and made again/);
  assert.deepEqual([refusals.length, keys(starts)], [1, ['r2 Api']]);
});
