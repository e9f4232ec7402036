/** Versions that cannot serve, each in its own way: none ever answers, each says why, and what is there goes on. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { conditionOf, get, waitForCondition, waitForVersion } from '../support/conditions.ts';
import { eventually } from '../support/eventually.ts';
import { apply, dropNamespace, kubectl, makeNamespace, patch, uniqueNamespace } from '../support/kubectl.ts';
import {
  bring,
  bringProven,
  broughtUri,
  hungryLine,
  hungryRowsLine,
  line,
  loopingLine,
  slowLine,
} from '../support/line-models.ts';
import { service } from '../support/manifests.ts';
import { overwriteObject } from '../support/object-storage.ts';
import { predict } from '../support/predict.ts';
import { answersOf, type SwitchLoad, switchLoad } from '../support/switch-load.ts';

const namespace = uniqueNamespace('e2e-bad');
/** Little of both, so that what the verification can afford is too much here. */
const resources = { limits: { cpu: '300m', memory: '256Mi' } };
const numbers = new Map<string, number>();
const numberOf = (name: string) => numbers.get(name) ?? assert.fail(name);

let load: SwitchLoad;
before(async () => {
  makeNamespace(namespace);
  numbers.set('good', await bringProven(namespace, 'good', line(1)));
  const brought = {
    changed: line(2),
    slow: slowLine(3),
    hungry: hungryLine(4),
    dying: hungryRowsLine(5),
    corrupt: Buffer.from('no model at all'),
    looping: loopingLine(7),
  };
  for (const [name, onnx] of Object.entries(brought)) numbers.set(name, await bring(namespace, name, onnx));
  for (const name of ['line', 'fragile'])
    apply(
      namespace,
      service(name, {
        model: 'line',
        version: 1,
        resources: name === 'line' ? resources : { limits: { memory: '256Mi' } },
      }),
    );
  for (const name of ['line', 'fragile']) await waitForVersion(namespace, name, 1);
  load = await switchLoad(namespace, 'line', { answers: answersOf(1), pauseMs: 20 });
});
after(() => dropNamespace(namespace));

/** What the verification finds is never begun with. */
for (const [name, reason] of [
  ['corrupt', 'InvalidModel'],
  ['looping', 'UnsupportedOperator'],
] as const) {
  test(`${name}: the verification finds it (${reason}), and a service that wants it says so`, async () => {
    await waitForCondition(namespace, `mv/line-${name}`, { type: 'Servable', status: 'False', reason });
    patch(namespace, 'infsvc/line', { spec: { version: String(numberOf(name)) } });
    const ready = await waitForCondition(namespace, 'infsvc/line', {
      type: 'Ready',
      status: 'False',
      reason: 'VersionNotReady',
    });
    assert.match(ready.message, new RegExp(`version ${numberOf(name)} of model line is not ready: ${reason}`));
    assert.match(ready.message, /version 1 goes on answering/);
  });
}

interface Case {
  readonly name: string;
  readonly reason: string;
  readonly message: RegExp;
  readonly spec?: object;
  /** What happens to it after it was proven. */
  readonly spoil?: () => Promise<void>;
}
const cases: readonly Case[] = [
  {
    name: 'changed',
    reason: 'DigestMismatch',
    message: /model\.onnx/,
    spoil: () => overwriteObject(`${broughtUri(namespace, 'changed')}/model.onnx`, line(9)),
  },
  {
    name: 'slow',
    reason: 'LoadTimeout',
    message: /was not ready 1 s after it had started \(spec\.rollout\.progressDeadline\)/,
    spec: { rollout: { progressDeadline: '1s' } },
  },
  { name: 'hungry', reason: 'OutOfMemory', message: /spec\.resources\.limits\.memory/, spec: { rollout: null } },
];

/** The version's pods are gone, and the Deployment is not changed any more. */
async function restsWithout(version: number): Promise<void> {
  const generation = () => get(namespace, 'deployment/line').metadata.generation;
  const settled = generation();
  await eventually(() => {
    const selector = `slipway.dev/version=${version},slipway.dev/inference-service=line`;
    assert.equal(kubectl(['get', 'pods', '-n', namespace, '-l', selector, '-o', 'name']).trim(), '');
  }, 90_000);
  assert.equal(generation(), settled, 'a rejected version was tried again');
}

for (const { name, reason, message, spec, spoil } of cases) {
  test(`${name}: proven, but it cannot serve: rejected with ${reason}`, async () => {
    const version = numberOf(name);
    await waitForCondition(namespace, `mv/line-${name}`, { type: 'Ready', status: 'True' });
    await spoil?.();
    patch(namespace, 'infsvc/line', { spec: { ...spec, version: String(version) } });
    const ready = await waitForCondition(namespace, 'infsvc/line', {
      type: 'Ready',
      status: 'False',
      reason: 'VersionRejected',
    });
    assert.match(ready.message, new RegExp(`version ${version} was rejected: ${reason}: `));
    assert.match(ready.message, message);
    const now = get(namespace, 'infsvc/line');
    assert.equal(conditionOf(now, 'Available')?.status, 'True');
    assert.equal(now.status.version, 1);
    assert.deepEqual(now.status.rejected.filter((one: { version: number }) => one.version === version).length, 1);
    await restsWithout(version);
  });
}

test('through all of that every client heard version 1 and nothing else', async () => {
  const result = await load.finish();
  assert.equal(result.failures, 0, JSON.stringify(result));
  assert.deepEqual(Object.keys(result.versions), ['1']);
  assert.ok(result.requests > 500, `only ${result.requests} requests`);
});

test('dying: it answers until a request needs more memory than there is; then the version before comes back', async () => {
  const version = numberOf('dying');
  await waitForCondition(namespace, 'mv/line-dying', { type: 'Ready', status: 'True' });
  patch(namespace, 'infsvc/fragile', { spec: { version: String(version) } });
  await waitForVersion(namespace, 'fragile', version);
  const one = await predict(namespace, 'fragile', { samples: [{ x: 1 }] });
  assert.deepEqual([one.version, one.body], [String(version), `{"prediction":[${version}]}`]);

  // Cut off with the server that dies of it: what matters is what comes after.
  const samples = Array.from({ length: 2000 }, () => ({ x: 1 }));
  void predict(namespace, 'fragile', { samples }).catch(() => {});
  const ready = await waitForCondition(namespace, 'infsvc/fragile', {
    type: 'Ready',
    status: 'False',
    reason: 'VersionRejected',
  });
  assert.match(ready.message, new RegExp(`version ${version} was rejected: OutOfMemory: .*limits\\.memory`));
  await eventually(() => {
    const { status } = get(namespace, 'infsvc/fragile');
    assert.deepEqual([status.version, status.previousVersion], [1, version]);
    assert.deepEqual(
      status.rejected.map((rejection: { version: number; reason: string }) => [rejection.version, rejection.reason]),
      [[version, 'OutOfMemory']],
    );
  }, 60_000);
  const back = await predict(namespace, 'fragile', { samples: [{ x: 1 }] });
  assert.deepEqual([back.version, back.body], ['1', '{"prediction":[1]}']);
});
