/** From a folder of files to a model that has shown that it predicts. Every way to serve or to verify goes through here. */
import { join } from 'node:path';
import type { ArtifactFile, EngineChoice, Examples, ModelSignature } from '@slipway/contract';
import { bindInputs, type EncodeRows, inputIndex } from './binding.ts';
import { chooseCompiled, RUNTIME_IS_FASTER } from './compiled/choose.ts';
import { deriveSignature } from './derive-signature.ts';
import type { EngineName } from './engine.ts';
import { modelFileOf, readExamples, readSignature } from './files.ts';
import { type MLmodelColumn, readMLmodel } from './mlmodel.ts';
import type { ModelSummary } from './onnx/inspect.ts';
import { type Categories, type ClassList, categoriesByTensor, classesOfModel } from './onnx/nodes.ts';
import { readingFile } from './onnx/reading.ts';
import { planZipMaps, type ZipMapPlan } from './onnx/zip-map.ts';
import { bindOutputs, type ReadOutputs } from './outputs.ts';
import { fixedRows } from './rows.ts';
import { batchEqualsSingles, probeRows, selfTest, type TestRows } from './self-test.ts';
import type { ModelSource, Session } from './session.ts';
import type { TensorSpec } from './tensor.ts';
import { type TensorRules, tensorRules } from './tensor-rules.ts';
import { inspectPath } from './worker/inspection.ts';
import { openPlaced } from './worker/placement.ts';
import { openProof, type ProofSession, RefusedApartError } from './worker/proof-process.ts';

export interface LoadedModel {
  /** What computes it; with `compiled` its `run` answers at once for all but large batches. */
  readonly engine: EngineName;
  /** Why this engine, for people. */
  readonly engineReason: string;
  /** What a row of a small request takes; known of a compiled model. */
  readonly microsPerRow?: number;
  readonly session: Session;
  readonly signature: ModelSignature;
  /** True when the model came without a signature of ours: it was read off the tensors and MLflow's own. */
  readonly isDerived: boolean;
  readonly examples: Examples | undefined;
  /** The classes as the graph's own operators list them, in the order of their probabilities. */
  readonly classes: readonly string[] | undefined;
  readonly encode: EncodeRows;
  readonly read: ReadOutputs;
  /** Requests may share a run. */
  readonly canCoalesce: boolean;
}

/** Inspects the ONNX file among `files` without loading it. Throws FailureError. */
export async function inspectFile(dir: string, files: readonly ArtifactFile[]): Promise<ModelSummary> {
  const path = join(dir, modelFileOf(files, await readMLmodel(dir)));
  return inspectPath(path);
}

export interface LoadOptions {
  /** Used when no signature lies in the folder. */
  readonly described?: ModelSignature | undefined;
  /** The runtime when absent: what is judged is what every engine must equal. */
  readonly engine?: EngineChoice;
  /**
   * A heavy model may compute on a thread of its own, and a compiled one be proven in a process of its own; told when that
   * thread is lost. Absent: all happens here.
   */
  readonly apart?: (error: Error) => void;
  /** Told why the process of its own was of no use, where that is not the model's doing; the model is then proven here. */
  readonly onProofFailed?: (error: unknown) => void;
}

/** Loads, binds and tests the model. The files must have been checked and inspected before. Throws FailureError. */
export async function loadModel(
  dir: string,
  files: readonly ArtifactFile[],
  threads: number,
  { described, engine = 'onnxruntime', apart, onProofFailed }: LoadOptions = {},
): Promise<LoadedModel> {
  const found = await findModel(dir, files, threads, described);
  // First what computes it in plain JavaScript; what cannot be stays with the runtime, on this thread or one of its own.
  const early = apart && engine !== 'onnxruntime' ? await loadWithoutRuntime(found, engine, onProofFailed) : undefined;
  if (early && 'loaded' in early) return early.loaded;
  const session = await openPlaced(found.source, apart);
  const { usual, rules, rows } = await show(found, session);
  const { path, plan } = found.source;
  const given = usual.encode(realRows(rows));
  const choice = early ?? (await chooseCompiled(engine, { path, zipMaps: plan, session, rules, given }));
  if ('compiled' in choice) {
    const { session: compiled, reason, microsPerRow } = choice.compiled;
    return { ...usual, engine: 'compiled', engineReason: reason, microsPerRow, session: compiled };
  }
  await session.moveIfSlow(usual.encode(oneRun(session.inputs, rows.probes)));
  const placed = session.placement();
  return { ...usual, engine: placed.engine, engineReason: `${placed.reason}; ${choice.refused}`, session };
}

/** What the files say. */
interface Found {
  readonly source: ModelSource;
  readonly given: ModelSignature | undefined;
  readonly examples: Examples | undefined;
  readonly columns: readonly MLmodelColumn[] | undefined;
  readonly classes: ClassList | undefined;
  readonly categories: ReadonlyMap<string, Categories>;
}

async function findModel(
  dir: string,
  files: readonly ArtifactFile[],
  threads: number,
  described: ModelSignature | undefined,
): Promise<Found> {
  const mlmodel = await readMLmodel(dir);
  const path = join(dir, modelFileOf(files, mlmodel));
  const given = (await readSignature(dir)) ?? described;
  const examples = await readExamples(dir);
  const { classes, categories, plan } = readingFile(path, (bytes) => ({
    classes: classesOfModel(bytes),
    categories: categoriesByTensor(bytes),
    plan: planZipMaps(bytes),
  }));
  const outputNames = new Map([...(plan?.tables ?? [])].map(([table, { name }]) => [table, name]));
  const source = { threads, path, ...(plan && { plan }), outputNames };
  return { source, given, examples, columns: mlmodel?.columns, classes, categories };
}

/** What was bound to a session that has shown that it predicts. */
interface Shown {
  readonly usual: Omit<LoadedModel, 'engine' | 'engineReason' | 'microsPerRow' | 'session'>;
  readonly rules: readonly TensorRules[];
  readonly rows: TestRows;
}

async function show(
  { source: { plan }, given, examples, columns, classes, categories }: Found,
  session: Session,
): Promise<Shown> {
  const labels = labelsByOutput(session.outputs, classes, plan);
  const hints = { labels, ...(columns && { columns }) };
  const signature = given ?? deriveSignature(session.inputs, session.outputs, hints);
  const encode = bindInputs(signature, session.inputs, categories);
  const read = bindOutputs(signature, session.outputs, classes?.labels);
  const textsOf = (column: string): readonly string[] | undefined =>
    categories.get(session.inputs[inputIndex(column, session.inputs)]?.name ?? '')?.known;
  const rows = { examples, probes: probeRows(signature, textsOf) };
  await selfTest(session, encode, signature, rows);
  const canCoalesce = await batchEqualsSingles(session, encode, rows);
  const isDerived = given === undefined;
  const usual = { signature, isDerived, examples, classes: classes?.labels, encode, read, canCoalesce };
  return { usual, rules: tensorRules(signature, session.inputs), rows };
}

/**
 * The model compiled, and proven equal to a runtime that this process never holds. Undefined where the runtime is needed
 * beside it, and where anything fails: it is then loaded here, and fails here in its own words if it must.
 */
async function loadWithoutRuntime(
  found: Found,
  engine: EngineChoice,
  onProofFailed: LoadOptions['onProofFailed'],
): Promise<{ readonly loaded: LoadedModel } | { readonly refused: string } | undefined> {
  let session: ProofSession | undefined;
  try {
    session = await openProof(found.source);
    const { usual, rules, rows } = await show(found, session);
    const { score, reason, microsPerRow, mostRows } = await session.prove(rules, usual.encode(realRows(rows)));
    const isForced = engine === 'compiled';
    if (!isForced && mostRows < 1) return { refused: RUNTIME_IS_FASTER };
    if (!isForced && mostRows !== Number.POSITIVE_INFINITY) return undefined;
    const { inputs, outputs } = session;
    const compiled = { inputs, outputs, run: score, release: async () => undefined };
    return { loaded: { ...usual, engine: 'compiled', engineReason: reason, microsPerRow, session: compiled } };
  } catch (error) {
    const isRefused = error instanceof RefusedApartError;
    if (!isRefused) onProofFailed?.(error);
    return isRefused && engine !== 'compiled' ? { refused: error.message } : undefined;
  } finally {
    // Nobody waits for the end of a process that is not asked any more.
    void session?.release();
  }
}

const realRows = ({ examples, probes }: TestRows): readonly unknown[] => [...(examples?.inputs ?? []), ...probes];

/** The fewest rows that can be run. */
const oneRun = (inputs: readonly TensorSpec[], [row]: readonly object[]): readonly unknown[] =>
  new Array(fixedRows(inputs) ?? 1).fill(row);

/** Class names for the tables that were maps, and for an output that gives classes by their names. */
function labelsByOutput(
  outputs: readonly TensorSpec[],
  classes: ClassList | undefined,
  plan: ZipMapPlan | undefined,
): ReadonlyMap<string, readonly string[]> {
  const labels = new Map<string, readonly string[]>();
  for (const { name, classes: columns } of plan?.tables.values() ?? []) labels.set(name, columns.labels);
  const named = outputs.find(({ type }) => type === 'string');
  if (classes?.areNames && named) labels.set(named.name, classes.labels);
  return labels;
}
