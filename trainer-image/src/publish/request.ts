/** What Postgres is told of a run; a pure function of what was found and stored. */
import {
  type ArtifactFile,
  artifactDigest,
  type GateVerdict,
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
  /** What the gates came to; undefined when there are none. */
  readonly gate?: GateVerdict;
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

/** What the version gets: tags in any case, stage and aliases only when its gates passed. */
function registrationFor({ register }: PublishRun, gate: GateVerdict | undefined): Partial<PublishRequest> {
  const { stage, aliases, tags } = register ?? {};
  const isOpen = gate?.passed !== false;
  const asked = { ...(stage !== undefined && { stage }), ...(aliases && { aliases }) };
  return {
    ...(isOpen && Object.keys(asked).length > 0 && { register: asked }),
    ...(tags && { versionTags: tags }),
    ...(gate && { gate }),
  };
}

function modelFor(run: PublishRun, model: string, stored: Stored, findings: Findings): PublishRequest['model'] {
  const files = insideModel(stored.files);
  const { signature, inputs, gate } = findings;
  return {
    model,
    format: 'onnx',
    artifact: {
      uri: s3Uri({ bucket: stored.bucket, key: `${stored.prefix}/${MODEL_FOLDER}` }),
      files,
      digest: artifactDigest(files),
    },
    ...(signature && { signature }),
    lineage: {
      trainingJob: run.trainingJob,
      runKey: run.runKey,
      image: run.image,
      ...(inputs && { inputs: inputs.map(({ name, uri, sha256 }) => ({ name, uri, sha256 })) }),
      ...(gate && { gate }),
    },
  };
}

/** Parameters somebody asked for keep the text they were asked for with. */
export function requestFor(run: PublishRun, stored: Stored, findings: Findings, endTime: number): PublishRequest {
  const request: PublishRequest = {
    runKey: run.runKey,
    endTime,
    metrics: findings.metrics,
    params: { ...findings.usedParameters, ...run.parameters },
    ...(findings.inputs && findings.inputs.length > 0 && { inputs: findings.inputs }),
  };
  if (run.model === undefined) return request;
  const asked = { ...request, ...registrationFor(run, findings.gate) };
  const model = findings.hasModel ? modelFor(run, run.model, stored, findings) : undefined;
  // The trainer may have registered its model itself, by an mlflow client.
  if (!model) return { ...asked, adopt: run.model };
  return { ...asked, model, ...(run.isTrial && { isCandidate: true }) };
}
