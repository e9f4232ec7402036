import assert from 'node:assert/strict';
import { test } from 'node:test';
import { byServers, CONVERTED, gridGroups, groupId, quickGroups } from './cells.ts';
import { serverOf } from './servers.ts';

test('a server is asked only what it answers, and ours is in every group', () => {
  for (const group of [...quickGroups(), ...gridGroups()]) {
    assert.ok(group.servers.includes('slipway'));
    for (const name of group.servers) assert.ok(serverOf(name).kinds.includes(group.kind), `${name}: ${group.kind}`);
  }
});

test('the grid has every protocol, size, load and model once; what the quick run measured of it has all its servers', () => {
  const grid = new Map(gridGroups().map((group) => [groupId(group), group]));
  assert.equal(grid.size, 6 * 3 * 4 * 3);
  assert.equal(gridGroups().length, grid.size);
  assert.equal(new Set(quickGroups().map(groupId)).size, quickGroups().length);
  for (const quick of quickGroups())
    for (const name of grid.get(groupId(quick))?.servers ?? assert.fail(groupId(quick)))
      assert.ok(quick.servers.includes(name), `${groupId(quick)}: ${name}`);
});

test('a converted model is measured beside the same model exported by hand and as a pickle behind MLflow', () => {
  for (const compared of Object.values(CONVERTED)) {
    const group = quickGroups().find((each) => groupId(each) === groupId(compared));
    for (const name of ['slipway', 'slipway-converted', 'mlflow'] as const)
      assert.ok(group?.servers.includes(name), name);
  }
});

test('groups that share their servers are measured together, and none is lost', () => {
  const together = byServers(quickGroups());
  assert.equal(together.flat().length, quickGroups().length);
  for (const groups of together) assert.equal(new Set(groups.map(({ model, kind }) => `${model} ${kind}`)).size, 1);
});
