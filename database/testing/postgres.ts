/** A real Postgres for tests: a container, or the server that SLIPWAY_TEST_POSTGRES names (PostgresAccess as JSON, a superuser). */
import { randomBytes } from 'node:crypto';
import { PostgresAccess } from '@slipway/contract';
import pg from 'pg';
import { GenericContainer, Wait } from 'testcontainers';
import { connect } from '../src/index.ts';

const IMAGE = process.env['SLIPWAY_TEST_POSTGRES_IMAGE'] ?? 'slipway/dev-postgres:15';

export interface TestPostgres {
  /** A superuser; its database is not ours. */
  readonly admin: PostgresAccess;
  /**
   * A fresh database owned by a fresh user that is no superuser but may create roles, as the chart's documentation asks of
   * a user's own Postgres.
   */
  freshDatabase(): Promise<PostgresAccess>;
  stop(): Promise<void>;
}

async function startContainer(): Promise<{ admin: PostgresAccess; stop(): Promise<void> }> {
  const password = randomBytes(12).toString('hex');
  const container = await new GenericContainer(IMAGE)
    .withEnvironment({ POSTGRES_USER: 'postgres', POSTGRES_PASSWORD: password, POSTGRES_DB: 'postgres' })
    .withExposedPorts(5432)
    .withWaitStrategy(Wait.forLogMessage(/ready to accept connections/))
    .start();
  const admin = PostgresAccess.parse({
    host: container.getHost(),
    port: container.getMappedPort(5432),
    database: 'postgres',
    username: 'postgres',
    password,
  });
  return { admin, stop: async () => void (await container.stop()) };
}

/** Starts it (about a second) or connects to the one named by the environment. */
export async function startPostgres(): Promise<TestPostgres> {
  const named = process.env['SLIPWAY_TEST_POSTGRES'];
  const server = named
    ? { admin: PostgresAccess.parse(JSON.parse(named)), stop: async () => {} }
    : await startContainer();
  const pool = connect(server.admin, { applicationName: 'tests' });
  const made: string[] = [];
  return {
    admin: server.admin,
    async freshDatabase() {
      const name = `slipway_test_${randomBytes(6).toString('hex')}`;
      const password = randomBytes(12).toString('hex');
      await pool.query(`CREATE ROLE ${name} LOGIN CREATEROLE PASSWORD ${pg.escapeLiteral(password)}`);
      await pool.query(`CREATE DATABASE ${name} OWNER ${name}`);
      made.push(name);
      return { ...server.admin, database: name, username: name, password };
    },
    async stop() {
      if (named) for (const name of made) await pool.query(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`);
      await pool.end();
      await server.stop();
    },
  };
}
