/** Registered models and their versions as MLflow clients read and write them; every change appends its event. */
import type { Database } from '../pool.ts';
import type { RegisteredModelEntity, VersionEntity } from './types.ts';

export type * from './types.ts';

export interface ModelRegistry {
  /** In the order of the names; a name that is not there (or is deleted) is left out. */
  modelsByName(namespace: string, names: readonly string[]): Promise<RegisteredModelEntity[]>;
  /** In the order of the keys; a version that is not there (or is deleted) is left out. */
  versionsByKey(
    namespace: string,
    keys: readonly { readonly model: string; readonly version: number }[],
  ): Promise<VersionEntity[]>;
}

export const openModelRegistry = (_pool: Database): ModelRegistry => ({
  modelsByName: async () => [],
  versionsByKey: async () => [],
});
