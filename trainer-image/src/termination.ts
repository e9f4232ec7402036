import { writeFileSync } from 'node:fs';
import { type Failure, renderTerminationMessage, TERMINATION_LOG } from '@slipway/contract';

/** Leaves the failure where the kubelet looks for it. Outside a pod that file may not exist: then the log has it. */
export function writeTermination(failure: Failure, env: NodeJS.ProcessEnv): void {
  try {
    writeFileSync(env['TERMINATION_LOG'] ?? TERMINATION_LOG, renderTerminationMessage(failure));
  } catch {
    // Nothing to do about it: the same words are in the log, and FallbackToLogsOnError shows its end.
  }
}
