/** The shape of a controller: observe → decide → act. */
import type { CommonStatus, CustomResource, Kind, KubeObject, ObjectKey } from '../api/meta.ts';
import type { Kube, KubeReader } from '../kube/client.ts';

export interface Logger {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/** Handed to every reconcile: everything impure that all kinds need. Stores reach a controller through its factory. */
export interface Context {
  readonly kube: Kube;
  readonly log: Logger;
  readonly now: () => Date;
  readonly signal: AbortSignal;
}

/** Something to tell beside the transitions of conditions. */
export interface Note {
  readonly type: 'Normal' | 'Warning';
  readonly reason: string;
  readonly note: string;
}

export interface Result<Status> {
  /** The whole status this reconcile observed; the runtime writes it once, and only when it differs. */
  readonly status: Status;
  /** Look again after this long even if nothing changes. Absent: wait for a change. */
  readonly requeueAfterMs?: number;
  /** Told after the status is written. */
  readonly notes?: readonly Note[];
  /** Called after the status is written: what counts a transition counts it here, once. */
  readonly whenWritten?: () => void;
  /** The object itself was just rewritten: no status is written, the next turn looks at it as it is now. */
  readonly rewritten?: true;
}

/** What a finalizer found: gone (the finalizer is removed) or blocked (status is written, tried again on change). */
export type Finalized<Status> = { readonly done: true } | ({ readonly done: false } & Result<Status>);

export interface ControllerDefinition<T extends CustomResource = CustomResource> {
  readonly for: Kind<T>;
  /** Kinds this controller creates: a change to one re-queues its controller owner. */
  readonly owns: readonly Kind<KubeObject>[];
  /** Kinds it only refers to: a change maps to the keys that may care. Pure, from the cache. */
  readonly watches?: readonly {
    readonly kind: Kind<KubeObject>;
    keys(changed: KubeObject, kube: KubeReader): readonly ObjectKey[];
  }[];
  /** Condition reasons whose appearance is a Warning event; every other transition is a Normal one. */
  readonly warnings: ReadonlySet<string>;
  /** Types of conditions whose transitions are no events: something else tells the same. */
  readonly quiet?: ReadonlySet<string>;
  /** The kind's summary condition (`Ready`, `Succeeded`): a TerminalError makes it False, beside `Stalled`. */
  readonly summary?: string;
  reconcile(ctx: Context, object: T): Promise<Result<NonNullable<T['status']> & CommonStatus>>;
  /** Undo effects outside the cluster; having it adds the finalizer `finalizer` before the first reconcile. */
  readonly finalizer?: string;
  finalize?(ctx: Context, object: T): Promise<Finalized<NonNullable<T['status']> & CommonStatus>>;
}
