/** What `publish` writes: the manifest in the object store, then one call to Postgres. */
import { z } from 'zod';
import { Artifact, ArtifactFile, Sha256 } from './artifact.ts';
import { GateVerdict, Lineage } from './lineage.ts';
import { ModelSignature } from './signature.ts';

export const Manifest = z.object({
  runKey: z.string(),
  runId: z.string(),
  attempt: z.string(),
  /** Relative to the attempt's prefix: `model/model.onnx`, `artifacts/plot.png`, … */
  files: z.array(ArtifactFile),
});
export type Manifest = z.infer<typeof Manifest>;

export const PublishedModel = z.object({
  model: z.string(),
  format: z.literal('onnx'),
  artifact: Artifact,
  signature: ModelSignature.exactOptional(),
  lineage: Lineage,
});
export type PublishedModel = z.infer<typeof PublishedModel>;

/** The argument of the SQL function `slipway.publish_run(jsonb)`; the tenant is the caller's database role. */
export const PublishRequest = z.object({
  runKey: z.string(),
  endTime: z.int(),
  metrics: z.array(z.object({ key: z.string(), value: z.number(), step: z.int(), timestamp: z.int() })),
  params: z.record(z.string(), z.string()),
  model: PublishedModel.exactOptional(),
  /** With `model`: do not register it, keep it for the search whose trial this is. */
  isCandidate: z.boolean().exactOptional(),
  /** What the version gets in the same transaction; absent when its gates failed. */
  register: z
    .object({
      stage: z.string().exactOptional(),
      aliases: z.array(z.string()).exactOptional(),
    })
    .exactOptional(),
  /** Tags of the version, whatever its gates say. */
  versionTags: z.record(z.string(), z.string()).exactOptional(),
  gate: GateVerdict.exactOptional(),
  /** What was read, as MLflow shows it: datasets of the run. */
  inputs: z.array(z.object({ name: z.string(), uri: z.string(), sha256: Sha256, size: z.int() })).exactOptional(),
  /** Instead of `model`: the one version of this model that a tracking client registered under the run becomes the run's. */
  adopt: z.string().exactOptional(),
});
export type PublishRequest = z.infer<typeof PublishRequest>;

/** Its result: the version the run has, whether this call or an earlier one made it. */
export const PublishResult = z.object({ version: z.int().nullable(), alreadyPublished: z.boolean() });
export type PublishResult = z.infer<typeof PublishResult>;
