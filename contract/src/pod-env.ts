/** The JSON environment variables the operator hands to the containers of its pods, and who parses them. */
import { z } from 'zod';
import { Artifact } from './artifact.ts';

/** `FETCH_INPUTS`: what the trainer image's `fetch` brings to /input. ConfigMaps are mounted at CONFIG_MAPS_DIR/<name>/<key>. */
export const FetchInputs = z.object({
  namespace: z.string(),
  parameters: z.record(z.string(), z.string()),
  inputs: z.array(z.object({ name: z.string(), uri: z.string(), sha256: z.string().exactOptional() })),
});
export type FetchInputs = z.infer<typeof FetchInputs>;
export const CONFIG_MAPS_DIR = '/config-maps';

/** `PUBLISH_RUN`: what the trainer image's `publish` makes of /output. `POD_UID` beside it names the attempt. */
export const PublishRun = z.object({
  namespace: z.string(),
  trainingJob: z.string(),
  runKey: z.string(),
  runId: z.string(),
  experimentId: z.string(),
  /** Absent: track the run, register nothing. */
  model: z.string().exactOptional(),
  /** The image that trained. */
  image: z.string(),
  parameters: z.record(z.string(), z.string()),
});
export type PublishRun = z.infer<typeof PublishRun>;

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
export const MODEL_DIR = '/model';
/** Where `fetch` leaves the list of what it really wrote (ArtifactFile[]), beside the model, for `verify`. */
export const FETCHED_FILE = '.slipway-fetched.json';

/** `MODEL_NAME` and `MODEL_VERSION` name what the server serves in headers, metadata and logs. */
export const ServerIdentity = z.object({ MODEL_NAME: z.string().min(1), MODEL_VERSION: z.string().min(1) });
export type ServerIdentity = z.infer<typeof ServerIdentity>;
