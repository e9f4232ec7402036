/** The model server and the operator's control API, real processes of one and the other's handler: they mean the same by every answer. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { runKeyFor } from '@slipway/contract';
import type { KubeObject } from '../operator/src/api/meta.ts';
import { createControl } from '../operator/src/control/control.ts';
import { controlHandler } from '../operator/src/control/handler.ts';
import { createVersionControl } from '../operator/src/control/versions.ts';
import { InferenceService } from '../operator/src/controllers/inference-service/api.ts';
import { temporaryFolder } from '../serving-image/test/folder.ts';
import { iris } from '../serving-image/test/models.ts';
import { serve } from '../serving-image/test/program.ts';
import { FakeKube } from './fake-kube.ts';
import { FakeStores } from './fake-stores.ts';

const namespace = 'team-a';
const slipway = 'slipway.dev/v1alpha1';
const service = InferenceService.parse({
  ...{ apiVersion: slipway, kind: 'InferenceService', metadata: { namespace, name: 'iris', uid: 'svc-uid' } },
  spec: { model: 'iris', api: { trainingJob: 'iris' } },
});
const trainingJob = {
  ...{ apiVersion: slipway, kind: 'TrainingJob', metadata: { namespace, name: 'iris', uid: 'tj-uid' } },
  spec: {
    algorithm: { name: 'logistic-regression', target: 'species' },
    inputs: [{ name: 'train', uri: 'builtin://iris.csv' }],
  },
};

/** A served model whose operator knows one TrainingJob; `lead` is what the leader does with a request. */
async function world(t: TestContext, lead: (stores: FakeStores, requestId: string) => Promise<void>) {
  const kube = new FakeKube().put(trainingJob as unknown as KubeObject);
  const stores = new FakeStores();
  const control = createControl({
    runs: stores.runStore,
    requests: stores.requestStore,
    kube: () => kube,
    enqueue: () => {
      const request = stores.requests.at(-1);
      if (request) void lead(stores, request.requestId);
    },
  });
  const log = { debug() {}, info() {}, warn() {}, error() {} };
  const stopping = new AbortController().signal;
  const access = { declared: async () => ({ version: 'latest', generation: 1 }), setVersion: async () => 2 };
  const handle = controlHandler({
    control,
    versions: createVersionControl({ kube: () => kube, access, log }),
    callerOf: async () => service,
    missing: () => [],
    stopping,
    log,
    onAnswer() {},
  });
  const server = createServer(handle);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const tokenDir = await temporaryFolder(t);
  await writeFile(join(tokenDir, 'token'), 'a-token');
  const { port } = server.address() as AddressInfo;
  const { url } = await serve(t, iris, { OPERATOR_URL: `http://127.0.0.1:${port}`, OPERATOR_TOKEN_DIR: tokenDir });
  const train = (parameters: object, headers: Record<string, string> = {}) =>
    fetch(`${url}/train`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: JSON.stringify(parameters),
    });
  return { stores, url, train };
}

async function start(stores: FakeStores, requestId: string): Promise<string> {
  const runKey = runKeyFor('tj-uid', { kind: 'request', requestId });
  await stores.runStore.start({
    ...{
      namespace,
      experiment: 'iris',
      trainingJob: 'iris',
      ownerUid: 'tj-uid',
      runKey,
      generation: 1,
      specDigest: 'd',
    },
    ...{ spec: {}, cause: 'Api', parameters: {}, startTime: '2026-01-01T00:00:00Z', isTracked: true, requestId },
  });
  return runKey;
}

test('a run that publishes is 200 with its version and metrics', async (t) => {
  const { train } = await world(t, async (stores, requestId) => {
    stores.publish(await start(stores, requestId), 'iris', { accuracy: 0.97 });
  });
  const response = await train({ C: 0.5, class_weight: null });
  const { run_id, ...rest } = (await response.json()) as { run_id: string };
  assert.equal(response.status, 200);
  assert.deepEqual(rest, { status: 'FINISHED', version: 1, metrics: { accuracy: 0.97 } });
  assert.match(run_id, /^[0-9a-f]{32}$/);
});

test('asynchronously: 202, the run ends, and Location has the result', async (t) => {
  let requestId = '';
  const { train, url, stores } = await world(t, async (_, id) => {
    requestId = id;
  });
  const response = await train({}, { prefer: 'respond-async' });
  const location = response.headers.get('location') ?? '';
  const looked = async () => {
    const answer = await fetch(url + location);
    return [answer.status, ((await answer.json()) as { status: string }).status];
  };
  assert.equal(response.status, 202);
  assert.deepEqual(await looked(), [202, 'RUNNING'], 'before the leader has seen it');
  stores.publish(await start(stores, requestId), 'iris');
  assert.deepEqual(await looked(), [200, 'FINISHED']);
});

test('what is refused arrives as FastAPI would say it', async (t) => {
  const { train, url, stores } = await world(t, async () => {});
  const wrong = await train({ C: 'much' });
  const { detail } = (await wrong.json()) as { detail: { loc: string[]; msg: string; type: string }[] };
  assert.deepEqual([wrong.status, detail.length, detail[0]?.loc], [422, 1, ['body', 'C']]);
  assert.match(detail[0]?.msg ?? '', /expected a number above 0/);
  const missing = await fetch(`${url}/train/${'f'.repeat(32)}`);
  assert.deepEqual([missing.status, typeof ((await missing.json()) as { detail: string }).detail], [404, 'string']);
  stores.health = { ...stores.health, postgres: { up: false, since: '2026-01-01T00:00:00Z' } as never };
  assert.equal((await train({})).status, 503);
});

test('a request of nearly 64 KiB passes both', async (t) => {
  const { train } = await world(t, async () => {});
  const response = await train({ x: 'x'.repeat(64 * 1024 - 8) });
  assert.equal(response.status, 422, 'read by the operator, who finds it too long a value');
});
