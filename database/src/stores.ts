import type pg from 'pg';
import { mirrorFeed } from './mirror-feed.ts';
import { query, transaction } from './pool.ts';
import { dataSetFinder, requestStore } from './request-store.ts';
import { runStore } from './run-store.ts';
import { tenantStore } from './tenant-store.ts';
import type {
  DataSetFinder,
  MirrorFeed,
  RequestStore,
  RunStore,
  TenantStore,
  UseStore,
  VersionStore,
} from './types.ts';
import { useStore } from './use-store.ts';
import { versionStore } from './version-store.ts';
import type { Write } from './write.ts';

export interface Stores {
  readonly runs: RunStore;
  readonly requests: RequestStore;
  readonly dataSets: DataSetFinder;
  readonly versions: VersionStore;
  readonly tenants: TenantStore;
  readonly uses: UseStore;
  readonly mirror: MirrorFeed;
}

export interface StoreOptions {
  /**
   * The leader epoch of this process, asked at every write: a write of an epoch lower than the highest seen throws
   * StaleLeaderError and changes nothing. Undefined: this process takes no part in the election, nothing is compared.
   */
  readonly epoch: () => number | undefined;
}

/** The stores over one pool. They keep no state of their own. */
export function openStores(pool: pg.Pool, options: StoreOptions): Stores {
  const write: Write = (work) =>
    transaction(pool, async (client) => {
      const epoch = options.epoch();
      if (epoch !== undefined) await query(client, 'SELECT slipway.fence($1)', [epoch]);
      return work(client);
    });
  return {
    runs: runStore(pool, write),
    requests: requestStore(pool),
    dataSets: dataSetFinder(pool),
    versions: versionStore(pool, write),
    tenants: tenantStore(pool, write),
    uses: useStore(pool, write),
    mirror: mirrorFeed(pool),
  };
}
