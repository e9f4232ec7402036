/** From a folder of files to a model that has shown that it predicts. Every way to serve or to verify goes through here. */
import { closeSync, fstatSync, openSync } from 'node:fs';
import { join } from 'node:path';
import type { ArtifactFile, Examples, ModelSignature } from '@slipway/contract';
import { bindInputs, type EncodeRows } from './binding.ts';
import { deriveSignature } from './derive-signature.ts';
import { modelFileOf, readExamples, readSignature } from './files.ts';
import { inspectModel, type ModelSummary } from './onnx/inspect.ts';
import { fileBytes } from './onnx/wire.ts';
import { bindOutputs, type ReadOutputs } from './outputs.ts';
import { batchEqualsSingles, selfTest } from './self-test.ts';
import { openSession, type Session } from './session.ts';

export interface LoadedModel {
  readonly session: Session;
  readonly signature: ModelSignature;
  /** True when the model came without a signature and it was read off the tensors. */
  readonly isDerived: boolean;
  readonly examples: Examples | undefined;
  readonly encode: EncodeRows;
  readonly read: ReadOutputs;
  /** Requests may share a run. */
  readonly canCoalesce: boolean;
}

/** Inspects the ONNX file among `files` without loading it. Throws FailureError. */
export function inspectFile(dir: string, files: readonly ArtifactFile[]): ModelSummary {
  const fd = openSync(join(dir, modelFileOf(files)), 'r');
  try {
    return inspectModel(fileBytes(fd, fstatSync(fd).size));
  } finally {
    closeSync(fd);
  }
}

/** Loads, binds and tests the model. The files must have been checked and inspected before. Throws FailureError. */
export async function loadModel(dir: string, files: readonly ArtifactFile[], threads: number): Promise<LoadedModel> {
  const given = await readSignature(dir);
  const examples = await readExamples(dir);
  const session = await openSession(join(dir, modelFileOf(files)), threads);
  const signature = given ?? deriveSignature(session.inputs, session.outputs);
  const encode = bindInputs(signature, session.inputs);
  const read = bindOutputs(signature, session.outputs);
  await selfTest(session, encode, signature, examples);
  const canCoalesce = await batchEqualsSingles(session, encode, signature, examples);
  return { session, signature, isDerived: given === undefined, examples, encode, read, canCoalesce };
}
