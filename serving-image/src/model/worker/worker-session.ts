/**
 * A model on a thread of its own: while it computes, requests are read, probes answered and the next batch gathered.
 * A thread inside the runtime must not be cut off, which would abort the process: it is told to stop and ends by itself.
 */
import { Worker } from 'node:worker_threads';
import { FailureError } from '../../failure.ts';
import type { ModelSource, Session } from '../session.ts';
import type { Tensor, TensorSpec } from '../tensor.ts';
import { type HostData, type Order, packTensors, type Report, unpackTensors } from './messages.ts';

/** The thread ended without having been told to. */
export class ModelThreadLostError extends Error {
  override readonly name = 'ModelThreadLostError';
}

/** One file holds the whole bundled program; its sources have an entry for the thread. */
const ENTRY = import.meta.url.endsWith('.ts') ? new URL('./entry.ts', import.meta.url) : new URL(import.meta.url);

interface Waiting {
  readonly resolve: (outputs: readonly Tensor[]) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Opens the model on a new thread; fails as `openSession` does. `onLost` is called at most once, when the thread ends
 * without having been told to: no run is answered from then on. `entry` is for tests.
 */
export async function openWorkerSession(
  source: ModelSource,
  onLost: (error: Error) => void,
  entry = ENTRY,
): Promise<Session> {
  const data: HostData = { modelHost: source };
  const worker = new Worker(entry, { workerData: data, execArgv: [], env: {}, name: 'model' });
  const ended = new Promise((resolve) => worker.once('exit', resolve));
  const opened = await firstReport(worker);
  if (opened.kind === 'refused') {
    await ended;
    throw new FailureError(opened.reason, opened.message);
  }
  return sessionOf(worker, opened, ended, onLost);
}

type Opened = Extract<Report, { kind: 'opened' | 'refused' }>;

function firstReport(worker: Worker): Promise<Opened> {
  return new Promise((resolve, reject) => {
    const died = (error?: unknown): void =>
      reject(new FailureError('InvalidModel', `the thread that loads it died${wordsOf(error)}`, { cause: error }));
    worker.once('message', (report: Opened) => {
      worker.off('error', died).off('exit', died);
      resolve(report);
    });
    worker.once('error', died).once('exit', died);
  });
}

/** `error` may be the code the thread ended with. */
const wordsOf = (error: unknown): string => (error instanceof Error ? ` (${error.name}: ${error.message})` : '');

function sessionOf(
  worker: Worker,
  { inputs, outputs }: { readonly inputs: readonly TensorSpec[]; readonly outputs: readonly TensorSpec[] },
  ended: Promise<unknown>,
  onLost: (error: Error) => void,
): Session {
  const waiting = new Map<number, Waiting>();
  let lost: Error | undefined;
  let isStopping = false;
  let last = 0;
  const take = (id: number): Waiting | undefined => {
    const found = waiting.get(id);
    waiting.delete(id);
    return found;
  };
  worker.on('message', (report: Exclude<Report, Opened>) => {
    if (report.kind === 'done') take(report.id)?.resolve(unpackTensors(report.outputs));
    else take(report.id)?.reject(new Error(report.message));
  });
  const lose = (cause?: unknown): void => {
    if (isStopping || lost) return;
    lost = new ModelThreadLostError(`the thread that computes the model ended by itself${wordsOf(cause)}`, { cause });
    for (const { reject } of waiting.values()) reject(lost);
    waiting.clear();
    onLost(lost);
  };
  worker.once('error', lose).once('exit', lose);
  const post = (order: Order, transfer: ArrayBuffer[] = []): void => worker.postMessage(order, transfer);
  return {
    inputs,
    outputs,
    run: (tensors) =>
      new Promise((resolve, reject) => {
        if (lost) return reject(lost);
        const id = ++last;
        waiting.set(id, { resolve, reject });
        const { sent, transfer } = packTensors(tensors);
        post({ kind: 'run', id, inputs: sent }, transfer);
      }),
    release: async () => {
      if (!isStopping && !lost) {
        isStopping = true;
        post({ kind: 'stop' });
      }
      await ended;
    },
  };
}
