import assert from 'node:assert/strict';
import type { Kind, KubeObject, ObjectKey } from '../operator/src/api/meta.ts';
import type { EventRecord, RuntimeKube } from '../operator/src/kube/client.ts';

type Raw = KubeObject & { readonly [field: string]: unknown };
/** RFC 7396: null removes, everything but an object replaces. */
function mergePatch(target: unknown, patch: unknown): unknown {
  if (typeof patch !== 'object' || patch === null || Array.isArray(patch)) return structuredClone(patch);
  const merged: Record<string, unknown> = { ...(target as Record<string, unknown>) };
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete merged[key];
    else merged[key] = mergePatch(merged[key] ?? {}, value);
  }
  return merged;
}

const id = (kind: string, { namespace, name }: ObjectKey) => `${kind}/${namespace}/${name}`;

/**
 * An in-memory cluster for unit tests: apply merges the top-level fields of what it is given (metadata one level
 * deeper) and changes nothing when nothing differs; every write is recorded in `calls` as `<verb> <Kind> <name>`.
 */
export class FakeKube implements RuntimeKube {
  readonly objects = new Map<string, Raw>();
  readonly calls: string[] = [];
  readonly events: EventRecord[] = [];
  readonly #kinds = new Map<string, Kind<KubeObject>>();
  /** Called before every write with its `calls` line; throw to fail the write. */
  onWrite: (call: string) => void = () => {};
  #uids = 0;

  /** Places an object without recording a call. */
  put(object: KubeObject): this {
    const uid = object.metadata.uid ?? `uid-${++this.#uids}`;
    const copy = structuredClone(object) as Raw;
    this.objects.set(id(object.kind, object.metadata), { ...copy, metadata: { generation: 1, ...copy.metadata, uid } });
    return this;
  }

  /** Removes an object without recording a call. */
  drop(kind: Kind<KubeObject>, key: ObjectKey): void {
    this.objects.delete(id(kind.kind, key));
  }

  get<T extends KubeObject>(kind: Kind<T>, key: ObjectKey): T | undefined {
    const raw = this.objects.get(id(kind.kind, key));
    this.#kinds.set(kind.kind, kind);
    return raw && kind.parse(structuredClone(raw));
  }

  list<T extends KubeObject>(
    kind: Kind<T>,
    filter: { namespace?: string; labels?: Readonly<Record<string, string>> } = {},
  ): readonly T[] {
    return [...this.objects.values()]
      .filter((o) => o.kind === kind.kind)
      .filter((o) => filter.namespace === undefined || o.metadata.namespace === filter.namespace)
      .filter((o) => Object.entries(filter.labels ?? {}).every(([key, value]) => o.metadata.labels?.[key] === value))
      .map((o) => kind.parse(structuredClone(o)));
  }

  listOwned<T extends KubeObject>(kind: Kind<T>, owner: KubeObject): readonly T[] {
    const owned = (o: KubeObject) =>
      o.metadata.ownerReferences?.some((ref) => ref.controller === true && ref.uid === owner.metadata.uid) ?? false;
    return this.list(kind, { namespace: owner.metadata.namespace }).filter(owned);
  }

  async apply(object: KubeObject): Promise<void> {
    const before = this.objects.get(id(object.kind, object.metadata));
    const merged = { ...before, ...structuredClone(object), metadata: { ...before?.metadata, ...object.metadata } };
    if (before && JSON.stringify(before) === JSON.stringify(merged)) return;
    this.#record(`apply ${object.kind} ${object.metadata.name}`);
    this.put(merged);
  }

  async delete<T extends KubeObject>(_kind: Kind<T>, object: T): Promise<void> {
    this.#record(`delete ${object.kind} ${object.metadata.name}`);
    this.objects.delete(id(object.kind, object.metadata));
  }

  async patch(object: KubeObject, change: { readonly metadata?: object; readonly spec?: object }): Promise<void> {
    this.#record(`patch ${object.kind} ${object.metadata.name}`);
    const before = this.objects.get(id(object.kind, object.metadata));
    if (before) this.put(mergePatch(before, change) as KubeObject);
  }

  async editorOf(): Promise<string | undefined> {
    return 'kubectl-edit';
  }

  async applyStatus(object: KubeObject, status: object): Promise<void> {
    this.#record(`status ${object.kind} ${object.metadata.name}`);
    const before = this.objects.get(id(object.kind, object.metadata));
    if (!before) return;
    const after = { ...before, status: structuredClone(status) };
    // The API server refuses a status field that the schema does not have; parsing would drop it without a word.
    const parsed = this.#kinds.get(object.kind)?.parse(structuredClone(after)) as Raw | undefined;
    if (parsed)
      assert.deepEqual(after.status, parsed['status'], `status of ${object.kind} has fields its schema lacks`);
    this.put(after as KubeObject);
  }

  async addFinalizer(object: KubeObject, finalizer: string): Promise<void> {
    this.#record(`addFinalizer ${object.kind} ${object.metadata.name}`);
    this.put({
      ...object,
      metadata: { ...object.metadata, finalizers: [...(object.metadata.finalizers ?? []), finalizer] },
    });
  }

  async removeFinalizer(object: KubeObject, finalizer: string): Promise<void> {
    this.#record(`removeFinalizer ${object.kind} ${object.metadata.name}`);
    const finalizers = (object.metadata.finalizers ?? []).filter((f) => f !== finalizer);
    if (finalizers.length === 0 && object.metadata.deletionTimestamp) this.drop(object as never, object.metadata);
    else this.put({ ...object, metadata: { ...object.metadata, finalizers } });
  }

  async recordEvent(event: EventRecord): Promise<void> {
    this.events.push(event);
  }

  #record(call: string): void {
    this.onWrite(call);
    this.calls.push(call);
  }
}
