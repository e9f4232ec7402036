/** Switching by the service's own API, as a client inside the cluster does it. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type ClientPod, clientPod, type Heard } from '../support/client-pod.ts';
import { get, waitForTrainedVersion, waitForVersion } from '../support/conditions.ts';
import { eventually } from '../support/eventually.ts';
import { apply, dropNamespace, kubectl, makeNamespace, patch, uniqueNamespace } from '../support/kubectl.ts';
import { irisTraining, service, setosa } from '../support/manifests.ts';

const namespace = uniqueNamespace('e2e-version-api');
let client: ClientPod;
const urlOf = (name: string, path: string): string => `http://${name}.${namespace}.svc${path}`;
const ask = (path: string, body?: object, name = 'iris'): Heard =>
  client.request(urlOf(name, path), {
    ...(body && { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
  });
const change = (version: unknown, name = 'iris'): Heard => ask('/model/version', { version }, name);

before(async () => {
  makeNamespace(namespace);
  apply(namespace, irisTraining('iris'));
  await waitForTrainedVersion(namespace, 'iris');
  apply(namespace, irisTraining('iris', { parameters: { C: '0.01' } }));
  await eventually(() => assert.equal(get(namespace, 'tj/iris').status.runs[0].version, 2), 120_000);
  apply(namespace, service('iris', { version: '1', replicas: 2, api: { allowVersionSwitch: true } }));
  apply(namespace, service('closed', { version: '1' }));
  client = clientPod(namespace);
  await waitForVersion(namespace, 'iris', 1);
  await waitForVersion(namespace, 'closed', 1);
});
after(() => dropNamespace(namespace));

/** A client that is told to look again does. */
function settled(heard: Heard, version: string): Promise<Heard> {
  if (heard.status === 200) return Promise.resolve(heard);
  assert.equal(heard.status, 202, JSON.stringify(heard.body));
  return eventually(() => {
    const now = ask(heard.headers['location'] ?? '');
    assert.equal(now.body.version, version);
    return now;
  }, 60_000);
}

test('POST /model/version changes the object, and all replicas answer with that version', async () => {
  const { body } = await settled(change('2'), '2');
  assert.deepEqual(body, {
    ...{ model_name: 'iris', version: '2', model_uri: 'models:/iris/2', model_loaded: true, requested: '2' },
  });
  assert.equal(get(namespace, 'infsvc/iris').spec.version, '2');
  await waitForVersion(namespace, 'iris', 2);
  for (let i = 0; i < 6; i++) assert.equal(ask('/predict', { samples: [setosa] }).headers['x-model-version'], '2');
  const managers = kubectl(['get', 'infsvc/iris', '-n', namespace, '-o', 'json', '--show-managed-fields']);
  assert.match(managers, /"manager": "slipway-version-api"/);
});

test('a stage is asked for by its name, and the answer names the number too', async () => {
  patch(namespace, 'mv/iris-v1', { spec: { stage: 'Production' } });
  const heard = await eventually(() => {
    const answer = change('Production');
    assert.notEqual(answer.status, 404, 'the registry has not heard of the stage yet');
    return answer;
  }, 30_000);
  const { body } = await settled(heard, '1');
  assert.equal(body.version, '1');
  const told = await eventually(() => {
    const { body: now } = ask('/model/version');
    assert.equal(now.requested, 'Production');
    return now;
  }, 30_000);
  assert.equal(told.version, '1');
});

test('what cannot be switched to is told with its status, and changes nothing', () => {
  const before = get(namespace, 'infsvc/iris').metadata.generation;
  for (const [version, status, says] of [
    ['9', 404, /no version 9/],
    ['Staging', 404, /in stage Staging/],
    ['newest', 422, /latest, Staging, Production/],
  ] as const) {
    const { status: got, body } = change(version);
    assert.equal(got, status);
    assert.match(JSON.stringify(body.detail), says);
  }
  const closed = change('2', 'closed');
  assert.equal(closed.status, 403);
  assert.match(closed.body.detail, /spec\.api\.allowVersionSwitch/);
  assert.equal(get(namespace, 'infsvc/iris').metadata.generation, before);
});

test('a version that somebody declares by server-side apply is left to them', () => {
  kubectl(['apply', '--server-side', '--force-conflicts', '--field-manager=gitops', '-n', namespace, '-f', '-'], {
    input: service('iris', { version: '1', api: { allowVersionSwitch: true } }),
  });
  const { status, body } = change('2');
  assert.equal(status, 409);
  assert.match(body.detail, /declared by the field manager gitops/);
});
