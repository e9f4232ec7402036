/**
 * Where the model computes. On the thread that answers requests nothing has to change hands, which is fastest for a
 * model that takes microseconds; one that takes milliseconds would keep everybody else waiting, and gets its own.
 */
import { statSync } from 'node:fs';
import type { EngineName } from '../engine.ts';
import { type ModelSource, openSession, type Session } from '../session.ts';
import type { Tensor } from '../tensor.ts';
import { LARGE_FILE_BYTES } from './inspection.ts';
import { openWorkerSession } from './worker-session.ts';

/** A model that takes longer for a request is moved. */
const SLOW_RUN_MS = 2;
const RUNS = 7;

export interface PlacedSession extends Session {
  /** Where it computes now, and why, for people. */
  placement(): { readonly engine: EngineName; readonly reason: string };
  /** Goes to a thread of its own when a run of these takes long. Nothing may be running. */
  moveIfSlow(inputs: readonly Tensor[]): Promise<void>;
}

/** `apart`: a second thread may be used; what to do when it is lost. Absent: it may not. Fails as `openSession` does. */
export async function openPlaced(source: ModelSource, apart?: (error: Error) => void): Promise<PlacedSession> {
  const bytes = statSync(source.path).size;
  const isLarge = apart !== undefined && bytes > LARGE_FILE_BYTES;
  let current = isLarge ? await openWorkerSession(source, apart) : await openSession(source);
  let engine: EngineName = isLarge ? 'onnxruntime-worker' : 'onnxruntime';
  let reason = `the file has ${(bytes / 1024 / 1024).toFixed(1)} MB`;
  return {
    inputs: current.inputs,
    outputs: current.outputs,
    run: (inputs) => current.run(inputs),
    release: () => current.release(),
    placement: () => ({ engine, reason }),
    moveIfSlow: async (inputs) => {
      if (!apart || engine !== 'onnxruntime') return;
      const took = await medianRun(current, inputs);
      reason = `a run takes ${took.toFixed(3)} ms`;
      if (took <= SLOW_RUN_MS) return;
      await current.release();
      current = await openWorkerSession(source, apart);
      engine = 'onnxruntime-worker';
    },
  };
}

async function medianRun(session: Session, inputs: readonly Tensor[]): Promise<number> {
  const times: number[] = [];
  for (let i = 0; i < RUNS; i++) {
    const start = performance.now();
    await session.run(inputs);
    times.push(performance.now() - start);
  }
  return times.sort((a, b) => a - b)[RUNS >> 1] as number;
}
