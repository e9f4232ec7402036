/** For the tests of models: a served registry on a fresh schema, with a bucket that is a map, and short words for what tests do. */
import { createHash } from 'node:crypto';
import { connect, type Database } from '@slipway/database';
import { ObjectStoreError } from '@slipway/object-store';
import { startPostgres } from '../../../../database/testing/postgres.ts';
import { eventually } from '../../../../test/support/eventually.ts';
import { type Served, type ServeOptions, serveRegistry } from '../../../testing/serve.ts';
import type { TenantArtifacts } from '../../artifacts/tenant-artifacts.ts';

/** Files of the namespace `default` by path; a path whose digest nobody counted is in `uncounted`. */
export interface Bucket extends TenantArtifacts {
  readonly content: Map<string, string>;
  readonly uncounted: Set<string>;
  /** Set: every look at the store fails as in an outage. */
  outage: boolean;
}

export function mapBucket(): Bucket {
  const content = new Map<string, string>();
  const uncounted = new Set<string>();
  const sha256 = (path: string) =>
    createHash('sha256')
      .update(content.get(path) ?? '')
      .digest('hex');
  const bucket: Bucket = {
    bucket: 'slipway',
    content,
    uncounted,
    outage: false,
    list: async () => [],
    async files(_namespace, root) {
      if (bucket.outage) throw new ObjectStoreError('Unavailable', 'the store is away');
      const paths = [...content.keys()].filter((path) => path === root || path.startsWith(`${root}/`));
      return paths.map((path) => ({
        path: path.slice(root.length + 1),
        size: (content.get(path) ?? '').length,
        ...(!uncounted.has(path) && { sha256: sha256(path) }),
      }));
    },
    readSmall: async (_namespace, path) => {
      const text = content.get(path);
      return text === undefined ? undefined : Buffer.from(text);
    },
  };
  return bucket;
}

export interface Fixture extends Served {
  readonly pool: Database;
  readonly bucket: Bucket;
  /** The answer of a request that must succeed. */
  // biome-ignore lint/suspicious/noExplicitAny: tests look at any answer
  ok(method: string, path: string, parameters?: Record<string, unknown>): Promise<any>;
  /** Another server process on the same schema, as far as the schema can tell. */
  another(options?: ServeOptions): Promise<Served>;
  stop(): Promise<void>;
}

export async function startModels(options: ServeOptions = {}): Promise<Fixture> {
  const postgres = await startPostgres();
  const access = await postgres.freshDatabase();
  const pool = connect(access, { applicationName: 'tests', max: 10 });
  const bucket = mapBucket();
  const served = await serveRegistry(pool, { artifacts: bucket, ...options });
  const others: { server: Served; pool: Database }[] = [];
  return {
    ...served,
    pool,
    bucket,
    async ok(method, path, parameters) {
      const { status, body } = await served.call(method, path, parameters);
      if (status !== 200) throw new Error(`${method} ${path} answered ${status}: ${JSON.stringify(body)}`);
      return body;
    },
    async another(more = {}) {
      const own = connect(access, { applicationName: 'tests', max: 10 });
      const server = await serveRegistry(own, { artifacts: bucket, ...options, ...more });
      others.push({ server, pool: own });
      return server;
    },
    async stop() {
      await served.close();
      for (const other of others) {
        await other.server.close();
        await other.pool.end();
      }
      await pool.end();
      await postgres.stop();
    },
  };
}

/** Resolves once so many sessions of the database wait for a lock that another one holds. */
export const waitingForLocks = (pool: Database, sessions: number): Promise<unknown> =>
  eventually(async () => {
    const { rows } = await pool.query(
      "SELECT count(*)::int AS waiting FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'",
    );
    if (rows[0].waiting < sessions) throw new Error(`${rows[0].waiting} of ${sessions} wait`);
    return true;
  });

/** One request that is refused. */
export interface Refusal {
  readonly what: string;
  readonly request: readonly [method: string, path: string, parameters?: Record<string, unknown>];
  readonly status: number;
  readonly code: string;
  readonly message: string | RegExp;
}
