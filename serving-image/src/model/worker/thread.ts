/** Starting the thread that works for the one that answers requests, and hearing from it first. */
import { Worker } from 'node:worker_threads';
import { FailureError } from '../../failure.ts';
import type { Report, ThreadData } from './messages.ts';

/** The bundled program sees for itself that it runs in a thread; its sources have an entry for that. */
export const ENTRY = new URL(import.meta.url.endsWith('.ts') ? './entry.ts' : './main.mjs', import.meta.url);

/** `ended` resolves when the thread is gone, however it went. */
export function startThread(workerData: ThreadData, entry = ENTRY): { worker: Worker; ended: Promise<unknown> } {
  const worker = new Worker(entry, { workerData, execArgv: [], env: {}, name: 'model' });
  return { worker, ended: new Promise((resolve) => worker.once('exit', resolve)) };
}

/** Rejects with InvalidModel when the thread ends without a word: of the model, for nothing else happens there. */
export function firstReport(worker: Worker): Promise<Report> {
  return new Promise((resolve, reject) => {
    const died = (error?: unknown): void =>
      reject(new FailureError('InvalidModel', `the thread that loads it died${wordsOf(error)}`, { cause: error }));
    worker.once('message', (report: Report) => {
      worker.off('error', died).off('exit', died);
      resolve(report);
    });
    worker.once('error', died).once('exit', died);
  });
}

/** `error` may be the code the thread ended with. */
export const wordsOf = (error: unknown): string => (error instanceof Error ? ` (${error.name}: ${error.message})` : '');
