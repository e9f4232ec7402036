import assert from 'node:assert/strict';
import { test } from 'node:test';
import { deviationFor, differences } from './compare.ts';
import { conformanceTable, judge } from './conformance.ts';

test('every leaf that differs is named, also where one side has none', () => {
  assert.deepEqual(differences({ a: [1, { b: 2 }], c: 3 }, { a: [1, { b: 9 }], d: 4 }), [
    { field: 'a.1.b', ours: 2, real: 9 },
    { field: 'c', ours: 3, real: undefined },
    { field: 'd', ours: undefined, real: 4 },
  ]);
  assert.deepEqual(differences({ a: [] }, { a: [] }), []);
  assert.deepEqual(differences([], {}), [{ field: '', ours: [], real: {} }]);
});

test('a deviation means only what it describes', () => {
  const deviations = [{ id: 'x', scenarios: /^a: b$/, fields: /^status$/, real: /^500$/, reason: '' }];
  const difference = { field: 'status', ours: 400, real: 500 };
  assert.equal(deviationFor(deviations, 'a: b', difference)?.id, 'x');
  assert.equal(deviationFor(deviations, 'a: c', difference), undefined);
  assert.equal(deviationFor(deviations, 'a: b', { ...difference, field: 'message' }), undefined);
  assert.equal(deviationFor(deviations, 'a: b', { ...difference, real: 501 }), undefined);
});

test('a message may say more, but not something else', () => {
  const deviations = [{ id: 'x', scenarios: /./, beyond: / \(at .*\)/, reason: '' }];
  const said = (ours: string) => deviationFor(deviations, 'a: b', { field: 'message', ours, real: 'No such key' })?.id;
  assert.equal(said('No such key (at "k").'), 'x');
  assert.equal(said('No such token (at "k").'), undefined);
});

const place = { url: 'http://127.0.0.1:1' };
const scenario = (name: string, result: number) => ({ category: 'c', name, seconds: 1, outcome: { result } });

test('scenarios are judged beside the real answer, or by what must come out where there is none', () => {
  const ours = [
    scenario('same', 1),
    scenario('other', 1),
    { ...scenario('race', 16), expected: 16 },
    scenario('alone', 1),
  ];
  const real = [scenario('same', 1), scenario('other', 2)];
  const verdicts = judge({ place, scenarios: ours }, { place, scenarios: real }, []);
  assert.deepEqual(
    verdicts.map(({ name, failures }) => [name, failures.length]),
    [
      ['same', 0],
      ['other', 1],
      ['race', 0],
      ['alone', 1],
    ],
  );
  assert.match(conformanceTable('1', verdicts).at(-1) ?? '', /^all +4 +1 +0 +1 +2$/);
});

test('a scenario that is wrong in itself fails, though it is wrong on both servers', () => {
  const broken = [{ category: 'c', name: 'n', seconds: 1, outcome: { broken: 'NameError' } }];
  const [verdict] = judge({ place, scenarios: broken }, { place, scenarios: broken }, []);
  assert.equal(verdict?.failures.length, 1);
});
