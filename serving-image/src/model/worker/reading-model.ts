/** Reading a large model for the compiler takes seconds: not where probes are answered. */
import { statSync } from 'node:fs';
import { type Compiled, compileFile, planModel } from '../compiled/compile.ts';
import { NotCompiledError } from '../compiled/not-compiled.ts';
import type { ZipMapPlan } from '../onnx/zip-map.ts';
import { LARGE_FILE_BYTES } from './inspection.ts';
import { firstReport, startThread } from './thread.ts';

/** As `compileFile`, for a file, whatever its size without keeping others waiting. Throws NotCompiledError. */
export async function compilePath(path: string, zipMaps: ZipMapPlan | undefined): Promise<Compiled> {
  if (statSync(path).size <= LARGE_FILE_BYTES) return compileFile(path, zipMaps);
  const { worker, ended } = startThread({ toCompile: { path, zipMaps } });
  const report = await firstReport(worker).catch((error: unknown) => {
    // Memory it lacks beside the runtime is no reason not to serve the model at all.
    throw new NotCompiledError(error instanceof Error ? error.message : String(error));
  });
  await ended;
  if (report.kind === 'read') return planModel(report.model);
  throw new NotCompiledError(
    report.kind === 'refused' ? report.message : 'the thread that reads it said something else',
  );
}
