/** What computes a model, and how its results travel: at once where nothing has to be waited for. */

/** Plain JavaScript made from the graph; the runtime on the thread that answers requests; the runtime on a thread of its own. */
export type EngineName = 'compiled' | 'onnxruntime' | 'onnxruntime-worker';

/** Not wrapped when it is there already: a promise costs more than a small model does. */
export type MaybePromise<T> = T | Promise<T>;

/** `next` of the value, now if it is there, else when it is. */
export const whenThere = <T, U>(value: MaybePromise<T>, next: (value: T) => U): MaybePromise<U> =>
  value instanceof Promise ? value.then(next) : next(value);
