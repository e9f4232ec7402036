/**
 * `verify`: hash → list of operators → load, signature and examples in a process of its own. No network, no credential.
 * Its report says everything the operator needs to call a version Ready.
 */
import {
  type ArtifactFile,
  artifactDigest,
  CONVERT_TERMINATION_BYTES,
  MAX_TERMINATION_BYTES,
  type ModelArtifact,
  type VerifyReport,
} from '@slipway/contract';
import { FailureError } from '../failure.ts';
import type { Logger } from '../log.ts';
import { checkArtifact } from '../model/artifact-check.ts';
import { derivedFiles } from '../model/derived-folder.ts';
import { inspectFile } from '../model/load.ts';
import type { ChildProgram } from '../run-apart.ts';
import { type ProbeReport, runProbe } from './run-probe.ts';

export interface VerifyOptions {
  readonly artifact: ModelArtifact;
  readonly dir: string;
  readonly timeoutSeconds: number;
  /** The folder is what a converter left: it has no list of files, and needs examples to be proven by. */
  readonly isDerived?: boolean;
  readonly log: Pick<Logger, 'info'>;
  /** What loads the model; this very program when absent. */
  readonly program?: ChildProgram;
}

/** Throws FailureError with the reason a version is not servable. */
export async function verify(options: VerifyOptions): Promise<VerifyReport> {
  const { artifact, dir, timeoutSeconds, isDerived = false, log, program } = options;
  const files = isDerived ? await derivedFiles(dir) : await checkArtifact(artifact, dir);
  const digest = artifactDigest(files);
  const summary = await inspectFile(dir, files);
  const probed = await runProbe({ dir, files: [...files] }, timeoutSeconds, program);
  log.info({ digest, nodes: summary.nodes, exampleRows: probed.exampleRows, seconds: probed.seconds }, 'verified');
  if (isDerived && probed.exampleRows === 0) {
    throw new FailureError('ParityFailed', 'the converted model came without rows of the original to be compared with');
  }
  const listed = isDerived || !artifact.files ? files : undefined;
  if (isDerived) return fittingDerived(reportFor(digest, listed, { ...probed, isDerived }));
  return fitting(reportFor(digest, listed, probed));
}

function reportFor(digest: string, files: readonly ArtifactFile[] | undefined, probed: ProbeReport): VerifyReport {
  const tested =
    probed.exampleRows > 0
      ? `${probed.exampleRows} example rows agree`
      : 'it came without examples; a probe row was predicted';
  return {
    stage: 'verify',
    reason: 'Verified',
    message: `loaded and tested in ${probed.seconds.toFixed(2)} s: ${tested}`,
    digest,
    ...(files && { files: [...files] }),
    ...(probed.isDerived && { signature: probed.signature }),
  };
}

/** The same for a pod of four containers, where `deposit` lists the files too: they go first. */
export function fittingDerived(report: VerifyReport): VerifyReport {
  const fits = (one: VerifyReport) => Buffer.byteLength(JSON.stringify(one)) <= CONVERT_TERMINATION_BYTES;
  if (fits(report)) return report;
  const { files: _, ...withoutFiles } = report;
  if (fits(withoutFiles)) return withoutFiles;
  const { signature: __, ...least } = withoutFiles;
  return least;
}

/** The report with what is optional left out as far as the termination message has no room: the signature goes first. */
function fitting(report: VerifyReport): VerifyReport {
  if (Buffer.byteLength(JSON.stringify(report)) <= MAX_TERMINATION_BYTES) return report;
  const { signature: _, ...withoutSignature } = report;
  if (Buffer.byteLength(JSON.stringify(withoutSignature)) <= MAX_TERMINATION_BYTES) return withoutSignature;
  const { files: __, ...least } = withoutSignature;
  return least;
}
