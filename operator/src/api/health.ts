/** Whether a store answers, and since when it does not. */
export type Health =
  | { readonly up: true }
  | { readonly up: false; readonly since: string; readonly reason: string; readonly message: string };

/** Of both stores: what probes found, and what a condition may say about it. */
export interface DependencyHealth {
  readonly postgres: Health;
  readonly objectStorage: Health;
}
