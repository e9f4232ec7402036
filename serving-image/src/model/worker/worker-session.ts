/**
 * A model on a thread of its own: while it computes, requests are read, probes answered and the next batch gathered.
 * A thread inside the runtime must not be cut off, which would abort the process: it is told to stop and ends by itself.
 */
import type { Worker } from 'node:worker_threads';
import { FailureError } from '../../failure.ts';
import type { ModelSource, Session } from '../session.ts';
import type { Tensor } from '../tensor.ts';
import { type Order, packTensors, type Report, unpackTensors } from './messages.ts';
import { ENTRY, firstReport, startThread, wordsOf } from './thread.ts';

/** The thread ended without having been told to. */
export class ModelThreadLostError extends Error {
  override readonly name = 'ModelThreadLostError';
}

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
  const { worker, ended } = startThread({ modelHost: source }, entry);
  const report = await firstReport(worker);
  if (report.kind === 'opened') return sessionOf(worker, report, ended, onLost);
  await ended;
  throw report.kind === 'refused' ? new FailureError(report.reason, report.message) : new Error('it was never opened');
}

type Opened = Extract<Report, { kind: 'opened' }>;

function sessionOf(
  worker: Worker,
  { inputs, outputs }: Opened,
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
  worker.on('message', (report: Report) => {
    if (report.kind === 'done') take(report.id)?.resolve(unpackTensors(report.outputs));
    else if (report.kind === 'failed') take(report.id)?.reject(new Error(report.message));
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
