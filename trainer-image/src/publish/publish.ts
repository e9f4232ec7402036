/**
 * `publish`: upload, prove, manifest, one transaction. Every step may be repeated, in this pod or in another: bytes go
 * below a prefix of the attempt's own, and the run is committed once, by whoever comes first.
 */
import {
  type ArtifactFile,
  attemptPrefix,
  MANIFEST_FILE,
  MODEL_FILE,
  type PublishRequest,
  type PublishResult,
  type PublishRun,
} from '@slipway/contract';
import { NothingToAdoptError, PublishRefusedError } from '@slipway/database';
import type { ObjectStore } from '@slipway/object-store';
import { FailureError } from '../failure.ts';
import type { Log } from '../log.ts';
import type { Persist } from '../persist.ts';
import type { Publishable } from './collect.ts';
import { evidenceFor } from './evidence.ts';
import type { ExternalRun } from './external.ts';
import { type Output, readOutput } from './findings.ts';
import { judge } from './gates.ts';
import { manifestFor, requestFor, type Stored } from './request.ts';
import { measureFiles, uploadVerified } from './upload.ts';

export interface PublishContext {
  readonly inputDir: string;
  readonly outputDir: string;
  /** What the models that gates compare said of the held-out rows. */
  readonly answersDir: string;
  /** Names this attempt's prefix: the first 12 hex characters of the SHA-256 of the pod's uid. */
  readonly attempt: string;
  /** Opens the tenant's store with the credentials as they are at that moment. */
  readonly openStore: () => Promise<ObjectStore>;
  readonly findPublished: (runKey: string) => Promise<PublishResult | undefined>;
  readonly publishRun: (request: PublishRequest) => Promise<PublishResult>;
  /** Tells an MLflow server elsewhere of the run. Takes half a minute at most, and never fails. */
  readonly tellExternal: (uri: string, run: ExternalRun) => Promise<void>;
  readonly persist: Persist;
  readonly now: () => number;
  readonly log: Log;
  /** Told after every step that leaves a trace. */
  readonly step: (name: string) => void;
}

/** Resolves when the run is published, by this call or an earlier one. An outage is waited out. Throws FailureError. */
export async function publish(run: PublishRun, context: PublishContext): Promise<PublishResult> {
  const { persist, log, step } = context;
  const earlier = await persist('looking the run up', () => context.findPublished(run.runKey));
  step('looked up');
  if (earlier) {
    log('info', 'the run was published before', { runKey: run.runKey, version: earlier.version });
    return earlier;
  }
  const endTime = context.now();
  const output = await findingsFor(run, endTime, context);
  const stored = await store(run, output.files, context);
  const request = requestFor(run, stored, output, endTime);
  await tellExternal(run, request, context);
  const result = await persist('publishing the run', () =>
    context.publishRun(request).catch((error) => refusal(run, error)),
  );
  step('committed');
  const gate = request.gate && { gatePassed: request.gate.passed };
  log('info', 'run published', { runKey: run.runKey, version: result.version, files: stored.files.length, ...gate });
  return result;
}

/** What the trainer left, and what its gates come to. */
async function findingsFor(run: PublishRun, endTime: number, context: PublishContext): Promise<Output> {
  const { inputDir, outputDir, answersDir, log } = context;
  const output = await readOutput(run, inputDir, outputDir, run.startTime ?? endTime);
  if (run.isTrial && run.model !== undefined && !output.hasModel) {
    throw new FailureError(
      'NoModelProduced',
      `the trainer wrote no /output/${MODEL_FILE}: a trial of a search has to, because only the best model is registered; ` +
        'write it there, or remove spec.model to compare metrics alone',
    );
  }
  const gates = run.register?.gate ?? [];
  if (gates.length === 0) return output;
  const gate = judge(gates, await evidenceFor(gates, { metrics: output.metrics, outputDir, answersDir }));
  for (const { metric, passed, message } of gate.results)
    log(passed ? 'info' : 'warn', 'gate', { metric, passed, result: message });
  return { ...output, gate };
}

async function tellExternal(run: PublishRun, { params, metrics, endTime }: PublishRequest, context: PublishContext) {
  const { externalTrackingUri: uri, experiment = run.trainingJob, startTime = endTime, runKey, trainingJob } = run;
  if (uri === undefined) return;
  await context.tellExternal(uri, { experiment, runKey, trainingJob, startTime, endTime, params, metrics });
}

function refusal(run: PublishRun, error: unknown): never {
  if (error instanceof NothingToAdoptError) {
    throw new FailureError(
      'NoModelProduced',
      `the trainer wrote no /output/${MODEL_FILE}, and ${error.message}: write the model there, register one version of ` +
        `${run.model} from the script (mlflow.onnx.log_model(…, registered_model_name="${run.model}")), or remove spec.model ` +
        'to track the run alone',
      { cause: error },
    );
  }
  if (!(error instanceof PublishRefusedError)) throw error;
  throw new FailureError('PublishRefused', `Postgres refused the publication: ${error.message}`, { cause: error });
}

async function store(run: PublishRun, files: readonly Publishable[], context: PublishContext): Promise<Stored> {
  const { attempt, persist, log, step } = context;
  const prefix = attemptPrefix({ ...run, attempt });
  const upload = (file: Publishable, expected: ArtifactFile) =>
    persist(`uploading ${file.path}`, async () =>
      uploadVerified(await context.openStore(), `${prefix}/${file.path}`, file, expected),
    );
  const measured = await measureFiles(files);
  for (const [i, file] of files.entries()) {
    const expected = measured[i] as ArtifactFile;
    await upload(file, expected);
    step(`uploaded ${file.path}`);
    log('info', 'file uploaded and verified', { path: file.path, sha256: expected.sha256, size: expected.size });
  }
  const { bucket } = await context.openStore();
  const stored: Stored = { bucket, prefix, attempt, files: measured };
  if (files.length > 0) {
    const manifest = { path: MANIFEST_FILE, from: Buffer.from(JSON.stringify(manifestFor(run, stored))) };
    await upload(manifest, (await measureFiles([manifest]))[0] as ArtifactFile);
    step('manifest written');
  }
  return stored;
}
