import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { VersionLabels } from '@slipway/database';
import { NO_LABELS } from '../mirror.ts';
import { type Merged, merge, type Sides } from './merge.ts';

const labels = (over: Partial<VersionLabels> = {}): VersionLabels => ({ ...NO_LABELS, ...over });

interface Case {
  readonly name: string;
  readonly base?: Partial<VersionLabels>;
  readonly object: Partial<VersionLabels>;
  readonly row: Partial<VersionLabels>;
  readonly takenElsewhere?: readonly string[];
  readonly expect: Partial<VersionLabels>;
  readonly edit?: Merged['edit'];
  readonly conflicts?: readonly string[];
}

const cases: readonly Case[] = [
  { name: 'nothing changed', object: {}, row: {}, expect: {} },
  {
    name: 'kubectl sets a stage',
    ...{ object: { stage: 'Production' }, row: {}, expect: { stage: 'Production' } },
    edit: { stage: 'Production' },
  },
  {
    name: 'a client sets a stage',
    ...{ object: {}, row: { stage: 'Staging' }, expect: { stage: 'Staging' } },
  },
  {
    name: 'both set the same stage',
    ...{ object: { stage: 'Staging' }, row: { stage: 'Staging' }, expect: { stage: 'Staging' } },
  },
  {
    name: 'both set different stages: the row wins and it is said',
    base: { stage: 'Staging' },
    ...{ object: { stage: 'Production' }, row: { stage: 'Archived' }, expect: { stage: 'Archived' } },
    conflicts: ['stage'],
  },
  {
    name: 'kubectl changes the stage while a client changes the description: both hold',
    ...{
      object: { stage: 'Staging' },
      row: { description: 'good' },
      expect: { stage: 'Staging', description: 'good' },
    },
    edit: { stage: 'Staging' },
  },
  {
    name: 'kubectl takes the description away',
    base: { description: 'old' },
    ...{ object: {}, row: { description: 'old' }, expect: {} },
    edit: { description: '' },
  },
  {
    name: 'kubectl adds one alias while a client removes another',
    base: { aliases: ['a'] },
    ...{ object: { aliases: ['a', 'b'] }, row: { aliases: [] }, expect: { aliases: ['b'] } },
    edit: { aliases: { set: ['b'], delete: [] } },
  },
  {
    name: 'kubectl removes an alias',
    base: { aliases: ['a', 'b'] },
    ...{ object: { aliases: ['b'] }, row: { aliases: ['a', 'b'] }, expect: { aliases: ['b'] } },
    edit: { aliases: { set: [], delete: ['a'] } },
  },
  {
    name: 'an alias that the registry gave to another version meanwhile stays there',
    ...{ object: { aliases: ['a'] }, row: {}, takenElsewhere: ['a'], expect: {} },
    conflicts: ['aliases'],
  },
  {
    name: 'tags are merged one by one',
    base: { tags: { keep: '1', theirs: '1', ours: '1', gone: '1' } },
    object: { tags: { keep: '1', theirs: '1', ours: '2', new: 'n' } },
    row: { tags: { keep: '1', theirs: '2', ours: '1', gone: '1' } },
    expect: { tags: { keep: '1', theirs: '2', ours: '2', new: 'n' } },
    edit: { tags: { set: { ours: '2', new: 'n' }, delete: ['gone'] } },
  },
  {
    name: 'a tag removed here and changed there stays as it was changed',
    base: { tags: { a: '1' } },
    ...{ object: {}, row: { tags: { a: '2' } }, expect: { tags: { a: '2' } } },
    conflicts: ['tags[a]'],
  },
  {
    name: 'a tag called like something every object has is a tag like any other',
    object: { tags: { constructor: 'x' } },
    ...{ row: {}, expect: { tags: { constructor: 'x' } } },
    edit: { tags: { set: { constructor: 'x' }, delete: [] } },
  },
];
for (const { name, base, object, row, takenElsewhere, expect, edit = {}, conflicts = [] } of cases) {
  test(name, () => {
    const merged = merge({
      ...{ base: labels(base), object: labels(object), row: labels(row) },
      ...(takenElsewhere && { takenElsewhere: new Set(takenElsewhere) }),
    });
    assert.deepEqual(merged.labels, labels(expect));
    assert.deepEqual(merged.edit, edit);
    assert.deepEqual(
      merged.conflicts.map(({ field }) => field),
      conflicts,
    );
  });
}

/** A generator that gives the same numbers every time (mulberry32). */
function numbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

function anyLabels(random: () => number): VersionLabels {
  const pick = <T>(values: readonly T[]): T => values[Math.floor(random() * values.length)] as T;
  const some = <T>(values: readonly T[]): T[] => values.filter(() => random() < 0.5);
  return {
    stage: pick(['None', 'Staging', 'Production', 'Archived']),
    aliases: some(['a', 'b', 'c']),
    tags: Object.fromEntries(some(['x', 'y', 'z']).map((key) => [key, pick(['1', '2'])])),
    description: pick(['', 'one', 'two']),
  };
}

/** What the row is after an edit. */
const applied = (row: VersionLabels, { stage, aliases, tags, description }: Merged['edit']): VersionLabels => ({
  stage: stage ?? row.stage,
  description: description ?? row.description,
  aliases: [...new Set([...row.aliases, ...(aliases?.set ?? [])])].filter((a) => !aliases?.delete.includes(a)).sort(),
  tags: Object.fromEntries(
    Object.entries({ ...row.tags, ...tags?.set }).filter(([key]) => !tags?.delete.includes(key)),
  ),
});
const sameTags = ({ tags }: VersionLabels) => Object.entries(tags).sort();
const assertSame = (a: VersionLabels, b: VersionLabels, sides: Sides) => {
  const detail = JSON.stringify(sides);
  assert.deepEqual([a.stage, a.aliases, a.description], [b.stage, b.aliases, b.description], detail);
  assert.deepEqual(sameTags(a), sameTags(b), detail);
};

test('whatever the three sides say: both end the same, an untouched side is followed, a second merge finds nothing', () => {
  const random = numbers(7);
  for (let i = 0; i < 3000; i++) {
    const [base, object, row] = [anyLabels(random), anyLabels(random), anyLabels(random)];
    const sides = { base, object, row };
    const { labels: result, edit } = merge(sides);
    assertSame(applied(row, edit), result, sides);
    const again = merge({ base: result, object: result, row: result });
    assertSame(again.labels, result, sides);
    assert.deepEqual([again.edit, again.conflicts], [{}, []]);
    const onlyRow = merge({ base, object: base, row });
    assertSame(onlyRow.labels, row, sides);
    assert.deepEqual([onlyRow.edit, onlyRow.conflicts], [{}, []]);
    const onlyObject = merge({ base, object, row: base });
    assertSame(onlyObject.labels, object, sides);
    assert.deepEqual(onlyObject.conflicts, []);
    // Stopped after the row was written: what the object still says is no second edit.
    const resumed = merge({ base, object, row: applied(row, edit) });
    assertSame(resumed.labels, result, sides);
    assert.deepEqual(resumed.edit, {}, JSON.stringify(sides));
  }
});
