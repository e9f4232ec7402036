/** The process that holds the runtime while a compiled model is proven equal to it, and gives all its memory back by ending. */
import { planModel, proveAndMeasure, type ReadModel, readModelFile } from '../compiled/compile.ts';
import { NotCompiledError } from '../compiled/not-compiled.ts';
import { DiffersError } from '../compiled/proof.ts';
import { fixedRows } from '../rows.ts';
import { openSession, type Session } from '../session.ts';
import { packTensors, unpackTensors } from './messages.ts';
import type { ProofOrder, ProofReport, ProvenApart } from './proof-messages.ts';

interface Held {
  readonly model: ReadModel;
  readonly session: Session;
}

/** Obeys the orders of the parent, one after the other, until that goes away. */
export function hostProof(): void {
  let held: Held | undefined;
  let before = Promise.resolve();
  const open = async (order: Extract<ProofOrder, { kind: 'open' }>): Promise<ProofReport> => {
    const { path, plan } = order.source;
    // First what may show that there is nothing to prove: the runtime takes longer.
    const model = readModelFile(path, plan);
    planModel(model);
    held = { model, session: await openSession(order.source) };
    const { inputs, outputs } = held.session;
    return { kind: 'opened', inputs, outputs };
  };
  const obey = async (order: ProofOrder): Promise<ProofReport> => {
    if (order.kind === 'open') return open(order);
    if (!held) throw new Error('nothing was opened');
    if (order.kind === 'run') {
      return { kind: 'done', outputs: packTensors(await held.session.run(unpackTensors(order.inputs))).sent };
    }
    return prove(held, order);
  };
  process.on('message', (order: ProofOrder) => {
    before = before.then(async () => send(await obey(order).catch(reportOf)));
  });
}

async function prove(
  { model, session }: Held,
  { rules, given }: Extract<ProofOrder, { kind: 'prove' }>,
): Promise<ProofReport> {
  const { inputs, outputs } = session;
  const options = { rules, given: unpackTensors(given), outputs, size: fixedRows(inputs) };
  const proveOnce = async (): Promise<ProvenApart> => {
    const { score: _, ...proven } = await proveAndMeasure(planModel(model), session, options);
    return proven;
  };
  let proven = await proveOnce();
  // Others on the machine can make it look slow: that decides over twice the memory, and so is asked again.
  for (let again = 0; again < 2 && proven.mostRows !== Number.POSITIVE_INFINITY; again++) proven = await proveOnce();
  return { kind: 'proven', model, proven };
}

function reportOf(error: unknown): ProofReport {
  const message = error instanceof Error ? error.message : String(error);
  if (error instanceof NotCompiledError) return { kind: 'refused', message };
  if (error instanceof DiffersError) return { kind: 'refused', message: `compiled it is not the same: ${message}` };
  return { kind: 'failed', message };
}

const send = (report: ProofReport): Promise<void> =>
  new Promise((resolve) => {
    process.send?.(report, undefined, {}, () => resolve());
  });
