/** What the endpoints work with. Everything that does IO comes in through here. */
import type { LoggedModels, ModelRegistry, Search, Tracking } from '@slipway/database';
import type { TenantArtifacts } from '../artifacts/tenant-artifacts.ts';

export interface MlflowDeps {
  readonly tracking: Tracking;
  readonly search: Search;
  readonly models: ModelRegistry;
  readonly loggedModels: LoggedModels;
  readonly artifacts: TenantArtifacts;
  /** False where nothing verifies versions (a registry without an operator): they are READY at once. */
  readonly verified: boolean;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}
