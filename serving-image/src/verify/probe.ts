/** `probe`: loads a model nobody has loaded before and tells its parent how that went. Whatever happens, only this process dies. */
import { asFailure } from '../failure.ts';
import { loadModel } from '../model/load.ts';
import { ProbeRequest, type ProbeResult } from './probe-protocol.ts';

/** Answers the one request of the parent over the channel between them. */
export async function probe(): Promise<void> {
  const request = await new Promise<unknown>((resolve) => process.once('message', resolve));
  const result = await resultFor(ProbeRequest.parse(request));
  await new Promise((resolve) => process.send?.(result, resolve));
  process.disconnect();
}

async function resultFor({ dir, files }: ProbeRequest): Promise<ProbeResult> {
  const start = performance.now();
  try {
    const { signature, isDerived, examples, session } = await loadModel(dir, files, 1);
    await session.release();
    const seconds = (performance.now() - start) / 1000;
    return { ok: true, signature, isDerived, exampleRows: examples?.inputs.length ?? 0, seconds };
  } catch (error) {
    const { reason, message } = asFailure(error);
    return { ok: false, reason, message };
  }
}
