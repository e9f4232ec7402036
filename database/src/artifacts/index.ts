/** Rows about uploaded bytes: digests of artifacts, data sets, and what garbage collection may take. */
import type { Database } from '../pool.ts';
import { artifactRows } from './artifact-rows.ts';
import { dataSets } from './data-sets.ts';
import { garbageRows } from './garbage-rows.ts';
import type { ArtifactRows, DataSets, GarbageRows } from './types.ts';

export type * from './types.ts';

export const openArtifactRows = (pool: Database): ArtifactRows => artifactRows(pool);
export const openDataSets = (pool: Database): DataSets => dataSets(pool);
export const openGarbageRows = (pool: Database): GarbageRows => garbageRows(pool);
