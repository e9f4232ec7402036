/** How a run goes, as its client is told. Pure. */
import type { RunAnswer } from '@slipway/contract';
import type { Run } from '@slipway/database';

const FAILED_WITHOUT_WORDS = { reason: 'Failed', message: 'the run failed; nothing more is known' };

const gateIn = ({ gate }: Run): Pick<RunAnswer, 'gate'> =>
  gate ? { gate: { passed: gate.passed, results: gate.results.map(({ message }) => message) } } : {};

/** A run that was replaced or stopped (KILLED) has failed for whoever asked for it. */
export function answerOf(run: Run): RunAnswer {
  const { runId: run_id, status, version, metrics, failure } = run;
  if (status === 'RUNNING') return { status, run_id };
  const published = { ...(version !== undefined && { version }), metrics, ...gateIn(run) };
  if (status === 'FINISHED') return { status, run_id, ...published };
  return { status: 'FAILED', run_id, ...published, error: failure ?? FAILED_WITHOUT_WORDS };
}
