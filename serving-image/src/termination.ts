import { writeFileSync } from 'node:fs';
import { renderTerminationMessage, TERMINATION_LOG } from '@slipway/contract';

/** Leaves the message where the kubelet looks for it. Outside a pod that file may not exist: then the log has it. */
export function writeTermination(
  message: Parameters<typeof renderTerminationMessage>[0],
  env: NodeJS.ProcessEnv = process.env,
): void {
  try {
    writeFileSync(env['TERMINATION_LOG'] ?? TERMINATION_LOG, renderTerminationMessage(message));
  } catch {
    // Nothing to do about it: the same words are in the log, and FallbackToLogsOnError shows its end.
  }
}
