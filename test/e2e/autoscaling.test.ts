/** Autoscalers write how many pods answer, by way of the service or of its Deployment, and the operator lets them. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { conditionOf, get, waitForCondition, waitForVersion } from '../support/conditions.ts';
import { eventually } from '../support/eventually.ts';
import { apply, dropNamespace, kubectl, makeNamespace, patch, uniqueNamespace } from '../support/kubectl.ts';
import { bringProven, line } from '../support/line-models.ts';
import { service } from '../support/manifests.ts';
import { metricsApi } from '../support/metrics-api.ts';
import { answersOf, type SwitchLoad, switchLoad } from '../support/switch-load.ts';

const skip = metricsApi() ?? false;
const namespace = uniqueNamespace('e2e-autoscaling');
const manifest = service('line', {
  model: 'line',
  version: 1,
  // So little is asked for that a load of a test is too much for one pod.
  resources: { requests: { cpu: '20m', memory: '128Mi' } },
  autoscaling: { minReplicas: 1, maxReplicas: 3, targetCPUUtilization: 50 },
});
let load: SwitchLoad | undefined;
before(async () => {
  if (skip) return;
  makeNamespace(namespace);
  assert.equal(await bringProven(namespace, 'one', line(1)), 1);
  assert.equal(await bringProven(namespace, 'two', line(2)), 2);
  apply(namespace, manifest);
  await waitForVersion(namespace, 'line', 1);
  load = await switchLoad(namespace, 'line', { answers: answersOf(1, 2) });
});
after(() => dropNamespace(namespace));

interface Numbers {
  readonly service: number;
  readonly deployment: number;
  readonly generation: number;
}
const numbers = (): Numbers => {
  const deployment = get(namespace, 'deployment/line');
  return {
    service: get(namespace, 'infsvc/line').spec['replicas'] as number,
    deployment: deployment.spec['replicas'] as number,
    generation: deployment.metadata.generation,
  };
};

/** Waits until the number of pods that are wanted is what `wanted` says, and returns every state seen on the way. */
async function watched(wanted: (now: Numbers) => boolean, timeoutMs: number): Promise<Numbers[]> {
  const seen: Numbers[] = [];
  await eventually(
    () => {
      const now = numbers();
      const last = seen.at(-1);
      if (last?.service !== now.service || last.deployment !== now.deployment) seen.push(now);
      assert.ok(wanted(now), JSON.stringify(seen));
    },
    timeoutMs,
    1_000,
  );
  return seen;
}

const isRising = (counts: readonly number[]) =>
  counts.every((count, i) => i === 0 || count >= (counts[i - 1] as number));

test('under load the service grows, and nobody takes a pod away again', { skip }, async () => {
  const seen = await watched(({ service: wanted, deployment }) => wanted >= 2 && deployment === wanted, 150_000);
  assert.ok(
    isRising(seen.map((state) => state.service)) && isRising(seen.map((state) => state.deployment)),
    JSON.stringify(seen),
  );
  await waitForCondition(namespace, 'infsvc/line', { type: 'Ready', status: 'True' });
  await waitForCondition(namespace, 'infsvc/line', { type: 'Autoscaled', status: 'True', reason: 'Autoscaling' });
});

test('a version switch while it is scaled keeps the number, and loses no request', { skip }, async () => {
  const before = numbers();
  patch(namespace, 'infsvc/line', { spec: { version: '2' } });
  await waitForVersion(namespace, 'line', 2);
  assert.ok(numbers().deployment >= before.deployment, JSON.stringify([before, numbers()]));
});

test('the same manifest applied again takes no pod away', { skip }, async () => {
  const before = numbers();
  apply(namespace, manifest);
  await waitForVersion(namespace, 'line', 1);
  assert.ok(numbers().service >= before.service, JSON.stringify([before, numbers()]));
  const result = await load?.finish();
  assert.equal(result?.failures, 0, JSON.stringify(result));
  assert.deepEqual(Object.keys(result?.versions ?? {}).sort(), ['1', '2']);
});

test('without spec.autoscaling the autoscaler goes, and the number stays', { skip }, async () => {
  const { service: scaled } = numbers();
  patch(namespace, 'infsvc/line', { spec: { autoscaling: null } });
  await eventually(() => assert.throws(() => get(namespace, 'hpa/line')), 30_000);
  assert.equal(numbers().service, scaled);
  assert.equal(numbers().deployment, scaled);
});

test('an autoscaler that somebody made for the Deployment is not fought', { skip }, async () => {
  kubectl(['scale', 'infsvc/line', '-n', namespace, '--replicas=1']);
  await watched(({ deployment }) => deployment === 1, 30_000);
  // Its lower bound needs no measurement: it asks for two pods at once, and again whenever there are fewer.
  kubectl(['autoscale', 'deployment/line', '-n', namespace, '--name=by-hand', '--min=2', '--max=2', '--cpu=80%']);
  await watched(({ deployment }) => deployment === 2, 60_000);
  await waitForCondition(namespace, 'infsvc/line', { type: 'Ready', status: 'True' });
  const { generation } = numbers();
  patch(namespace, 'infsvc/line', { metadata: { annotations: { 'test/woken': 'yes' } } });
  // A fight would show within the period of the autoscaler.
  await eventually(() => {
    const { items } = JSON.parse(kubectl(['get', 'hpa', '-n', namespace, '-o', 'json']));
    assert.equal(items[0].status.currentReplicas, 2);
  }, 60_000);
  const now = numbers();
  assert.deepEqual([now.service, now.deployment, now.generation], [1, 2, generation]);
  assert.equal(conditionOf(get(namespace, 'infsvc/line'), 'Ready')?.status, 'True');
});
