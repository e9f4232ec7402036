/** Edits against the real API server: exactly the state that was read is changed, and who wrote last is known. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, before, test } from 'node:test';
import { dropNamespace, kubectl, makeNamespace, patch } from '../../../test/support/kubectl.ts';
import type { KubeObject } from '../api/meta.ts';
import { FIELD_MANAGER } from './apply.ts';
import { editor } from './edit.ts';
import { isConflict } from './errors.ts';
import { loadKubeConfig } from './kubeconfig.ts';
import { openTransport, type Transport } from './transport.ts';

const namespace = `edit-${randomBytes(3).toString('hex')}`;
const path = `/api/v1/namespaces/${namespace}/services/web`;
let transport: Transport;
let edit: ReturnType<typeof editor>;
before(async () => {
  transport = openTransport(loadKubeConfig(), { userAgent: 'slipway-test' });
  edit = editor({
    transport,
    write: (request) => transport.json(request),
    pathOf: () => path,
    cached: () => undefined,
    observe: () => {},
  });
  makeNamespace(namespace);
  const body = {
    ...{ apiVersion: 'v1', kind: 'Service', metadata: { namespace, name: 'web' } },
    spec: { selector: { a: 'b' }, ports: [{ port: 80 }] },
  };
  const query = { fieldManager: FIELD_MANAGER, force: 'true' };
  await transport.json({ method: 'PATCH', path, query, contentType: 'application/apply-patch+yaml', body });
});
after(() => {
  dropNamespace(namespace);
  transport.close();
});

type Service = KubeObject & { readonly spec: { readonly selector?: object; readonly externalName?: string } };
const read = async () => (await transport.json({ method: 'GET', path })) as Service;
const editorOf = async (field: string) => edit.editorOf(await read(), [field]);

test('the state that was read is changed, an older one is not', async () => {
  const first = await read();
  await edit.patch(first, { metadata: { annotations: { note: 'x' } }, spec: { selector: { a: null, c: 'd' } } });
  const second = await read();
  assert.deepEqual([second.spec.selector, second.metadata.annotations?.['note']], [{ c: 'd' }, 'x']);
  await assert.rejects(edit.patch(first, { spec: { selector: null } }), isConflict);
  const namesake = { ...second, metadata: { ...second.metadata, resourceVersion: '1' } };
  await assert.rejects(edit.patch(namesake, { spec: { selector: null } }), isConflict);
  assert.deepEqual((await read()).spec.selector, { c: 'd' });
});

test('the last to write a field is named, or to take it away; this operator never', async () => {
  assert.equal(await editorOf('selector'), undefined);
  patch(namespace, 'service/web', { spec: { publishNotReadyAddresses: true } });
  assert.equal(await editorOf('publishNotReadyAddresses'), 'kubectl-patch');
  kubectl(['label', 'service', 'web', '-n', namespace, 'team=a', '--field-manager=someone']);
  assert.equal(await editorOf('publishNotReadyAddresses'), 'kubectl-patch');
  patch(namespace, 'service/web', { spec: { selector: null } });
  assert.notEqual(await editorOf('selector'), undefined);
});

test('an object that is gone is a conflict, and nobody wrote it', async () => {
  const object = await read();
  kubectl(['delete', 'service', 'web', '-n', namespace]);
  await assert.rejects(edit.patch(object, { spec: {} }), isConflict);
  assert.equal(await edit.editorOf(object, ['selector']), undefined);
});
