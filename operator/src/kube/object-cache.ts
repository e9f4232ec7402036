/** What the informers of one kind have seen: objects by key, found by namespace, label or controller. */
import { createHash } from 'node:crypto';
import { type Kind, type KubeObject, Metadata, type ObjectKey } from '../api/meta.ts';

/** An object that is in the cluster but that its Kind refuses. Only readers of this very object meet it. */
export class UnreadableObjectError extends Error {
  override readonly name = 'UnreadableObjectError';
  readonly object: KubeObject;
  constructor(object: KubeObject, cause: unknown) {
    const { namespace, name } = object.metadata;
    super(`${object.kind} ${namespace}/${name} is not as its schema says: ${causeOf(cause)}`, { cause });
    this.object = object;
  }
}

/** The first fault of a ZodError with its field; anything else by its message. */
function causeOf(error: unknown): string {
  const [issue] = (error as { issues?: { path?: unknown[]; message?: string }[] }).issues ?? [];
  if (issue) return `${(issue.path ?? []).join('.')}: ${issue.message}`;
  return error instanceof Error ? error.message : 'unknown';
}

export interface Entry<T extends KubeObject = KubeObject> {
  /** Identity and relations; there even when the object could not be parsed. */
  readonly head: KubeObject;
  readonly object: T | UnreadableObjectError;
  /** Digest of everything but status and bookkeeping: equal means nobody edited it. */
  readonly fingerprint: string;
}

export const keyOf = ({ namespace, name }: ObjectKey): string => `${namespace}/${name}`;

/** Digest of an object as the API server sends it, without status, version and field managers. */
export function fingerprintOf(raw: unknown): string {
  const { apiVersion: _a, kind: _k, status: _s, metadata, ...rest } = raw as Record<string, unknown>;
  const {
    resourceVersion: _v,
    generation: _g,
    managedFields: _f,
    ...meta
  } = metadata as { readonly [field: string]: unknown };
  return createHash('sha1')
    .update(JSON.stringify([rest, meta]))
    .digest('base64');
}

/** Parses what came over the wire. A list's items carry no kind, and nobody needs managedFields. Throws for a nameless thing. */
export function entryOf<T extends KubeObject>(kind: Kind<T>, raw: unknown): Entry<T> {
  const { metadata, ...rest } = raw as { metadata: Record<string, unknown> };
  const { managedFields: _fields, ...meta } = metadata;
  const whole = { ...rest, apiVersion: kind.apiVersion, kind: kind.kind, metadata: meta };
  const head = { apiVersion: kind.apiVersion, kind: kind.kind, metadata: Metadata.parse(meta) } as KubeObject;
  const fingerprint = fingerprintOf(whole);
  try {
    return { head, object: kind.parse(whole), fingerprint };
  } catch (error) {
    return { head, object: new UnreadableObjectError(head, error), fingerprint };
  }
}

/** True when resourceVersion `a` is from before `b`. They are decimal numbers, too large for a double. */
export const isOlderVersion = (a = '', b = ''): boolean => (a.length === b.length ? a < b : a.length < b.length);

/** What readers may see of an entry: the object, or at least its metadata when it cannot be read. */
export const visible = ({ head, object }: Entry): KubeObject =>
  object instanceof UnreadableObjectError ? head : object;

const NAMESPACE = 'n:';
const LABEL = 'l:';
const OWNER = 'o:';

function indexKeys({ metadata }: KubeObject): string[] {
  const labels = Object.entries(metadata.labels ?? {}).map(([key, value]) => `${LABEL}${key}=${value}`);
  const owner = metadata.ownerReferences?.find((ref) => ref.controller === true);
  return [`${NAMESPACE}${metadata.namespace}`, ...labels, ...(owner ? [`${OWNER}${owner.uid}`] : [])];
}

export interface ListFilter {
  readonly namespace?: string | undefined;
  readonly labels?: Readonly<Record<string, string>> | undefined;
  readonly ownerUid?: string | undefined;
}

export class ObjectCache<T extends KubeObject = KubeObject> {
  readonly kind: Kind<T>;
  readonly #entries = new Map<string, Entry<T>>();
  readonly #index = new Map<string, Set<string>>();
  constructor(kind: Kind<T>) {
    this.kind = kind;
  }

  get size(): number {
    return this.#entries.size;
  }

  get unreadable(): number {
    return [...this.#entries.values()].filter(({ object }) => object instanceof UnreadableObjectError).length;
  }

  entry(key: string): Entry<T> | undefined {
    return this.#entries.get(key);
  }

  /** Throws UnreadableObjectError for an object that is there but could not be parsed. */
  get(key: ObjectKey): T | undefined {
    const object = this.#entries.get(keyOf(key))?.object;
    if (object instanceof UnreadableObjectError) throw object;
    return object;
  }

  /** Every key, or those of one namespace. */
  keys(namespace?: string): readonly string[] {
    return namespace === undefined ? [...this.#entries.keys()] : [...(this.#index.get(NAMESPACE + namespace) ?? [])];
  }

  /** Objects that carry everything the filter asks for, by key; unreadable ones are left out. */
  list({ namespace, labels = {}, ownerUid }: ListFilter): readonly T[] {
    const wanted = Object.entries(labels).map(([key, value]) => `${LABEL}${key}=${value}`);
    if (namespace !== undefined) wanted.push(NAMESPACE + namespace);
    if (ownerUid !== undefined) wanted.push(OWNER + ownerUid);
    const sets = wanted.map((key) => this.#index.get(key) ?? new Set<string>()).sort((a, b) => a.size - b.size);
    const candidates = sets.length === 0 ? [...this.#entries.keys()] : [...(sets[0] as Set<string>)];
    const found = candidates.filter((key) => sets.every((set) => set.has(key))).sort();
    return found
      .map((key) => this.#entries.get(key)?.object)
      .filter((object) => object !== undefined && !(object instanceof UnreadableObjectError)) as T[];
  }

  set(entry: Entry<T>): void {
    const key = keyOf(entry.head.metadata);
    this.delete(key);
    this.#entries.set(key, entry);
    for (const index of indexKeys(entry.head)) {
      const keys = this.#index.get(index);
      if (keys) keys.add(key);
      else this.#index.set(index, new Set([key]));
    }
  }

  delete(key: string): Entry<T> | undefined {
    const entry = this.#entries.get(key);
    if (!entry) return undefined;
    this.#entries.delete(key);
    for (const index of indexKeys(entry.head)) {
      const keys = this.#index.get(index);
      keys?.delete(key);
      if (keys?.size === 0) this.#index.delete(index);
    }
    return entry;
  }
}
