import type { ModelIdentity, ServedModel } from '../model/served-model.ts';

/** What the process is doing; the only thing the routes share and the only thing that changes. */
export interface ServerState {
  readonly identity: ModelIdentity;
  /** Seconds since the process began. */
  readonly uptime: () => number;
  /** Set once, after the model has shown that it predicts. */
  model: ServedModel | undefined;
  isDraining: boolean;
}

export const isReady = ({ model, isDraining }: ServerState): boolean => model !== undefined && !isDraining;
