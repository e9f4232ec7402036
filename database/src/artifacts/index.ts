/** Rows about uploaded bytes: digests of artifacts, data sets, and what garbage collection may take. */
import type { Database } from '../pool.ts';

// biome-ignore lint/suspicious/noEmptyInterface: filled by the statements about uploads
export interface ArtifactRows {}

export const openArtifactRows = (_pool: Database): ArtifactRows => ({});
