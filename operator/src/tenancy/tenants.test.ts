import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';
import { ObjectStorageAccess, PostgresAccess } from '@slipway/contract';
import { DatabaseUnavailableError, RoleDeniedError, TenantConflictError, type TenantStore } from '@slipway/database';
import { TerminalError } from '../api/errors.ts';
import type { NamespaceFacts, TenantSecret } from './ports.ts';
import { createTenants, type Tenants, type TenantsOptions } from './tenants.ts';

const objectStorage = ObjectStorageAccess.parse({
  endpoint: 'http://minio:9000',
  bucket: 'slipway',
  accessKey: 'main-key',
  secretKey: 'main-secret',
});
const postgres = PostgresAccess.parse({ host: 'db', database: 'slipway', username: 'main', password: 'main-password' });
const hour = 3_600_000;

let time: number;
let facts: NamespaceFacts;
let calls: string[];
let secrets: Map<string, TenantSecret>;
let storeFails: Error | undefined;
let roleFails: Error | undefined;
let earlierUid: string | undefined;
let warnings: string[];

const store: TenantStore = {
  async claim(namespace, _uid, adoptUid) {
    calls.push('claim');
    if (storeFails) throw storeFails;
    if (earlierUid && adoptUid !== earlierUid) throw new TenantConflictError(namespace, earlierUid);
  },
  async ensureRole(namespace) {
    calls.push('ensureRole');
    if (roleFails) throw roleFails;
    return { username: `role-of-${namespace}` };
  },
};
const silent = { debug() {}, info() {}, error() {} };
const open = (settings: Partial<TenantsOptions['settings']> = {}): Tenants =>
  createTenants({
    store,
    objectStorage,
    postgres,
    kube: {
      async readNamespace() {
        calls.push('readNamespace');
        return facts;
      },
      async applySecret(secret) {
        calls.push(`apply ${secret.metadata.name}`);
        secrets.set(secret.metadata.name, secret);
      },
      async deleteSecret(namespace, name) {
        calls.push(`delete ${namespace}/${name}`);
      },
    },
    async assume(namespace, rights) {
      calls.push(`assume ${rights}`);
      const access = {
        ...objectStorage,
        accessKey: `${namespace}-${rights}`,
        secretKey: 'temporary',
        sessionToken: 't',
      };
      return { access, expiresAt: new Date(time + 12 * hour) };
    },
    settings: {
      mode: 'isolated',
      installKey: 'k'.repeat(32),
      stsDurationSeconds: 43_200,
      resyncMs: 600_000,
      ...settings,
    },
    now: () => new Date(time),
    log: { ...silent, warn: (fields) => void warnings.push(JSON.stringify(fields)) },
  });
const content = (name: string, file: string) =>
  JSON.parse(Buffer.from(secrets.get(name)?.data[file] ?? '', 'base64').toString());
const everything = [
  ...['readNamespace', 'claim', 'assume fetch', 'assume publish', 'assume predictions', 'ensureRole'],
  ...['apply slipway-tenant-fetch', 'apply slipway-tenant-publish', 'apply slipway-tenant-predictions'],
];

beforeEach(() => {
  time = Date.parse('2026-01-01T00:00:00Z');
  facts = { uid: 'uid-1', annotations: {} };
  calls = [];
  secrets = new Map();
  storeFails = undefined;
  roleFails = undefined;
  earlierUid = undefined;
  warnings = [];
});

test('a namespace gets three Secrets with credentials of its own, and none of the release’s', async () => {
  await open().ensure('team-a');
  assert.equal(content('slipway-tenant-fetch', 'object-storage.json').accessKey, 'team-a-fetch');
  assert.equal(content('slipway-tenant-publish', 'object-storage.json').accessKey, 'team-a-publish');
  const database = content('slipway-tenant-publish', 'postgres.json');
  assert.equal(database.username, 'role-of-team-a');
  assert.match(database.password, /^[0-9a-f]{64}$/);
  assert.equal(content('slipway-tenant-predictions', 'object-storage.json').accessKey, 'team-a-predictions');
  const files = Object.keys(secrets.get('slipway-tenant-predictions')?.data ?? {});
  assert.deepEqual(files, ['object-storage.json', 'hash-key']);
  assert.deepEqual(Object.keys(secrets.get('slipway-tenant-fetch')?.data ?? {}), ['object-storage.json']);
  const all = [...secrets.values()].flatMap(({ data }) =>
    Object.values(data).map((v) => Buffer.from(v, 'base64').toString()),
  );
  assert.doesNotMatch(all.join('\n'), /main-key|main-secret|main-password/);
});

test('many reconciles at once do the work once, and later ones nothing until the resync', async () => {
  const tenants = open();
  await Promise.all([tenants.ensure('team-a'), tenants.ensure('team-a'), tenants.ensure('team-a')]);
  assert.deepEqual(calls, everything);
  calls.length = 0;
  time += 599_000;
  await tenants.ensure('team-a');
  assert.deepEqual(calls, []);
});

test('the resync applies the same Secrets again; half-life brings new credentials', async () => {
  const tenants = open();
  await tenants.ensure('team-a');
  const before = structuredClone([...secrets]);
  calls.length = 0;
  time += 600_000;
  await tenants.ensure('team-a');
  assert.deepEqual(
    calls,
    everything.filter((call) => !call.startsWith('assume')),
  );
  assert.deepEqual([...secrets], before);
  calls.length = 0;
  time += 6 * hour;
  await tenants.ensure('team-a');
  assert.deepEqual(calls, everything);
});

test('a namespace made again has another password, and its credentials are made anew', async () => {
  const tenants = open();
  await tenants.ensure('team-a');
  const { password } = content('slipway-tenant-publish', 'postgres.json');
  facts = { uid: 'uid-2', annotations: {} };
  calls.length = 0;
  time += 600_000;
  await tenants.ensure('team-a');
  assert.deepEqual(calls, everything);
  assert.notEqual(content('slipway-tenant-publish', 'postgres.json').password, password);
});

test('a name that holds an earlier namespace’s data is refused with the command that adopts it', async () => {
  earlierUid = 'uid-0';
  const error = await open()
    .ensure('team-a')
    .catch((e) => e);
  assert.ok(error instanceof TerminalError);
  assert.equal(error.reason, 'NamespaceDataConflict');
  assert.match(error.message, /kubectl annotate namespace team-a --overwrite slipway\.dev\/adopt-data=uid-0 /);
  assert.equal(secrets.size, 0);
  facts = { uid: 'uid-1', annotations: { 'slipway.dev/adopt-data': 'uid-0' } };
  await open().ensure('team-a');
  assert.equal(secrets.size, 3);
});

test('a store that is away stops a new tenant, but not one whose credentials still hold', async () => {
  const tenants = open();
  await tenants.ensure('team-a');
  storeFails = new DatabaseUnavailableError('Postgres is unavailable: ECONNREFUSED');
  await assert.rejects(tenants.ensure('team-b'), DatabaseUnavailableError);
  time += 7 * hour;
  await tenants.ensure('team-a');
  assert.match(warnings.join(), /ECONNREFUSED/);
  calls.length = 0;
  await tenants.ensure('team-a');
  assert.deepEqual(calls, [], 'not asked again at every reconcile');
  time += 6 * hour;
  await assert.rejects(tenants.ensure('team-a'), DatabaseUnavailableError);
  storeFails = undefined;
  await tenants.ensure('team-a');
});

test('a database user who may not make roles is for the object to say, and a running tenant waits for it', async () => {
  const tenants = open();
  await tenants.ensure('team-a');
  roleFails = new RoleDeniedError('the database user may not create a role: give it CREATEROLE');
  const error = await tenants.ensure('team-b').catch((e) => e);
  assert.ok(error instanceof TerminalError);
  const { reason, message, retryAfterMs } = error;
  assert.deepEqual({ reason, retryAfterMs }, { reason: 'TenantRoleDenied', retryAfterMs: 60_000 });
  assert.match(message, /CREATEROLE/);
  time += 600_000;
  await tenants.ensure('team-a');
  assert.match(warnings.join(), /CREATEROLE/);
  roleFails = undefined;
  await tenants.ensure('team-b');
});

test('shared hands out the release’s own credentials, and asks neither store for others', async () => {
  await open({ mode: 'shared' }).ensure('team-a');
  assert.deepEqual(content('slipway-tenant-fetch', 'object-storage.json'), objectStorage);
  assert.deepEqual(content('slipway-tenant-publish', 'postgres.json'), postgres);
  assert.deepEqual(
    calls,
    everything.filter((call) => !/assume|ensureRole/.test(call)),
  );
});

test('release deletes the Secrets, and the next object of ours brings them back', async () => {
  const tenants = open();
  await tenants.ensure('team-a');
  calls.length = 0;
  await tenants.release('team-a');
  const names = ['slipway-tenant-fetch', 'slipway-tenant-publish', 'slipway-tenant-predictions'];
  assert.deepEqual(
    calls,
    names.map((name) => `delete team-a/${name}`),
  );
  calls.length = 0;
  await tenants.ensure('team-a');
  assert.deepEqual(calls, everything);
});
