import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, test } from 'node:test';
import { openReader } from '@slipway/database';
import express, { type ErrorRequestHandler } from 'express';
import { answerFor } from '../errors.ts';
import { type Fixture, startModels } from '../mlflow/testing/models.ts';
import { readApi } from './read-api.ts';

let registry: Fixture;
let server: Server;
const refuse: ErrorRequestHandler = (error, _request, response, _next) => {
  const { status, body } = answerFor(error, 'test');
  response.status(status).json(body);
};

before(async () => {
  registry = await startModels();
  const app = express();
  app.set('query parser', 'simple');
  app.use(
    '/api/v1',
    readApi(openReader(registry.pool), async () => ({ name: 'reader' })),
    refuse,
  );
  server = createServer(app).listen(0, '127.0.0.1');
  await once(server, 'listening');
});
after(async () => {
  server?.close();
  server?.closeAllConnections();
  await registry?.stop();
});

async function history(model: string, at?: string) {
  const { port } = server.address() as AddressInfo;
  const query = at === undefined ? '' : `?at=${encodeURIComponent(at)}`;
  const response = await fetch(`http://127.0.0.1:${port}/api/v1/namespaces/default/models/${model}/history${query}`);
  // biome-ignore lint/suspicious/noExplicitAny: tests look at any answer
  return { status: response.status, body: (await response.json()) as any };
}

/** The database's time of the last event of the model, to its last digit. */
const lastEvent = async (model: string): Promise<string> => {
  const { rows } = await registry.pool.query(
    `SELECT to_char(max(time) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS at FROM slipway.model_events WHERE model = $1`,
    [model],
  );
  return rows[0].at;
};

test('which version was Production at a time, also after it was replaced, deleted and the model renamed', async () => {
  await registry.ok('POST', 'registered-models/create', { name: 'iris' });
  const beginning = new Date(Date.now() - 60_000).toISOString();
  for (let index = 0; index < 2; index++)
    await registry.ok('POST', 'model-versions/create', { name: 'iris', source: 's3://elsewhere/x' });
  const promote = (version: string) =>
    registry.ok('POST', 'model-versions/transition-stage', {
      name: 'iris',
      version,
      stage: 'Production',
      archive_existing_versions: true,
    });
  await promote('1');
  await registry.ok('POST', 'registered-models/alias', { name: 'iris', alias: 'champion', version: '1' });
  const first = await lastEvent('iris');
  await promote('2');
  await registry.ok('POST', 'registered-models/alias', { name: 'iris', alias: 'champion', version: '2' });
  const second = await lastEvent('iris');
  await registry.ok('DELETE', 'model-versions/delete', { name: 'iris', version: '1' });
  await registry.ok('POST', 'registered-models/rename', { name: 'iris', new_name: 'flowers' });
  const third = await lastEvent('flowers');

  const states: readonly (readonly [at: string, expected: object])[] = [
    [beginning, { stages: {}, aliases: {} }],
    [first, { stages: { Production: [1] }, aliases: { champion: 1 } }],
    [second, { stages: { Archived: [1], Production: [2] }, aliases: { champion: 2 } }],
    [third, { stages: { Production: [2] }, aliases: { champion: 2 } }],
  ];
  for (const [at, expected] of states) assert.deepEqual((await history('flowers', at)).body, { at, ...expected });
  assert.equal((await history('iris', third)).status, 404);
  const { events } = (await history('flowers')).body;
  assert.deepEqual(
    [events[0].event, events.at(-1)],
    [
      'Registered',
      { ...events.at(-1), version: null, event: 'Renamed', from: 'iris', to: 'flowers', actor: 'anonymous' },
    ],
  );

  await registry.ok('DELETE', 'registered-models/delete', { name: 'flowers' });
  assert.deepEqual((await history('flowers', second)).body, { at: second, ...states[2]?.[1] });
  assert.equal((await history('flowers')).body.events.at(-1).event, 'Deleted');
});

test('a time in another zone is the same time', async () => {
  await registry.ok('POST', 'registered-models/create', { name: 'zones' });
  await registry.ok('POST', 'model-versions/create', { name: 'zones', source: 's3://elsewhere/x' });
  await registry.ok('POST', 'model-versions/transition-stage', { name: 'zones', version: '1', stage: 'Staging' });
  assert.deepEqual((await history('zones', '2100-01-01T00:00:00+02:00')).body.stages, { Staging: [1] });
  assert.deepEqual((await history('zones', '2000-01-01T00:00:00-09:30')).body.stages, {});
});

for (const at of ['yesterday', '', '2026-01-31', '2026-02-30T00:00:00Z', '0000-01-01T00:00:00Z', '1700000000'])
  test(`at=${at} is refused with the form that is expected`, async () => {
    const { status, body } = await history('flowers', at);
    assert.deepEqual([status, body.error_code], [400, 'INVALID_PARAMETER_VALUE']);
    assert.match(body.message, /^at: expected a time such as 2026-01-31T12:00:00Z/);
  });
