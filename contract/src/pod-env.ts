/** The JSON environment variables the operator hands to the containers of its pods, and who parses them. */
import { z } from 'zod';
import { Artifact } from './artifact.ts';

/**
 * `MODEL_ARTIFACT`: what the serving image fetches, verifies and loads into MODEL_DIR.
 * `files` is absent only for the first verification of a version somebody brought: then the files are what is found.
 */
export const ModelArtifact = z.object({
  namespace: z.string(),
  uri: z.string(),
  files: Artifact.shape.files.exactOptional(),
  digest: Artifact.shape.digest.exactOptional(),
});
export type ModelArtifact = z.infer<typeof ModelArtifact>;

/** `FETCH_INPUTS`: what the trainer image's `fetch` brings to /input. ConfigMaps are mounted at CONFIG_MAPS_DIR/<name>/<key>. */
export const FetchInputs = z.object({
  namespace: z.string(),
  parameters: z.record(z.string(), z.string()),
  inputs: z.array(
    z.object({
      name: z.string(),
      uri: z.string(),
      sha256: z.string().exactOptional(),
      /** For `data://`: where the bytes of that data set lie (`s3://…`), as it was when the run was started. */
      location: z.string().exactOptional(),
    }),
  ),
  /** Hosts an `https://` input may come from. */
  httpsHosts: z.array(z.string()).exactOptional(),
  /** Models a gate compares with; each is brought to REFERENCES_DIR/<index>. */
  references: z.array(ModelArtifact).exactOptional(),
});
export type FetchInputs = z.infer<typeof FetchInputs>;
export const CONFIG_MAPS_DIR = '/config-maps';
export const REFERENCES_DIR = '/references';
/** Where the serving image's `predict` leaves what the models answered: `candidate.json`, `0.json`, … (HeldOutAnswers). */
export const ANSWERS_DIR = '/answers';

/** What one model answered for the held-out rows, in their order. A problem instead: it could not be asked. */
export const HeldOutAnswers = z.union([
  z.object({ labels: z.array(z.string()), probabilities: z.array(z.array(z.number())), classes: z.array(z.string()) }),
  z.object({ values: z.array(z.number()) }),
  z.object({ problem: z.string() }),
]);
export type HeldOutAnswers = z.infer<typeof HeldOutAnswers>;

/** One condition a version must meet; decimals are strings in specs and numbers here. */
export const Gate = z.object({
  metric: z.string().min(1).max(250),
  min: z.number().exactOptional(),
  max: z.number().exactOptional(),
  notWorseThan: z
    .object({
      /** As it was asked for: `Production`, `@champion`, `3`, `latest`. */
      version: z.string(),
      by: z.number(),
      /** The number it stood for when the run was started, and which reference it is; absent: there was none, and the gate is open. */
      resolved: z.int().exactOptional(),
      reference: z.int().exactOptional(),
    })
    .exactOptional(),
});
export type Gate = z.infer<typeof Gate>;

/** `PUBLISH_RUN`: what the trainer image's `publish` makes of /output. `POD_UID` beside it names the attempt. */
export const PublishRun = z.object({
  namespace: z.string(),
  trainingJob: z.string(),
  runKey: z.string(),
  runId: z.string(),
  experimentId: z.string(),
  /** Absent: track the run, register nothing. */
  model: z.string().exactOptional(),
  /** What a version that passes its gates gets; one that fails keeps its number and gets nothing. */
  register: z
    .object({
      stage: z.string().exactOptional(),
      aliases: z.array(z.string()).exactOptional(),
      tags: z.record(z.string(), z.string()).exactOptional(),
      gate: z.array(Gate).exactOptional(),
    })
    .exactOptional(),
  /** A trial of a search: the model is kept as a candidate and registered only if it is the best. */
  isTrial: z.boolean().exactOptional(),
  /** False: nothing but the run's identity and its version is written down. */
  isTracked: z.boolean().exactOptional(),
  /** An MLflow server elsewhere that is told of the run too. */
  externalTrackingUri: z.string().exactOptional(),
  experiment: z.string().exactOptional(),
  /** Milliseconds since the epoch: the time of metric points that have none. */
  startTime: z.int().exactOptional(),
  /** The image that trained. */
  image: z.string(),
  parameters: z.record(z.string(), z.string()),
});
export type PublishRun = z.infer<typeof PublishRun>;

export const MODEL_DIR = '/model';
/** Where `fetch` leaves the list of what it really wrote (ArtifactFile[]), beside the model, for `verify`. */
export const FETCHED_FILE = '.slipway-fetched.json';

/** `MODEL_NAME` and `MODEL_VERSION` name what the server serves in headers, metadata and logs. */
export const ServerIdentity = z.object({ MODEL_NAME: z.string().min(1), MODEL_VERSION: z.string().min(1) });
export type ServerIdentity = z.infer<typeof ServerIdentity>;
