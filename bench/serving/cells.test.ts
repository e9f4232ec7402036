import assert from 'node:assert/strict';
import { test } from 'node:test';
import { allGroups, byServers, gridGroups, groupId, quickGroups } from './cells.ts';
import { serverOf } from './servers.ts';

test('a server is asked only what it answers, and ours is in every group', () => {
  for (const group of allGroups()) {
    assert.ok(group.servers.includes('slipway'));
    for (const name of group.servers) assert.ok(serverOf(name).kinds.includes(group.kind), `${name}: ${group.kind}`);
  }
});

test('the grid has every protocol, size, load and model once; with the quick cells each is measured once, with all servers', () => {
  assert.equal(new Set(gridGroups().map(groupId)).size, 6 * 3 * 4 * 3);
  const all = allGroups();
  assert.equal(new Set(all.map(groupId)).size, all.length);
  assert.equal(all.length, gridGroups().length);
  const first = all.find((group) => groupId(group) === 'lr predict 1 rows 1 connections');
  assert.ok(first?.servers.includes('bare-http') && first.servers.includes('litserve'));
});

test('groups that share their servers are measured together, and none is lost', () => {
  const together = byServers(quickGroups());
  assert.equal(together.flat().length, quickGroups().length);
  for (const groups of together) assert.equal(new Set(groups.map(({ model, kind }) => `${model} ${kind}`)).size, 1);
});
