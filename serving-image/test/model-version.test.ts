/** GET and POST /model/version of the real program, with an operator that answers as each test says. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { fakeOperator, never, type Told } from './fake-operator.ts';
import { iris } from './models.ts';
import { serve } from './program.ts';

const rolling = { status: 'ROLLING_OUT', requested: '3', generation: 5 };
const serving = { status: 'SERVING', requested: '3', generation: 5, version: 3 };
const told = (body: object, status = 200): Told => ({ status, body });

async function world(t: TestContext, answer: Parameters<typeof fakeOperator>[1], env: Record<string, string> = {}) {
  const operator = await fakeOperator(t, answer);
  const served = await serve(t, iris, { ...operator.env, ...env });
  const change = (body: unknown, headers: Record<string, string> = {}) =>
    fetch(`${served.url}/model/version`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: typeof body === 'string' ? body : JSON.stringify(body),
    });
  return { operator, change, ...served };
}

test('what answers is told with what was asked for, and without it when the operator says nothing', async (t) => {
  const { url, operator } = await world(t, () => told({ ...serving, requested: 'Production', version: 2 }));
  const look = async () => (await fetch(`${url}/model/version`)).json();
  const known = { model_name: 'iris', version: '2', model_uri: 'models:/iris/2', model_loaded: true };
  assert.deepEqual(await look(), { ...known, requested: 'Production' });
  await operator.stop();
  assert.deepEqual(await look(), known);
});

test('a switch is answered with the new version once every replica has it', async (t) => {
  const answers = [told(rolling, 202), told(rolling), told(serving)];
  const { change, operator } = await world(t, () => answers.shift() ?? told(serving));
  const response = await change({ version: '3' });
  assert.equal(response.status, 200);
  const body = { model_name: 'iris', version: '3', model_uri: 'models:/iris/3', model_loaded: true, requested: '3' };
  assert.deepEqual(await response.json(), body);
  const [asked, ...looks] = operator.asked;
  assert.deepEqual([asked?.method, asked?.path, asked?.token], ['POST', '/control/v1/version', 'Bearer first-token']);
  assert.deepEqual(JSON.parse(asked?.body ?? ''), { version: '3' });
  assert.match(looks[0]?.path ?? '', /generation=5/, 'an older state of the object says nothing of this switch');
});

test('a client that does not want to wait, or has waited long enough, is told where to look', async (t) => {
  const { change } = await world(t, ({ method }) => (method === 'POST' ? told(rolling, 202) : never), {
    VERSION_WAIT_MS: '50',
  });
  for (const headers of [{}, { prefer: 'respond-async' }]) {
    const response = await change({ version: 3 }, headers);
    assert.deepEqual([response.status, response.headers.get('location')], [202, '/model/version']);
    assert.deepEqual(await response.json(), { status: 'ROLLING_OUT', requested: '3', location: '/model/version' });
  }
});

test('a version that is turned down while somebody waits is told with the reason', async (t) => {
  const error = { reason: 'VersionRejected', message: 'version 3 was rejected: ParityFailed' };
  const { change } = await world(t, ({ method }) =>
    method === 'POST' ? told(rolling, 202) : told({ ...rolling, status: 'FAILED', error }),
  );
  const response = await change({ version: 3 });
  assert.equal(response.status, 409);
  assert.match(((await response.json()) as { detail: string }).detail, /Version 3 does not answer.*ParityFailed/);
});

test('however much the operator has to say, an answer stays within a kilobyte', async (t) => {
  const message = 'a long story. '.repeat(300);
  const endings: Told[] = [
    told({ detail: message }, 409),
    told({ detail: [{ loc: ['body', 'version'], msg: message, type: 'value_error' }] }, 422),
    told({ ...rolling, status: 'FAILED', error: { reason: 'VersionRejected', message } }),
  ];
  const { change } = await world(t, () => endings[0] as Told);
  while (endings.length > 0) {
    const text = await (await change({ version: '3' })).text();
    assert.match(text, /a long story/);
    assert.ok(Buffer.byteLength(text) <= 1024, `${text.length}`);
    endings.shift();
  }
});

test('what the operator refuses is passed on in its words', async (t) => {
  const refusals = [403, 404, 409];
  const { change } = await world(t, () => told({ detail: 'in its words' }, refusals[0]));
  for (const status of [...refusals]) {
    const response = await change({ version: '8' });
    assert.deepEqual([response.status, await response.json()], [status, { detail: 'in its words' }]);
    refusals.shift();
  }
});

test('bodies that ask for no version are refused before anybody is asked', async (t) => {
  const { change, operator } = await world(t, () => told(serving));
  const cases: [body: unknown, loc: (string | number)[], type: string][] = [
    ['', ['body'], 'missing'],
    [[], ['body'], 'dict_type'],
    [{}, ['body', 'version'], 'missing'],
    [{ version: '2', model: 'other' }, ['body', 'model'], 'extra_forbidden'],
    ['{"version": 2', ['body', 13], 'json_invalid'],
  ];
  for (const [body, loc, type] of cases) {
    const response = await change(body);
    const { detail } = (await response.json()) as { detail: { loc: unknown; type: string }[] };
    assert.deepEqual([response.status, detail[0]?.loc, detail[0]?.type], [422, loc, type]);
  }
  assert.equal((await change({ version: '2' }, { 'content-type': 'text/plain' })).status, 415);
  assert.deepEqual(operator.asked, []);
});

test('a server that may not ask says how to allow it', async (t) => {
  const { url } = await serve(t, iris);
  const response = await fetch(`${url}/model/version`, { method: 'POST', body: '{"version":"2"}' });
  assert.equal(response.status, 403);
  assert.match(((await response.json()) as { detail: string }).detail, /set spec\.api\.allowVersionSwitch/);
  assert.equal((await fetch(`${url}/model/version`, { method: 'DELETE' })).headers.get('allow'), 'GET, POST');
});
