import assert from 'node:assert/strict';
import { test } from 'node:test';
import { goModFor, placeholderModules, toolsFileFor } from './go-module.ts';
import { isGoodEnough } from './go-toolchain.ts';
import { type Tool, tools } from './tools.ts';

const published = `module k8s.io/kubernetes

require (
	k8s.io/api v0.0.0
	k8s.io/client-go v0.0.0 // indirect
	k8s.io/kube-openapi v0.0.0-20250710124328-f3f2b991d03b
	k8s.io/utils v0.0.0-20250604170112-4c0f3b243397
	example.org/other v1.2.3
)

replace (
	k8s.io/api => ./staging/src/k8s.io/api
)
`;

test('modules at the placeholder version are found, pseudo-versions are not', () => {
  assert.deepEqual(placeholderModules(published, 'v0.0.0'), ['k8s.io/api', 'k8s.io/client-go']);
});

test('Kubernetes gets its staging modules at the matching version', () => {
  const lines = goModFor(tools.kubernetes, published).split('\n');
  assert.ok(lines.includes('require k8s.io/kubernetes v1.34.4'));
  assert.ok(lines.includes('\tk8s.io/client-go => k8s.io/client-go v0.34.4'));
  assert.ok(!lines.some((line) => line.includes('kube-openapi')));
});

test('a module without staging modules is simply required', () => {
  assert.doesNotMatch(goModFor(tools.etcd, published), /replace/);
});

test('the tools file imports every binary', () => {
  const file = toolsFileFor(tools.kubernetes);
  for (const path of Object.values(tools.kubernetes.binaries)) assert.ok(file.includes(`_ "${path}"`));
});

test('every tool is found under its own name and names at least one binary', () => {
  for (const [key, tool] of Object.entries<Tool>(tools)) {
    assert.equal(tool.name, key);
    assert.ok(Object.keys(tool.binaries).length > 0);
  }
});

test('an older Go will do only when it may fetch a newer one', () => {
  assert.equal(isGoodEnough('go version go1.26.8 linux/amd64', 'local'), true);
  assert.equal(isGoodEnough('go version go1.24.4 linux/amd64', 'auto'), true);
  assert.equal(isGoodEnough('go version go1.24.4 linux/amd64', 'local'), false);
  assert.equal(isGoodEnough('go version go1.19.8 linux/amd64', 'auto'), false);
});
