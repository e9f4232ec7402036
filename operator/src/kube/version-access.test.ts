import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { KubeObject } from '../api/meta.ts';
import type { KubeRequest, Transport } from './transport.ts';
import { versionAccess } from './version-access.ts';

const service = { metadata: { namespace: 'team-a', name: 'iris', uid: 'uid-1' } } as KubeObject;
const fields = (manager: string, operation: string, spec: object) => ({
  ...{ manager, operation, fieldsV1: { 'f:spec': spec } },
});

function accessTo(managedFields: readonly object[], uid = 'uid-1', spec: object = { version: 2 }) {
  const asked: KubeRequest[] = [];
  const json = async (request: KubeRequest): Promise<unknown> => {
    asked.push(request);
    return { metadata: { uid, generation: 4, managedFields }, spec };
  };
  return { asked, ...versionAccess({ json } as unknown as Transport) };
}

test('only who applies spec.version declares it: not who applies the rest, patches, or asked through this API', async () => {
  const others = [
    fields('kubectl', 'Apply', { 'f:model': {} }),
    fields('kubectl-edit', 'Update', { 'f:version': {} }),
    fields('slipway-version-api', 'Apply', { 'f:version': {} }),
    { manager: 'slipway', operation: 'Update', fieldsV1: { 'f:status': {} }, subresource: 'status' },
  ];
  assert.deepEqual(await accessTo(others).declared(service), { version: '2', generation: 4 });
  const applied = [...others, fields('argocd', 'Apply', { 'f:version': {} })];
  assert.deepEqual(await accessTo(applied).declared(service), { version: '2', generation: 4, applier: 'argocd' });
});

test('a namesake is another service, when it is read and when it is written', async () => {
  await assert.rejects(accessTo([], 'uid-2').declared(service), { name: 'KubeError', status: 409 });
  const { asked, setVersion } = accessTo([]);
  assert.equal(await setVersion(service, '3'), 4);
  assert.deepEqual(asked[0]?.body, { metadata: { uid: 'uid-1' }, spec: { version: '3' } });
});
