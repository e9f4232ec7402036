/** The whole way: a file, compiled, proven against the runtime, and measured against it. */
import { readFileSync, statSync } from 'node:fs';
import { MalformedError } from '../onnx/wire.ts';
import { rewrite, type ZipMapPlan } from '../onnx/zip-map.ts';
import type { Session } from '../session.ts';
import { sliceRows, type Tensor, type TensorSpec } from '../tensor.ts';
import type { Graph } from './graph.ts';
import { NotCompiledError } from './not-compiled.ts';
import { type Plan, planGraph } from './plan.ts';
import { type Points, pointsOf } from './points.ts';
import { prepare } from './prepare.ts';
import { DiffersError, type ProofOptions, prove, type Score } from './proof.ts';
import { proofRows } from './proof-rows.ts';
import { readGraph } from './read-graph.ts';

/** A larger file is left to the runtime: it would be held in memory beside it while it is compiled. */
const MOST_BYTES = 256 * 1024 * 1024;

/** A model that was read: plain data, of which `planModel` makes a scorer. */
export interface ReadModel {
  /** Prepared. */
  readonly graph: Graph;
  readonly points: Points;
}

/** A model that was compiled, and has yet to show that it says what the runtime says. */
export interface Compiled {
  readonly plan: Plan;
  readonly points: Points;
}

/** Throws NotCompiledError for a model that is left to the runtime, and why. */
export const compileFile = (path: string, zipMaps: ZipMapPlan | undefined): Compiled =>
  planModel(readModelFile(path, zipMaps));

/** As `compileFile`, for a model in memory without ZipMap. */
export const compileModel = (file: Buffer): Compiled => planModel(readModel(file));

/** Throws NotCompiledError. */
export const planModel = ({ graph, points }: ReadModel): Compiled => ({ plan: planGraph(graph), points });

/** What takes long of `compileFile`. Throws NotCompiledError. */
export function readModelFile(path: string, zipMaps: ZipMapPlan | undefined): ReadModel {
  const { size } = statSync(path);
  if (size > MOST_BYTES) throw new NotCompiledError(`the file has ${Math.round(size / 2 ** 20)} MB`);
  const file = readFileSync(path);
  return readModel(zipMaps ? rewrite(file, zipMaps) : file);
}

function readModel(file: Buffer): ReadModel {
  try {
    const graph: Graph = readGraph(file);
    return { graph: prepare(graph), points: pointsOf(graph) };
  } catch (error) {
    // A file that our reader cannot follow may still be one that the runtime can.
    if (error instanceof MalformedError || error instanceof RangeError) throw new NotCompiledError(error.message);
    throw error;
  }
}

export interface Proven {
  readonly score: Score;
  /** Rows that were compared with the runtime. */
  readonly rows: number;
  readonly microsPerRow: number;
  /** Requests with more rows are the runtime's: it is faster there. Infinite: there are none. */
  readonly mostRows: number;
  /** For people: what it is, and what shows that it may answer. */
  readonly reason: string;
}

/** Throws NotCompiledError or DiffersError: the runtime answers, and the message says why. */
export async function proveAndMeasure(
  { plan, points }: Compiled,
  session: Pick<Session, 'run' | 'inputs'>,
  options: Omit<ProofOptions, 'points' | 'inputs'>,
): Promise<Proven> {
  sameInputs(plan, session.inputs);
  const all = { ...options, points, inputs: session.inputs };
  const rows = await prove(plan.run, session, all);
  const speed = await compareSpeed(plan.run, session, proofRows(all, PROBE_ROWS), options.size);
  return {
    score: plan.run,
    rows,
    ...speed,
    reason: `${plan.kind}; equal to onnxruntime on ${rows} rows`,
  };
}

function sameInputs({ inputs }: Plan, specs: readonly TensorSpec[]): void {
  const isSame =
    inputs.length === specs.length &&
    inputs.every(({ name, type }, i) => name === specs[i]?.name && type === specs[i]?.type);
  if (!isSame) throw new NotCompiledError('its inputs are not those the runtime sees');
}

const PROBE_ROWS = 1024;
/** For each of the four measurements. */
const MEASURE_MS = 10;

interface Patience {
  readonly within?: number;
  /** No shorter run would change anything. */
  readonly isEnough?: (best: number) => boolean;
}

/** The shortest of several runs: what others on the machine took is not the model's. */
async function shortest(
  run: () => unknown,
  most: number,
  { within = MEASURE_MS, isEnough = () => false }: Patience = {},
): Promise<number> {
  const started = performance.now();
  let best = Number.POSITIVE_INFINITY;
  for (let i = 0; i < most && (i < 2 || performance.now() - started < within); i++) {
    const from = performance.now();
    try {
      const result = run();
      if (result instanceof Promise) await result;
    } catch {
      // Rows it fails on say nothing of how fast it is.
      return Number.POSITIVE_INFINITY;
    }
    best = Math.min(best, performance.now() - from);
    if (isEnough(best)) break;
  }
  return best;
}

/** One row against one row, and many against many; between the two it is a straight line for both. */
async function compareSpeed(
  score: Score,
  session: Pick<Session, 'run'>,
  rows: readonly Tensor[],
  size: number | undefined,
): Promise<Pick<Proven, 'microsPerRow' | 'mostRows'>> {
  const cut = (count: number) => rows.map((tensor) => sliceRows(tensor, 0, count));
  const few = size ?? 1;
  const one = cut(few);
  // Often enough for the compiler of the JavaScript engine to see what is worth its while.
  const oneHere = await shortest(() => score(one), 400);
  const oneThere = await shortest(() => session.run(one), 20);
  const microsPerRow = (oneHere * 1000) / few;
  if (size !== undefined) return { microsPerRow, mostRows: oneHere <= oneThere ? Number.POSITIVE_INFINITY : 0 };
  const slower = Math.max(oneHere, oneThere);
  const count = Number.isFinite(slower) ? Math.min(PROBE_ROWS, Math.max(32, Math.floor(MEASURE_MS / slower))) : 32;
  const many = cut(count);
  // Another way through the trees than a single row's, which the JavaScript engine has to learn as well.
  const manyThere = await shortest(() => session.run(many), 8);
  const most = (manyHere: number) => crossing({ oneHere, oneThere, manyHere, manyThere, count });
  const isEnough = (manyHere: number) => most(manyHere) === Number.POSITIVE_INFINITY;
  const manyHere = await shortest(() => score(many), 40, { within: 3 * MEASURE_MS, isEnough });
  return { microsPerRow, mostRows: most(manyHere) };
}

interface Times {
  readonly oneHere: number;
  readonly oneThere: number;
  readonly manyHere: number;
  readonly manyThere: number;
  readonly count: number;
}

/** For less than this the runtime, which needs memory of its own, is not kept beside the compiled scorer. */
const WORTH_KEEPING_MS = 1;

/** Up to how many rows the compiled scorer takes no longer than the runtime: 0 for none, infinite for all. */
export function crossing({ oneHere, oneThere, manyHere, manyThere, count }: Times): number {
  if (oneHere > oneThere) return 0;
  const [here, there] = [(manyHere - oneHere) / (count - 1), (manyThere - oneThere) / (count - 1)];
  const lost = oneHere - oneThere + (PROBE_ROWS - 1) * (here - there);
  if (!(here > there && lost > WORTH_KEEPING_MS)) return Number.POSITIVE_INFINITY;
  return Math.max(1, Math.floor(1 + (oneThere - oneHere) / (here - there)));
}

/** True for what says that the runtime is to answer; anything else is an error of ours. */
export const isRefusal = (error: unknown): error is Error =>
  error instanceof NotCompiledError || error instanceof DiffersError;
