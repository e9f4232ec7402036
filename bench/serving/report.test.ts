import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CONVERTED, type Group, gridGroups, groupId } from './cells.ts';
import { figure, spread, table } from './figures.ts';
import { report } from './report.ts';
import { type Cell, type GroupResult, isMeasured, type Results } from './results.ts';
import type { ServerName } from './servers.ts';
import { judge, undecidedWork } from './targets.ts';

const rounds = (...rates: readonly number[]): Cell => ({
  rounds: rates.map((perSecond) => ({
    ...{ perSecond, p50Ms: 1, p99Ms: 2, failed: 0 },
    ...{ cpuUs: 1e6 / perSecond, residentMb: 100, others: 0.02 },
  })),
});
const measured = (cells: Partial<Record<ServerName, Cell>>): GroupResult => ({
  ...{ build: 'abc', date: '2026-01-02 03:04', seconds: 3, rounds: 3, loadAverage: 0.1, cells },
});
const machine = {
  ...{ processor: 'A Processor', cores: 2, memoryGib: 8, kernel: '6.1' },
  ...{ runtimes: 'Node 24, Python 3.11', wrk: 'wrk 4.1.0' },
};
const resultsOf = (groups: Record<string, GroupResult>): Results => ({
  ...{ machine, versions: {}, groups, starts: {}, conversions: {} },
});

const IRIS = 'lr predict 1 rows 64 connections';

test('figures have three digits that count', () => {
  assert.deepEqual([40_684.4, 335.2, 9.314, 0.0526, 0].map(figure), ['40,684', '335', '9.31', '0.0526', '0']);
  assert.equal(spread({ median: 2, low: 1.5, high: 2.25 }, '×'), '2.00× (1.50–2.25)');
  assert.equal(spread({ median: 2, low: 2, high: 2 }), '2.00');
  assert.equal(table(['a', 'b'], [['x|y', '1']]), '| a | b |\n|---|---:|\n| x\\|y | 1 |');
});

test('a target is judged by the middle of the ratios, and a server that failed gives no figure', () => {
  const results = resultsOf({
    [IRIS]: measured({
      slipway: rounds(1000, 1010, 700),
      express: rounds(100, 100, 100),
      'fastapi-sklearn': rounds(100, 100, 100),
      'raw-net': { rounds: [], failure: 'raw-net ended with 1\na stack' },
    }),
  });
  const found = judge(results);
  const of = (peer: string) =>
    found.find(({ what }) => what.includes('logistic regression, 1 row, 64') && what.includes(peer));
  assert.equal(of('express')?.state, 'met');
  assert.deepEqual(of('express')?.got, { median: 10, low: 7, high: 10.1 });
  assert.equal(of('FastAPI + scikit-learn')?.state, 'missed');
  assert.equal(of('raw socket')?.state, 'open');
  assert.equal(of('raw socket')?.note, 'raw-net ended with 1');
  assert.equal(of('FastAPI + onnxruntime')?.note, 'not measured');
});

test('where not even a constant answer would reach a target, it says so', () => {
  const cells = { slipway: rounds(300), constant: rounds(400), express: rounds(100), 'fastapi-sklearn': rounds(10) };
  const found = judge(resultsOf({ [IRIS]: measured(cells) }));
  assert.equal(found[0]?.note, 'node:http with a constant answer is 4.0×');
  assert.equal(found[1]?.note, undefined);
  assert.equal(found[0]?.byProcessor?.median.toFixed(2), '3.00');
});

test('a busy machine makes figures provisional, and the page says so', () => {
  const quiet = measured({ slipway: rounds(300) });
  const company = { rounds: rounds(300).rounds.map((round) => ({ ...round, others: 0.6 })) };
  const pageOf = (group: GroupResult): string => report(resultsOf({ [IRIS]: group })).markdown;
  assert.doesNotMatch(pageOf(quiet), /provisional/);
  assert.match(pageOf(measured({ slipway: company })), /60 % of the server's processor.*provisional/);
});

test('a latency target is one of being low', () => {
  const slow = rounds(100);
  const cell = { rounds: slow.rounds.map((round) => ({ ...round, p50Ms: 1.2 })) };
  const results = resultsOf({ 'lr predict 1 rows 1 connections': measured({ slipway: cell, 'bare-http': slow }) });
  const found = judge(results).find(({ what }) => what.includes('median latency'));
  assert.deepEqual([found?.state, found?.got?.median], ['missed', 1.2]);
});

test('the grid is met only when all of it was measured; a cell where a peer is ahead is named', () => {
  const gridTarget = (results: Results) => judge(results).find(({ what }) => what.startsWith('cells of the grid'));
  const won = measured({ slipway: rounds(10, 11), express: rounds(1), kserve: rounds(2), mlflow: rounds(1) });
  const all = Object.fromEntries(gridGroups().map((group) => [groupId(group), won]));
  assert.equal(gridTarget(resultsOf({ [IRIS]: won }))?.state, 'open');
  assert.equal(gridTarget(resultsOf(all))?.state, 'met');
  const lost = resultsOf({ ...all, [IRIS]: measured({ slipway: rounds(10, 10), express: rounds(20, 30) }) });
  assert.equal(gridTarget(lost)?.state, 'missed');
  assert.match(
    gridTarget(lost)?.note ?? '',
    /behind: lr predict 1 rows 64 connections \(express .*0\.42×, 0\.33–0\.50\)/,
  );
});

test("a cell is nobody's while one round says this and another that, and it is void when a request of ours fails", () => {
  const all = gridGroups().map((group) => groupId(group));
  const withCell = (cells: Partial<Record<ServerName, Cell>>): Results => {
    const won = measured({ slipway: rounds(10, 11), express: rounds(1), kserve: rounds(2), mlflow: rounds(1) });
    return resultsOf({ ...Object.fromEntries(all.map((id) => [id, won])), [IRIS]: measured(cells) });
  };
  const stateOf = (cells: Partial<Record<ServerName, Cell>>) => {
    const target = judge(withCell(cells)).find(({ what }) => what.startsWith('cells of the grid'));
    return [target?.state, target?.got?.median, target?.got?.high, target?.note];
  };
  const failed: Cell = { rounds: [], failure: '3 of 9 requests failed' };
  const open = stateOf({ slipway: rounds(10, 11, 12), express: rounds(11, 10, 10), litserve: rounds(1, 1) });
  assert.deepEqual(open.slice(0, 3), ['open', 0, 1]);
  assert.match(
    report(withCell({ slipway: rounds(10, 12), express: rounds(11, 11) })).markdown,
    /\(216 of 216 measured\) \| 0 cells \| 0 to 1 cells \|/,
  );
  assert.match(String(open[3]), /^undecided: lr predict 1 rows 64 connections \(express [^)]* 1\.10×, 0\.91–1\.20\)$/);
  const isVoid = stateOf({ slipway: failed, express: rounds(1, 2) });
  assert.deepEqual(isVoid.slice(0, 3), ['open', 0, 1]);
  assert.match(String(isVoid[3]), /^void: .*3 of 9 requests failed/);
  assert.equal(stateOf({ slipway: rounds(10, 10), express: rounds(1, 1), bentoml: failed })[0], 'met');
});

test('only what short rounds left undecided is measured again, and only with the peers in question', () => {
  const [first, second] = gridGroups() as [Group, Group];
  const close = { slipway: rounds(10, 12), express: rounds(11, 11), litserve: rounds(1, 1) };
  const short = { ...measured(close), seconds: 0.4 };
  const work = (found: GroupResult, build = 'abc') =>
    undecidedWork(resultsOf({ [groupId(first)]: found }), [first, second], build);
  assert.deepEqual(
    work(short).map(({ group, isAgain }) => [groupId(group), group.servers, isAgain]),
    [[groupId(first), ['slipway', 'express'], true]],
  );
  assert.deepEqual(work(short, 'def'), []);
  assert.deepEqual(work(measured(close)), [], 'long rounds were undecided, and would be again');
});

test('a conversion is judged by its time and memory, and by what the result serves beside the export by hand', () => {
  const made = { date: '2026-01-02 03:04', build: 'abc', seconds: 20, peakMb: 900 };
  const cells = { slipway: rounds(100, 100), 'slipway-converted': rounds(95, 96), mlflow: rounds(2, 2) };
  const results: Results = {
    ...resultsOf({ [groupId(CONVERTED.rf500 as Group)]: measured(cells) }),
    conversions: { rf500: made, lr: { ...made, seconds: 0, failure: 'FormatNotServable: no such step\na stack' } },
  };
  const found = judge(results).filter(({ what }) => what.startsWith('conversion of'));
  assert.deepEqual(
    found.map(({ state }) => state),
    ['open', 'open', 'met', 'met', 'met'],
  );
  assert.equal(found[0]?.note, 'FormatNotServable: no such step');
  assert.match(
    report(results).markdown,
    /\| Forest of 500 trees[^|]*\| 20\.0 \| 900 \| 0\.955× \(0\.950–0\.960\) \| 47\.8×/,
  );
});

test('the page says what was missed and what was not measured, shows a failure and names no place of this machine', () => {
  const failure = 'litserve ended with 1\n  File "/home/somebody/x.py", line 1';
  const { markdown, plots } = report(
    resultsOf({
      [IRIS]: measured({ slipway: rounds(300), express: rounds(100), litserve: { rounds: [], failure } }),
    }),
  );
  assert.match(markdown, /These are missed:\n\n- .*express.*3\.00× where ≥ 8× is wanted/);
  assert.match(markdown, /Of these nothing can be said:/);
  assert.match(markdown, /\| LitServe \| litserve ended with 1 \|/);
  assert.doesNotMatch(markdown, /\/home\/|\/root\/|\/tmp\//);
  for (const name of [...markdown.matchAll(/\]\(performance\/([^)]+)\)/g)].map((match) => match[1] as string))
    assert.ok(name in plots || name === 'start.svg', name);
});

test('a group is measured again when ours was built anew, when it had fewer or shorter rounds and when a server failed', () => {
  const group = { model: 'lr', kind: 'predict', rows: 1, connections: 64, servers: ['slipway', 'express'] } as const;
  const whole = measured({ slipway: rounds(1, 2, 3), express: rounds(1) });
  const pace = { seconds: 3, rounds: 3 };
  const isDone = (found: GroupResult, build = 'abc') => isMeasured(resultsOf({ [IRIS]: found }), group, build, pace);
  assert.equal(isDone(whole), true);
  assert.equal(isDone(whole, 'def'), false);
  assert.equal(isDone({ ...whole, seconds: 0.4 }), false);
  assert.equal(isDone({ ...whole, rounds: 1 }), false);
  assert.equal(isDone(measured({ slipway: rounds(1, 2, 3) })), false);
  assert.equal(isDone(measured({ slipway: rounds(1, 2, 3), express: { ...rounds(1, 2, 3), failure: 'x' } })), false);
  assert.equal(isMeasured(resultsOf({}), group, 'abc', pace), false);
});
