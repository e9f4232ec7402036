import { shortHash } from '@slipway/contract';
import pg from 'pg';
import { isInsufficientPrivilege } from './errors.ts';
import { type Queryable, query } from './pool.ts';
import { scramVerifier } from './scram.ts';
import { RoleDeniedError, TenantConflictError, type TenantStore, UnclaimedNamespaceError } from './types.ts';
import type { Write } from './write.ts';

const roleName = (database: string, namespace: string): string =>
  `slipway_t_${shortHash(`${database}/${namespace}`, 32)}`;

async function ownerOf(on: Queryable, namespace: string, lock = ''): Promise<string | undefined> {
  const [row] = await query<{ namespace_uid: string }>(
    on,
    `SELECT namespace_uid FROM slipway.tenants WHERE namespace = $1 ${lock}`,
    [namespace],
  );
  return row?.namespace_uid;
}

async function claim(on: Queryable, namespace: string, uid: string, adoptUid: string | undefined): Promise<void> {
  await query(
    on,
    'INSERT INTO slipway.tenants (namespace, namespace_uid) VALUES ($1, $2) ON CONFLICT (namespace) DO NOTHING',
    [namespace, uid],
  );
  await query(
    on,
    `INSERT INTO slipway.experiments (namespace, experiment_id, name) VALUES ($1, 0, 'Default') ON CONFLICT DO NOTHING`,
    [namespace],
  );
  const owner = (await ownerOf(on, namespace, 'FOR UPDATE')) as string;
  if (owner === uid) return;
  if (owner !== adoptUid) throw new TenantConflictError(namespace, owner);
  await query(
    on,
    'UPDATE slipway.tenants SET namespace_uid = $2, adopted_from = $3, claimed_at = now() WHERE namespace = $1',
    [namespace, uid, owner],
  );
}

/**
 * Locks the tenant's row until the transaction ends and returns the database's name. Row locks, not advisory ones: those
 * any role could take. Publishing is not held up. Throws UnclaimedNamespaceError when there is no such tenant.
 */
export async function lockTenant(on: Queryable, namespace: string): Promise<string> {
  const [tenant] = await query<{ database: string }>(
    on,
    'SELECT current_database() AS database FROM slipway.tenants WHERE namespace = $1 FOR NO KEY UPDATE',
    [namespace],
  );
  if (tenant) return tenant.database;
  throw new UnclaimedNamespaceError(`namespace ${namespace} has not been claimed`);
}

/** May log in, call three functions, and nothing else; the limits keep one tenant from starving the others. */
async function makeRole(on: Queryable, role: string, database: string, password: string): Promise<void> {
  const [existing] = await query<{ found: boolean }>(
    on,
    'SELECT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = $1) AS found',
    [role],
  );
  const name = pg.escapeIdentifier(role);
  const secret = pg.escapeLiteral(scramVerifier(password));
  // Only what differs from a new role's defaults: since 16 naming an attribute the main user lacks is refused, even as NO….
  const attributes = `LOGIN NOINHERIT CONNECTION LIMIT 20 PASSWORD ${secret}`;
  await query(on, `${existing?.found ? 'ALTER' : 'CREATE'} ROLE ${name} ${attributes}`);
  await query(on, `ALTER ROLE ${name} SET statement_timeout = '60s'`);
  await query(on, `ALTER ROLE ${name} SET idle_in_transaction_session_timeout = '60s'`);
  await query(on, `GRANT USAGE ON SCHEMA slipway TO ${name}`);
  await query(
    on,
    `GRANT EXECUTE ON FUNCTION slipway.publish_run(jsonb), slipway.find_published(text), slipway.session_namespace() TO ${name}`,
  );
  const [connect] = await query<{ allowed: boolean }>(
    on,
    `SELECT has_database_privilege($1, current_database(), 'CONNECT') AS allowed`,
    [role],
  );
  if (!connect?.allowed) await query(on, `GRANT CONNECT ON DATABASE ${pg.escapeIdentifier(database)} TO ${name}`);
}

const denied = (error: unknown): unknown => {
  if (!isInsufficientPrivilege(error)) return error;
  const cure =
    'give it CREATEROLE (ALTER ROLE … CREATEROLE), or, where all namespaces trust each other, ' +
    'hand out one shared credential (operator.tenantCredentials=shared)';
  return new RoleDeniedError(`the database user may not create a role for the namespace: ${cure}`, { cause: error });
};

/** Tenants in Postgres. What is as it should be is claimed by reading alone. */
export const tenantStore = (pool: Queryable, write: Write): TenantStore => ({
  async claim(namespace, namespaceUid, adoptUid) {
    if ((await ownerOf(pool, namespace)) === namespaceUid) return;
    await write((client) => claim(client, namespace, namespaceUid, adoptUid));
  },

  // Sets the password each time: whoever holds the role may have changed it.
  ensureRole: (namespace, password) =>
    write(async (client) => {
      const database = await lockTenant(client, namespace);
      const username = roleName(database, namespace);
      await makeRole(client, username, database, password);
      await query(client, 'UPDATE slipway.tenants SET role_name = $2 WHERE namespace = $1', [namespace, username]);
      return { username };
    }).catch((error) => {
      throw denied(error);
    }),
});
