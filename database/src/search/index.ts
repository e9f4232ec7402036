/** Search over experiments, runs, models: an already parsed filter becomes one statement; the answer is keys and where the next page begins. */
import type { Database } from '../pool.ts';

// biome-ignore lint/suspicious/noEmptyInterface: filled by the search statements
export interface Search {}

export const openSearch = (_pool: Database): Search => ({});
