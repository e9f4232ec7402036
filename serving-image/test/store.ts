/** An object store in memory that can be made to fail. */
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { type ObjectStore, ObjectStoreError } from '@slipway/object-store';

export interface MemoryStore extends ObjectStore {
  readonly objects: Map<string, Buffer>;
  /** Thrown by the next calls, one each. */
  readonly failures: ObjectStoreError[];
  /** Keys that were read, in order. */
  readonly reads: string[];
}

export function memoryStore(objects: Readonly<Record<string, Buffer>>, bucket = 'slipway'): MemoryStore {
  const store = new Map(Object.entries(objects));
  const failures: ObjectStoreError[] = [];
  const reads: string[] = [];
  const fail = (): void => {
    const failure = failures.shift();
    if (failure) throw failure;
  };
  return {
    bucket,
    objects: store,
    failures,
    reads,
    list: async (prefix) => {
      fail();
      const keys = [...store.keys()].filter((key) => key.startsWith(prefix)).sort();
      return keys.map((key) => ({ key, size: store.get(key)?.length ?? 0 }));
    },
    stat: async (key) => {
      fail();
      const object = store.get(key);
      return object && { key, size: object.length };
    },
    get: async (key) => {
      fail();
      reads.push(key);
      const object = store.get(key);
      if (!object) throw new ObjectStoreError('NotFound', `no object ${key}`);
      return Readable.from([object.subarray(0, 7), object.subarray(7)]);
    },
    put: async (key, body) => {
      fail();
      store.set(key, Buffer.isBuffer(body) ? body : await buffer(body));
    },
    check: async () => fail(),
  };
}
