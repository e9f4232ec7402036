/** Looking through a large file takes a while, a forest's millions of numbers above all: not where probes are answered. */
import { statSync } from 'node:fs';
import { FailureError } from '../../failure.ts';
import { inspectModel, type ModelSummary } from '../onnx/inspect.ts';
import { readingFile } from '../onnx/reading.ts';
import { firstReport, startThread } from './thread.ts';

/** A larger file is neither looked through nor loaded on the thread that answers probes: it would stand still. */
export const LARGE_FILE_BYTES = 5 * 1024 * 1024;

/** As `inspectModel`, for a file, whatever its size without keeping others waiting. Throws FailureError. */
export async function inspectPath(path: string): Promise<ModelSummary> {
  if (statSync(path).size <= LARGE_FILE_BYTES) return readingFile(path, inspectModel);
  const { worker, ended } = startThread({ modelFile: path });
  const report = await firstReport(worker);
  await ended;
  if (report.kind === 'inspected') return report.summary;
  throw report.kind === 'refused'
    ? new FailureError(report.reason, report.message)
    : new Error('the thread that looks through the model said something else');
}
