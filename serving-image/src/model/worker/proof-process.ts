/**
 * The runtime in a process of its own, for as long as it takes to prove a compiled model equal to it: its library and all
 * that it took to load the model are gone afterwards, which no thread could do.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { planModel } from '../compiled/compile.ts';
import type { Score } from '../compiled/proof.ts';
import type { ModelSource, Session } from '../session.ts';
import type { Tensor } from '../tensor.ts';
import type { TensorRules } from '../tensor-rules.ts';
import { packTensors, unpackTensors } from './messages.ts';
import type { ProofOrder, ProofReport, ProvenApart } from './proof-messages.ts';

/** A program of its own beside the bundle; its sources have an entry for it. */
const ENTRY = new URL(import.meta.url.endsWith('.ts') ? './proof-entry.ts' : './proof.mjs', import.meta.url);

/** So long the process may live: proving takes seconds, and whoever waits longer proves for himself. */
const PROOF_MS = 60_000;
/** What it makes is short-lived: no large nursery. */
const FLAGS = ['--max-semi-space-size=2'];

export interface ProofSession extends Session {
  /** The scorer, made here of what was read there. Rejects with RefusedApartError where the runtime is to answer. */
  prove(rules: readonly TensorRules[], given: readonly Tensor[]): Promise<ProvenApart & { readonly score: Score }>;
}

/** The model is one for the runtime; the message says why, for people. */
export class RefusedApartError extends Error {
  override readonly name = 'RefusedApartError';
}

/**
 * Reads the model, and loads it into the runtime, in a new process. Rejects with RefusedApartError for a model that is not
 * compiled, and with any error where that does not work: whoever asked then does it himself. `release` ends the process.
 */
export async function openProof(source: ModelSource, entry = ENTRY, proofMs = PROOF_MS): Promise<ProofSession> {
  const process = startProcess(entry, proofMs);
  try {
    const { inputs, outputs } = await process.ask({ kind: 'open', source }, 'opened');
    return {
      inputs,
      outputs,
      run: async (tensors) => {
        const answer = await process.ask({ kind: 'run', inputs: packTensors(tensors).sent }, 'done');
        return unpackTensors(answer.outputs);
      },
      prove: async (rules, given) => {
        const answer = await process.ask({ kind: 'prove', rules, given: packTensors(given).sent }, 'proven');
        const { run } = planModel(answer.model).plan;
        // What came over must work here as well.
        run(given);
        return { ...answer.proven, score: run };
      },
      release: process.end,
    };
  } catch (error) {
    await process.end();
    throw error;
  }
}

interface Proving {
  ask<Kind extends ProofReport['kind']>(
    order: ProofOrder,
    expected: Kind,
  ): Promise<Extract<ProofReport, { kind: Kind }>>;
  end(): Promise<void>;
}

/** Gets neither our environment, which holds credentials, nor our output, which is the prediction log. */
function startProcess(entry: URL, proofMs: number): Proving {
  const child = spawn(process.execPath, [...FLAGS, fileURLToPath(entry)], {
    env: {},
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    serialization: 'advanced',
  });
  const ended = new Promise<void>((resolve) => {
    child.once('close', () => resolve());
    child.once('error', () => resolve());
  });
  const kill = (): void => {
    child.kill('SIGKILL');
  };
  process.once('exit', kill);
  const late = setTimeout(kill, proofMs).unref();
  void ended.then(() => {
    clearTimeout(late);
    process.off('exit', kill);
  });
  let before: Promise<unknown> = Promise.resolve();
  return {
    ask: (order, expected) => {
      const answer = before.then(() => answerOf(child, order, expected));
      before = answer.catch(() => undefined);
      return answer;
    },
    end: () => {
      kill();
      return ended;
    },
  };
}

function answerOf<Kind extends ProofReport['kind']>(
  child: ChildProcess,
  order: ProofOrder,
  expected: Kind,
): Promise<Extract<ProofReport, { kind: Kind }>> {
  return new Promise((resolve, reject) => {
    const died = (error: unknown): void =>
      reject(error instanceof Error ? error : new Error('the process that proves the model ended by itself'));
    const answered = (report: ProofReport): void => {
      child.off('error', died).off('close', died);
      if (report.kind === expected) resolve(report as Extract<ProofReport, { kind: Kind }>);
      else if (report.kind === 'refused') reject(new RefusedApartError(report.message));
      else reject(new Error(report.kind === 'failed' ? report.message : `${expected} expected, got ${report.kind}`));
    };
    child.once('message', answered).once('error', died).once('close', died);
    if (!child.connected) died(undefined);
    else child.send(order, (error) => error && died(error));
  });
}
