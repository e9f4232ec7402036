/** Switching by kubectl patch under three kinds of client: no request lost, every answer by its version, and no third. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { get, waitForVersion } from '../support/conditions.ts';
import { apply, dropNamespace, kubectl, makeNamespace, patch, uniqueNamespace } from '../support/kubectl.ts';
import { bringProven, line } from '../support/line-models.ts';
import { service } from '../support/manifests.ts';
import { answersOf, switchLoad } from '../support/switch-load.ts';

const SWITCHES = 6;

const namespace = uniqueNamespace('e2e-switch');
before(async () => {
  makeNamespace(namespace);
  assert.equal(await bringProven(namespace, 'one', line(1)), 1);
  assert.equal(await bringProven(namespace, 'two', line(2)), 2);
  apply(namespace, service('line', { model: 'line', version: 1, replicas: 2 }));
  await waitForVersion(namespace, 'line', 1);
});
after(() => dropNamespace(namespace));

test(`${SWITCHES} switches back and forth: kept-alive, fresh and slow clients hear nothing but the two versions`, async (t) => {
  const load = await switchLoad(namespace, 'line', { answers: answersOf(1, 2) });
  await load.warm(500);
  for (let i = 1; i <= SWITCHES; i++) {
    const version = 1 + (i % 2);
    const from = Date.now();
    patch(namespace, 'infsvc/line', { spec: { version: String(version) } });
    await waitForVersion(namespace, 'line', version);
    load.switched(from, Date.now());
    await load.warm(300);
  }
  const result = await load.finish();
  t.diagnostic(`${result.failures} failed of ${result.requests} requests over ${SWITCHES} switches`);
  assert.equal(result.failures, 0, JSON.stringify(result));
  assert.ok(result.requests > 10_000, `only ${result.requests} requests`);
  assert.deepEqual(Object.keys(result.versions).sort(), ['1', '2']);
  for (const client of ['kept', 'fresh', 'slow']) assert.ok((result.clients[client] ?? 0) > 20, client);
  const { history } = get(namespace, 'infsvc/line').status;
  assert.deepEqual(
    history.slice(0, SWITCHES).map(({ version }: { version: number }) => version),
    Array.from({ length: SWITCHES }, (_, i) => 1 + (i % 2)),
  );
});

test('a switch asked for while another goes on ends with the last wish, and loses nothing', async () => {
  const load = await switchLoad(namespace, 'line', { answers: answersOf(1, 2) });
  for (const version of [2, 1, 2]) patch(namespace, 'infsvc/line', { spec: { version: String(version) } });
  await waitForVersion(namespace, 'line', 2);
  kubectl(['scale', 'infsvc/line', '-n', namespace, '--replicas=1']);
  await waitForVersion(namespace, 'line', 2);
  await load.warm(300);
  const result = await load.finish();
  assert.equal(result.failures, 0, JSON.stringify(result));
});
