/** The second thread: opens the model, computes what it is asked in the order it is asked, and ends when told to. */
import { parentPort, workerData } from 'node:worker_threads';
import { asFailure } from '../../failure.ts';
import { readModelFile } from '../compiled/compile.ts';
import { NotCompiledError } from '../compiled/not-compiled.ts';
import { memoryOf } from '../compiled/prepare.ts';
import { inspectModel } from '../onnx/inspect.ts';
import { readingFile } from '../onnx/reading.ts';
import { openSession, type Session } from '../session.ts';
import { type Order, packTensors, type Report, type ThreadData, unpackTensors } from './messages.ts';

/** Does what the thread was started for. A thread that holds a model lives until it is told to stop. */
export async function hostModel(): Promise<void> {
  const data = workerData as ThreadData;
  try {
    if ('modelHost' in data) return serveOrders(await openSession(data.modelHost));
    if ('toCompile' in data) readForCompiler(data.toCompile);
    else report({ kind: 'inspected', summary: readingFile(data.modelFile, inspectModel) });
  } catch (error) {
    const { reason, message } = asFailure(error);
    report({ kind: 'refused', reason, message });
  }
  parentPort?.close();
}

function readForCompiler({ path, zipMaps }: Extract<ThreadData, { toCompile: unknown }>['toCompile']): void {
  try {
    const model = readModelFile(path, zipMaps);
    report({ kind: 'read', model }, memoryOf(model.graph));
  } catch (error) {
    if (!(error instanceof NotCompiledError)) throw error;
    report({ kind: 'refused', reason: 'UnsupportedOperator', message: error.message });
  }
}

function serveOrders(session: Session): void {
  // One after the other: what is asked last is never overtaken by the order to stop.
  let before = Promise.resolve();
  parentPort?.on('message', (order: Order) => {
    before = before.then(() => obey(session, order));
  });
  report({ kind: 'opened', inputs: session.inputs, outputs: session.outputs });
}

function report(message: Report, transfer: ArrayBuffer[] = []): void {
  parentPort?.postMessage(message, transfer);
}

async function obey(session: Session, order: Order): Promise<void> {
  if (order.kind === 'stop') {
    await session.release();
    parentPort?.close();
    return;
  }
  const { id, inputs } = order;
  try {
    const { sent, transfer } = packTensors(await session.run(unpackTensors(inputs)));
    report({ kind: 'done', id, outputs: sent }, transfer);
  } catch (error) {
    report({ kind: 'failed', id, message: error instanceof Error ? error.message : String(error) });
  }
}
