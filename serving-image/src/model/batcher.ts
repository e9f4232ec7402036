/**
 * One queue in front of the model. The runtime computes on the event loop's own thread, so requests that arrive in one
 * turn of the loop can share one run at no cost in waiting: that is where most of the throughput comes from.
 */
import type { MaybePromise } from './engine.ts';
import type { Session } from './session.ts';
import { joinRows, sliceRows, type Tensor } from './tensor.ts';

/** The queue is full; a later try may succeed. */
export class OverloadedError extends Error {
  override readonly name = 'OverloadedError';
}

export interface BatcherOptions {
  /** False: every request gets a run of its own. */
  readonly coalesce: boolean;
  /** A run is not filled beyond this many rows; a request that is larger runs alone. */
  readonly maxRows: number;
  readonly maxQueued: number;
  readonly onRun?: (requests: number, rows: number) => void;
}

export interface Batcher {
  /** The outputs of exactly these rows. Throws or rejects with OverloadedError at once when too many wait. */
  run(inputs: readonly Tensor[]): MaybePromise<readonly Tensor[]>;
  queued(): number;
}

/** For a model that answers at once, or nearly: there is nothing to be had from waiting for others. */
export function createDirect(
  session: Pick<Session, 'run'>,
  { maxQueued, onRun }: Pick<BatcherOptions, 'maxQueued' | 'onRun'>,
): Batcher {
  let waiting = 0;
  const done = (): void => {
    waiting--;
  };
  return {
    queued: () => waiting,
    run: (inputs) => {
      if (waiting >= maxQueued) throw new OverloadedError('too many requests wait');
      onRun?.(1, inputs[0]?.dims[0] ?? 1);
      const outputs = session.run(inputs);
      if (!(outputs instanceof Promise)) return outputs;
      waiting++;
      outputs.then(done, done);
      return outputs;
    },
  };
}

interface Waiting {
  readonly inputs: readonly Tensor[];
  readonly rows: number;
  readonly resolve: (outputs: readonly Tensor[]) => void;
  readonly reject: (error: unknown) => void;
}

export function createBatcher(session: Pick<Session, 'run'>, options: BatcherOptions): Batcher {
  let queue: Waiting[] = [];
  let isRunning = false;

  const take = (): Waiting[] => {
    let rows = 0;
    let count = 0;
    while (count < queue.length && (count === 0 || options.coalesce)) {
      rows += (queue[count] as Waiting).rows;
      if (count > 0 && rows > options.maxRows) break;
      count++;
    }
    const batch = queue.slice(0, count);
    queue = queue.slice(count);
    return batch;
  };
  const work = async (): Promise<void> => {
    while (queue.length > 0) {
      const batch = take();
      options.onRun?.(
        batch.length,
        batch.reduce((sum, { rows }) => sum + rows, 0),
      );
      await runBatch(session, batch);
    }
    isRunning = false;
  };
  return {
    queued: () => queue.length,
    run: (inputs) => {
      if (queue.length >= options.maxQueued) return Promise.reject(new OverloadedError('too many requests wait'));
      return new Promise((resolve, reject) => {
        queue.push({ inputs, rows: inputs[0]?.dims[0] ?? 1, resolve, reject });
        if (isRunning) return;
        isRunning = true;
        setImmediate(() => void work());
      });
    },
  };
}

/** Settles every request of the batch. When a shared run fails, each is tried alone: one must not fail the others. */
async function runBatch(session: Pick<Session, 'run'>, batch: readonly Waiting[]): Promise<void> {
  const [first] = batch;
  if (batch.length === 1 && first) return runAlone(session, first);
  try {
    const inputs = (first?.inputs ?? []).map((_, i) => joinRows(batch.map((waiting) => waiting.inputs[i] as Tensor)));
    const outputs = await session.run(inputs);
    const rows = inputs[0]?.dims[0];
    if (outputs.some(({ dims }) => dims[0] !== rows)) throw new Error('an output has another number of rows');
    let at = 0;
    for (const waiting of batch) {
      const until = at + waiting.rows;
      const from = at;
      waiting.resolve(outputs.map((output) => sliceRows(output, from, until)));
      at = until;
    }
  } catch {
    for (const waiting of batch) await runAlone(session, waiting);
  }
}

async function runAlone(session: Pick<Session, 'run'>, { inputs, resolve, reject }: Waiting): Promise<void> {
  try {
    resolve(await session.run(inputs));
  } catch (error) {
    reject(error);
  }
}
