/** What the operator asks of the cluster. The only files that talk HTTP to the API server are in this folder. */
import type { Kind, KubeObject, ObjectKey } from '../api/meta.ts';

export interface KubeReader {
  /** From the informer cache: cheap, may be a moment stale, never fails for a missing object. */
  get<T extends KubeObject>(kind: Kind<T>, key: ObjectKey): T | undefined;
  /** From the cache: the objects of the namespace (all watched namespaces when it is absent) that carry these labels. */
  list<T extends KubeObject>(
    kind: Kind<T>,
    filter?: { readonly namespace?: string; readonly labels?: Readonly<Record<string, string>> },
  ): readonly T[];
  /** From the cache: the objects `owner` controls. */
  listOwned<T extends KubeObject>(kind: Kind<T>, owner: KubeObject): readonly T[];
}

export interface KubeWriter {
  /**
   * Server-side apply with force, as the field manager `slipway-operator`; only the fields given are owned.
   * An unchanged object (same content sent before and the cached object not edited since) costs no request.
   * Throws TerminalError `NameTaken` when an object of that name exists that `object`'s controller does not control;
   * an object that names no controller is not checked. A content the API server refuses is a TerminalError `Refused`.
   */
  apply<T extends KubeObject>(object: T): Promise<void>;
  /** Deletes this very object (uid and resourceVersion are preconditions); gone already is success. */
  delete<T extends KubeObject>(
    kind: Kind<T>,
    object: T,
    options?: { readonly propagation?: 'Background' | 'Foreground' },
  ): Promise<void>;
}

/** What only a kind whose objects people and the operator both write needs. */
export interface KubeEditor {
  /**
   * Merge-patches exactly the state that was read (its resourceVersion is the precondition); null removes a field.
   * Throws a conflict when it changed or vanished since.
   */
  patch(object: KubeObject, change: { readonly metadata?: object; readonly spec?: object }): Promise<void>;
  /** Asks the API server which field manager, other than this operator, was the last to write these spec fields. */
  editorOf(object: KubeObject, fields: readonly string[]): Promise<string | undefined>;
}

export type Kube = KubeReader & KubeWriter & KubeEditor;

/** Something that happened to an object, as `kubectl describe` shows it. */
export interface EventRecord {
  readonly regarding: KubeObject;
  readonly type: 'Normal' | 'Warning';
  readonly reason: string;
  readonly note: string;
}

/** What only the runtime does to an object; controllers never see it. */
export interface RuntimeKube extends Kube {
  /**
   * The whole status of the object as it was read, as the field manager `slipway-operator-status`. Throws a conflict
   * when it changed or vanished since.
   */
  applyStatus(object: KubeObject, status: object): Promise<void>;
  /** Throws a conflict when the object changed since it was read. */
  addFinalizer(object: KubeObject, finalizer: string): Promise<void>;
  /** As addFinalizer; an object that is gone is success. */
  removeFinalizer(object: KubeObject, finalizer: string): Promise<void>;
  /** Equal events shortly after each other are told once. */
  recordEvent(event: EventRecord): Promise<void>;
}
