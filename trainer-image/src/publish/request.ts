/** What Postgres is told of a run; a pure function of what was found and stored. */
import {
  type ArtifactFile,
  artifactDigest,
  type InputDigests,
  type Manifest,
  MODEL_FOLDER,
  type ModelSignature,
  type Parameters,
  type PublishRequest,
  type PublishRun,
  s3Uri,
} from '@slipway/contract';
import type { Points } from './metrics.ts';

export interface Stored {
  readonly bucket: string;
  /** The attempt's prefix. */
  readonly prefix: string;
  readonly attempt: string;
  readonly files: readonly ArtifactFile[];
}

export interface Findings {
  /** There is an ONNX model to be registered. */
  readonly hasModel: boolean;
  readonly metrics: Points;
  /** What the trainer says it used. */
  readonly usedParameters: Parameters;
  readonly signature: ModelSignature | undefined;
  readonly inputs: InputDigests | undefined;
}

export const manifestFor = (run: PublishRun, { attempt, files }: Stored): Manifest => ({
  runKey: run.runKey,
  runId: run.runId,
  attempt,
  files: [...files],
});

const insideModel = (files: readonly ArtifactFile[]): ArtifactFile[] =>
  files
    .filter(({ path }) => path.startsWith(`${MODEL_FOLDER}/`))
    .map((file) => ({ ...file, path: file.path.slice(MODEL_FOLDER.length + 1) }));

/** Parameters somebody asked for keep the text they were asked for with. */
export function requestFor(run: PublishRun, stored: Stored, findings: Findings, endTime: number): PublishRequest {
  const request: PublishRequest = {
    runKey: run.runKey,
    endTime,
    metrics: findings.metrics,
    params: { ...findings.usedParameters, ...run.parameters },
  };
  if (run.model === undefined) return request;
  // The trainer may have registered its model itself, by an mlflow client.
  if (!findings.hasModel) return { ...request, adopt: run.model };
  const files = insideModel(stored.files);
  return {
    ...request,
    model: {
      model: run.model,
      format: 'onnx',
      artifact: {
        uri: s3Uri({ bucket: stored.bucket, key: `${stored.prefix}/${MODEL_FOLDER}` }),
        files,
        digest: artifactDigest(files),
      },
      ...(findings.signature && { signature: findings.signature }),
      lineage: {
        trainingJob: run.trainingJob,
        runKey: run.runKey,
        image: run.image,
        ...(findings.inputs && { inputs: findings.inputs.map(({ name, uri, sha256 }) => ({ name, uri, sha256 })) }),
      },
    },
  };
}
