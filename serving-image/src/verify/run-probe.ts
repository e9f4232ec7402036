/** Loading a model for the first time, in a process of its own. */
import { FailureError } from '../failure.ts';
import { type ChildProgram, runApart, thisProgram } from '../run-apart.ts';
import { PROBE_COMMAND, type ProbeRequest, ProbeResult } from './probe-protocol.ts';

export type ProbeReport = Extract<ProbeResult, { ok: true }>;

/** Throws FailureError: what the probe found, LoadTimeout, OutOfMemory, or InvalidModel when the process died of the model. */
export async function runProbe(
  request: ProbeRequest,
  timeoutSeconds: number,
  program: ChildProgram = thisProgram(PROBE_COMMAND),
): Promise<ProbeReport> {
  const cure = 'give the verification more memory or make the model smaller';
  const result = await runApart({
    request,
    answer: ProbeResult,
    timeoutSeconds,
    program,
    done: 'loaded and tested',
    cure,
  });
  if (result.ok) return result;
  throw new FailureError(result.reason, result.message);
}
