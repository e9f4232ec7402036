/** The guide for servers of one's own says what the code does. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { FRONT_PORT } from '@slipway/contract';
import { Reason } from '../../operator/src/controllers/inference-service/api.ts';
import { RUNTIME_RESOURCES } from '../../operator/src/controllers/inference-service/runtime.ts';
import { Runtime } from '../../operator/src/controllers/inference-service/spec/runtime.ts';
import { blockOf } from '../../scripts/readme-blocks.ts';
import { healthPath } from '../../serving-image/src/front/health.ts';

const GUIDE = 'docs/runtime.md';
const EXAMPLE = 'examples/own-runtime.yaml';
const guide = readFileSync(GUIDE, 'utf8');

test('it shows the example as it is', () => {
  assert.equal(blockOf(guide, EXAMPLE), readFileSync(EXAMPLE, 'utf8').trimEnd());
});

test('every field of spec.runtime is named', () => {
  assert.deepEqual(
    Object.keys(Runtime.shape).filter((name) => !guide.includes(name)),
    [],
  );
});

test('it says what each protocol is asked, what a server gets and where the front listens', () => {
  for (const protocol of Runtime.shape.protocol.options) {
    assert.ok(guide.includes(`\`GET ${healthPath(protocol, 'm').replace(/\/m$/, '/<model>')}\``), protocol);
  }
  const { requests, limits } = RUNTIME_RESOURCES;
  assert.ok(guide.replaceAll('\n', ' ').includes(`${requests.cpu} and ${requests.memory} requested`));
  assert.ok(guide.includes(`at most ${limits.memory} of memory`));
  assert.ok(guide.includes(`port: ${FRONT_PORT}`));
});

test('every reason it explains is one', () => {
  const told = [...(guide.split('| Reason |')[1] ?? '').matchAll(/`([A-Z][A-Za-z]+)`/g)].map(
    ([, name]) => name as string,
  );
  const known = new Set([...Object.values(Reason), 'LoadTimeout', 'InvalidModel', 'DigestMismatch', 'ArtifactMissing']);
  assert.ok(told.length > 5);
  assert.deepEqual(
    told.filter((name) => !known.has(name as never) && name !== 'ServiceAccount'),
    [],
  );
});

test('every local link leads somewhere', () => {
  for (const [, target] of guide.matchAll(/\]\((?!http|#)([^)#]+)/g)) {
    assert.ok(existsSync(join(dirname(GUIDE), target as string)), target);
  }
});
