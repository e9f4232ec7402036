import assert from 'node:assert/strict';
import { test } from 'node:test';
import { stateAfter } from './history.ts';

type Line = readonly [event: string, version: number | null, to: string | null];

const cases: readonly (readonly [name: string, lines: readonly Line[], expected: ReturnType<typeof stateAfter>])[] = [
  ['nothing happened yet', [], { stages: {}, aliases: {} }],
  ['a version that was only registered stands nowhere', [['Registered', 1, 'READY']], { stages: {}, aliases: {} }],
  [
    'the last stage holds',
    [
      ['StageChanged', 1, 'Staging'],
      ['StageChanged', 1, 'Production'],
    ],
    { stages: { Production: [1] }, aliases: {} },
  ],
  [
    'several versions of one stage come in the order of their numbers',
    [
      ['StageChanged', 12, 'Production'],
      ['StageChanged', 2, 'Production'],
      ['StageChanged', 3, 'Archived'],
    ],
    { stages: { Production: [2, 12], Archived: [3] }, aliases: {} },
  ],
  [
    'a version that went back to None stands nowhere',
    [
      ['StageChanged', 1, 'Production'],
      ['StageChanged', 1, 'None'],
    ],
    { stages: {}, aliases: {} },
  ],
  [
    'an alias that moved points to its last version only',
    [
      ['AliasSet', 1, 'champion'],
      ['AliasSet', 2, 'champion'],
      ['AliasSet', 1, 'challenger'],
    ],
    { stages: {}, aliases: { challenger: 1, champion: 2 } },
  ],
  [
    'an alias that was deleted is gone, and may be set again',
    [
      ['AliasSet', 1, 'a'],
      ['AliasDeleted', 1, 'a'],
      ['AliasSet', 1, 'b'],
      ['AliasDeleted', 1, 'b'],
      ['AliasSet', 2, 'b'],
    ],
    { stages: {}, aliases: { b: 2 } },
  ],
  [
    'a deleted version takes its stage and its aliases with it, and nobody else’s',
    [
      ['StageChanged', 1, 'Production'],
      ['StageChanged', 2, 'Production'],
      ['AliasSet', 1, 'old'],
      ['AliasSet', 2, 'new'],
      ['Deleted', 1, 'DELETED'],
    ],
    { stages: { Production: [2] }, aliases: { new: 2 } },
  ],
  [
    'a new name changes nothing but the name',
    [
      ['StageChanged', 1, 'Production'],
      ['Renamed', null, 'iris-2'],
      ['StatusChanged', 1, 'READY'],
    ],
    { stages: { Production: [1] }, aliases: {} },
  ],
];

for (const [name, lines, expected] of cases)
  test(name, () => {
    assert.deepEqual(stateAfter(lines.map(([event, version, to]) => ({ event, version, to }))), expected);
  });
