import type pg from 'pg';

/** Runs `work` in one transaction that the leader epoch guards. */
export type Write = <T>(work: (client: pg.PoolClient) => Promise<T>) => Promise<T>;
