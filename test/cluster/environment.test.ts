import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import { exportLines, quote } from './environment.ts';

function evaluated(lines: string, variable: string): string {
  return execFileSync('/bin/sh', ['-c', `${lines}printf %s "$${variable}"`], { encoding: 'utf8', env: {} });
}

test('a shell reads every value back as it was', () => {
  const kubeconfig = "/home/o'neil/my $HOME/kubeconfig";
  const lines = exportLines({ kind: 'local', kubeconfig, path: ['/a b/bin'] }, '/usr/bin:/bin');
  assert.equal(evaluated(lines, 'KUBECONFIG'), kubeconfig);
  assert.equal(evaluated(lines, 'PATH'), '/a b/bin:/usr/bin:/bin');
});

test('our own Docker Engine comes with what testcontainers must know of it', () => {
  const lines = exportLines({ kind: 'local', path: [], dockerHost: 'unix:///run/slipway/docker.sock' }, '');
  assert.equal(evaluated(lines, 'DOCKER_HOST'), 'unix:///run/slipway/docker.sock');
  assert.equal(evaluated(lines, 'TESTCONTAINERS_RYUK_DISABLED'), 'true');
});

test("the user's own cluster and engine are left as they are", () => {
  const lines = exportLines({ kind: 'current', path: [] }, '/bin');
  assert.equal(lines, 'export SLIPWAY_CLUSTER=current\n');
});

test('evaluating twice adds nothing to PATH', () => {
  const once = evaluated(exportLines({ kind: 'local', path: ['/x', '/y'] }, '/bin:/y'), 'PATH');
  assert.equal(once, '/x:/y:/bin');
  assert.equal(evaluated(exportLines({ kind: 'local', path: ['/x', '/y'] }, once), 'PATH'), once);
});

test('plain words are not quoted', () => {
  assert.equal(quote('/run/slipway/docker.sock'), '/run/slipway/docker.sock');
  assert.equal(quote(''), "''");
});
