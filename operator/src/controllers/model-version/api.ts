/** ModelVersion: one immutable, proven artifact. */
import { z } from 'zod';
import { commonStatus, customResource } from '../../api/custom-resource.ts';
import { ALIAS, cel, RegisteredModelName } from '../../api/fields.ts';

const Sha256 = z
  .string()
  .max(64)
  .regex(/^[0-9a-f]{64}$/);

const ArtifactFile = z.object({
  path: z.string().min(1).max(512).describe('Path below the source uri.'),
  sha256: Sha256.describe('SHA-256 of the bytes.'),
  size: z.int().min(0).describe('Number of bytes.'),
});
const files = z
  .array(ArtifactFile)
  .min(1)
  .max(256)
  .meta({ 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['path'] });

const column = {
  name: z.string().min(1).max(256).describe('Column name.'),
  type: z.enum(['float32', 'float64', 'int64', 'int32', 'string', 'bool']).describe('Element type.'),
};
const Signature = z.object({
  inputs: z
    .array(
      z.object({
        ...column,
        optional: z
          .boolean()
          .exactOptional()
          .describe('True: it may be left out or null, because the model was trained with missing values here.'),
        categories: z
          .array(z.string().max(256))
          .max(1024)
          .exactOptional()
          .meta({ 'x-kubernetes-list-type': 'atomic' })
          .describe('The texts the model knows; anything else is refused. Absent: any.'),
      }),
    )
    .min(1)
    .max(1024)
    .meta({ 'x-kubernetes-list-type': 'atomic' })
    .describe('Columns the model takes, in order.'),
  outputs: z
    .array(
      z.object({
        ...column,
        labels: z
          .array(z.string().max(256))
          .max(1024)
          .exactOptional()
          .meta({ 'x-kubernetes-list-type': 'atomic' })
          .describe('Class names by id.'),
      }),
    )
    .min(1)
    .max(64)
    .meta({ 'x-kubernetes-list-type': 'atomic' })
    .describe('What the model gives.'),
});

const Gate = z.object({
  passed: z.boolean().describe('True when every one of them was met.'),
  results: z
    .array(
      z.object({
        metric: z.string().max(250).describe('The metric that was looked at.'),
        passed: z.boolean().describe('Whether the gate was met.'),
        message: z.string().max(1024).describe('Metric, value and bound in words.'),
      }),
    )
    .max(32)
    .meta({ 'x-kubernetes-list-type': 'atomic' })
    .describe('Each gate.'),
});

export const STAGES = ['None', 'Staging', 'Production', 'Archived'] as const;
/** How much of a version's labels an object holds; the registry may hold more. */
export const MAX_ALIASES = 64;
export const MAX_TAGS = 128;
export const MAX_TAG_LENGTH = 4096;
export const MAX_DESCRIPTION = 8192;

const immutable = (field: string) =>
  cel({
    rule: 'self == oldSelf',
    message: neverChanges(field),
  });
/** A field that may be absent must not come or go either. */
const OPTIONAL = ['version', 'signature', 'run'];
const LINEAGE = ['trainingJob', 'runKey', 'image', 'inputs'];
const stays = (field: string): string => `has(self.${field}) == has(oldSelf.${field}) && ${unchanged(field)}`;
const unchanged = (field: string): string => `(!has(self.${field}) || self.${field} == oldSelf.${field})`;
const neverChanges = (field: string): string =>
  `a model version never changes: ${field} stays as it is (stage, aliases, tags and description may change); make a new version`;

export const ModelVersionSpec = z
  .object({
    stage: z.enum(STAGES).default('None').describe('Where it stands in the life of the model.'),
    aliases: z
      .array(z.string().min(1).max(255).regex(ALIAS))
      .max(MAX_ALIASES)
      .exactOptional()
      .meta({
        'x-kubernetes-list-type': 'set',
        ...cel({
          rule: "self.all(a, a.lowerAscii() != 'latest' && !a.matches('^[vV][0-9]+$'))",
          message: "an alias must not be latest or a version's number like v2: those mean something already",
        }),
      })
      .describe('Names that point to this version alone; one that another version has is taken from it.'),
    tags: z
      .record(z.string().max(250), z.string().max(MAX_TAG_LENGTH))
      .exactOptional()
      .meta({
        maxProperties: MAX_TAGS,
        ...cel({
          rule: 'self.all(k, k.size() > 0 && k.size() <= 250)',
          message: 'a tag has a name of 1 to 250 characters',
        }),
      })
      .describe('Notes by name.'),
    description: z.string().max(MAX_DESCRIPTION).exactOptional().describe('What is to be known of it.'),
    model: RegisteredModelName.meta(immutable('model')).describe('The registered model this is a version of.'),
    version: z
      .int()
      .min(1)
      .exactOptional()
      .describe('Its number. Leave it out for a version you bring: the registry gives the next one (status.version).'),
    source: z
      .object({
        uri: z.string().min(1).max(2048).describe('s3://<bucket>/<namespace>/…: a model folder, or one .onnx file.'),
        files: files.exactOptional().describe('Every file with its digest. Leave it out for a version you bring.'),
      })
      .meta(immutable('source'))
      .describe('Where the bytes are.'),
    format: z
      .enum(['onnx', 'mlflow'])
      .default('onnx')
      .meta(immutable('format'))
      .describe(
        'How the model is stored: onnx can be served; mlflow is a model folder without ONNX, kept and tracked, and served once it ' +
          'is converted (its namespace needs the label slipway.dev/convert=enabled), or as it is by spec.runtime of an InferenceService.',
      ),
    signature: Signature.exactOptional().describe('What the model takes and gives.'),
    run: z
      .object({
        experimentId: z.string().max(64).describe('Its experiment.'),
        runId: z.string().max(64).describe('Its id in the tracking server.'),
      })
      .exactOptional()
      .describe('The tracked run that made it.'),
    lineage: z
      .object({
        trainingJob: z.string().max(253).exactOptional().describe('TrainingJob that made it.'),
        runKey: z.string().max(128).exactOptional().describe('Key of its run.'),
        image: z.string().max(512).exactOptional().describe('Image that trained it.'),
        inputs: z
          .array(
            z.object({
              name: z.string().max(63).describe('Name of the input.'),
              uri: z.string().max(1024).describe('Where it came from.'),
              sha256: Sha256.describe('Digest of what was read.'),
            }),
          )
          .max(16)
          .exactOptional()
          .meta({ 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['name'] })
          .describe('The data it was trained on.'),
        gate: Gate.exactOptional().describe(
          'What its gates came to when it was registered; absent: there were none. A version that failed is never latest. ' +
            'A version that an MLflow client registered gets it when its run ends.',
        ),
      })
      .meta(
        cel(
          ...LINEAGE.map((field) => ({ rule: stays(field), message: neverChanges('lineage') })),
          // It may come, once.
          {
            rule: '!has(oldSelf.gate) || (has(self.gate) && self.gate == oldSelf.gate)',
            message: neverChanges('lineage'),
          },
        ),
      )
      .exactOptional()
      .describe('Where it comes from.'),
  })
  .meta(
    cel(...OPTIONAL.map((field) => ({ rule: stays(field), message: neverChanges(field) })), {
      rule: 'has(self.lineage) == has(oldSelf.lineage)',
      message: neverChanges('lineage'),
    }),
  );
export type ModelVersionSpec = z.infer<typeof ModelVersionSpec>;

export const ModelVersionStatus = z.object({
  ...commonStatus,
  version: z.int().min(1).exactOptional().describe('The number of this version in the registry.'),
  artifact: z
    .object({
      uri: z.string().max(2048).describe('Where the bytes are.'),
      files: files.describe('Every file with its digest.'),
      digest: Sha256.describe('One digest for all files.'),
    })
    .exactOptional()
    .describe('The very bytes that were proven and are served: those of the source, or what it was converted to.'),
  signature: Signature.exactOptional().describe('What the model takes and gives, as proven.'),
  conversion: z
    .object({
      from: z
        .object({
          uri: z.string().max(2048).describe('Where the original is.'),
          digest: Sha256.exactOptional().describe('One digest for all its files.'),
        })
        .describe('The version as it was registered; it stays what it is.'),
      image: z.string().max(512).describe('The image that converted it.'),
      flavor: z.string().max(64).exactOptional().describe('What it was: sklearn, xgboost, lightgbm.'),
      format: z.string().max(64).exactOptional().describe('How it was stored: pickle, cloudpickle, skops, …'),
      estimator: z.string().max(512).exactOptional().describe('The estimator in it.'),
      libraries: z
        .record(z.string().max(128), z.string().max(128))
        .exactOptional()
        .meta({ maxProperties: 32 })
        .describe('The libraries it was converted with, and their versions.'),
      opset: z.int().min(1).exactOptional().describe('Operator set of the ONNX.'),
      parity: z
        .object({
          rows: z.int().min(0).describe('How many rows both were asked about.'),
          tolerance: z.string().max(64).describe('The difference that is let pass.'),
          worstDifference: z.string().max(64).exactOptional().describe('The largest one found; absent: there is none.'),
          worstOutput: z.string().max(256).exactOptional().describe('The output it was found in.'),
          labelsEqual: z.boolean().exactOptional().describe('Of a classifier: whether all classes were equal.'),
        })
        .exactOptional()
        .describe('How well the ONNX answers as the original does.'),
      seconds: z.string().max(32).exactOptional().describe('How long it took.'),
    })
    .exactOptional()
    .describe(
      'Of a version that Python alone can load: how the artifact was derived from it. With the image alone it is one that image cannot convert.',
    ),
  size: z.string().max(32).exactOptional().describe('Size of all files, for people.'),
  servedBy: z
    .array(z.string().max(253))
    .max(64)
    .exactOptional()
    .meta({ 'x-kubernetes-list-type': 'set' })
    .describe('InferenceServices that serve or want this version.'),
  serving: z.string().max(20000).exactOptional().describe('The same in one line, for people.'),
});
export type ModelVersionStatus = z.infer<typeof ModelVersionStatus>;

/** Summary: the digests hold and the serving image answers with it. */
export const READY = 'Ready';
export const ARTIFACT_VERIFIED = 'ArtifactVerified';
export const SERVABLE = 'Servable';
/** True while a deletion waits for a service to let go. */
export const DELETION_BLOCKED = 'DeletionBlocked';

/** Reasons of the conditions; a failed `verify`'s own FailureReason (contract) appears as reason too. */
export const Reason = {
  Pending: 'Pending',
  Verifying: 'Verifying',
  Verified: 'Verified',
  SourceNotAllowed: 'SourceNotAllowed',
  VersionUnknown: 'VersionUnknown',
  FormatNotServable: 'FormatNotServable',
  Converting: 'Converting',
  Converted: 'Converted',
  ConversionFailed: 'ConversionFailed',
  OutOfMemory: 'OutOfMemory',
  ImagePull: 'ImagePull',
  Unschedulable: 'Unschedulable',
  ConfigurationError: 'ConfigurationError',
  VerifierFailed: 'VerifierFailed',
  InUse: 'InUse',
  PostgresUnavailable: 'PostgresUnavailable',
  ObjectStorageUnavailable: 'ObjectStorageUnavailable',
} as const;

/** What object and row agreed on last, as JSON: the base of the next three-way merge. */
export const SYNCED_ANNOTATION = 'slipway.dev/synced';
/** The operator takes the object out of the cluster: its row stays. */
export const UNPROJECT_ANNOTATION = 'slipway.dev/unproject';

/** Labels by which versions are found: the model (mangled when it is no label value) and its number. */
export const MODEL_LABEL = 'slipway.dev/model';
export const VERSION_LABEL = 'slipway.dev/version';

export const ModelVersion = customResource({
  kind: 'ModelVersion',
  plural: 'modelversions',
  singular: 'modelversion',
  shortNames: ['mv'],
  description:
    'ModelVersion is one immutable model artifact: its files by digest, where it comes from, and the proof that it can be served. Only its stage, aliases, tags and description change.',
  spec: ModelVersionSpec,
  status: ModelVersionStatus,
  selectableFields: ['.spec.model'],
  rules: [
    {
      rule: 'self.metadata.name.size() <= 52',
      message: 'metadata.name must be at most 52 characters: Jobs and Pods are named after it',
    },
  ],
  columns: [
    { name: 'Model', type: 'string', jsonPath: '.spec.model', description: 'Registered model' },
    { name: 'Version', type: 'integer', jsonPath: '.status.version', description: 'Number of the version' },
    { name: 'Stage', type: 'string', jsonPath: '.spec.stage', description: 'Where it stands in the life of the model' },
    {
      name: 'Ready',
      type: 'string',
      jsonPath: '.status.conditions[?(@.type=="Ready")].status',
      description: 'Proven and servable',
    },
    { name: 'Reason', type: 'string', jsonPath: '.status.conditions[?(@.type=="Ready")].reason', description: 'Why' },
    { name: 'Size', type: 'string', jsonPath: '.status.size', description: 'Size of all files' },
    { name: 'Serving', type: 'string', jsonPath: '.status.serving', description: 'InferenceServices that use it' },
    { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp', description: 'Since creation' },
    {
      name: 'Aliases',
      type: 'string',
      jsonPath: '.spec.aliases',
      description: 'Names that point to it',
      priority: 1,
    },
    {
      name: 'Message',
      type: 'string',
      jsonPath: '.status.conditions[?(@.type=="Ready")].message',
      description: 'In words',
      priority: 1,
    },
  ],
});
export type ModelVersion = ReturnType<typeof ModelVersion.parse>;
