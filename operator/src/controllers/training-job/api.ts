/** TrainingJob: how a model is made, as often as needed. */
import { z } from 'zod';
import { commonStatus, customResource, MAX_NAME_LENGTH } from '../../api/custom-resource.ts';
import { atomic, byName, cel, Duration, ModelName, Resources } from '../../api/fields.ts';

const Algorithm = z.object({
  name: z.string().min(1).max(64).describe('A built-in algorithm: logistic-regression.'),
  target: z.string().min(1).max(256).describe('The column to predict.'),
  features: z
    .array(z.string().min(1).max(256))
    .min(1)
    .max(1024)
    .exactOptional()
    .meta(atomic)
    .describe('The columns to learn from. Default: every column but the target.'),
});

const Container = z.object({
  image: z.string().min(1).max(512).describe('An image that keeps the trainer contract: files in, files out.'),
  command: z
    .array(z.string().max(4096))
    .max(64)
    .exactOptional()
    .meta(atomic)
    .describe("Replaces the image's entry point."),
  args: z
    .array(z.string().max(4096))
    .max(64)
    .exactOptional()
    .meta(atomic)
    .describe('Arguments; {{params.NAME}} is replaced by the parameter of that name.'),
  env: z
    .array(
      z.object({
        name: z
          .string()
          .max(128)
          .regex(/^[A-Za-z_][A-Za-z0-9_]*$/)
          .describe('Name of the environment variable.'),
        value: z.string().max(4096).describe('Its value, taken literally.'),
      }),
    )
    .max(64)
    .exactOptional()
    .meta(byName)
    .describe('Environment variables, literal values only.'),
  resources: Resources.exactOptional().describe(
    'CPU and memory of the trainer container. Default: 100m and 256Mi requested, at most 2Gi of memory. ' +
      '/input and /output hold at most 10Gi each, /tmp 2Gi.',
  ),
});

const Input = z.object({
  name: z
    .string()
    .max(63)
    .regex(/^[a-z0-9]([a-z0-9._-]*[a-z0-9])?$/)
    .describe('File name below /input. A built-in algorithm reads the input named train.'),
  uri: z
    .string()
    .min(1)
    .max(1024)
    .describe("builtin://iris.csv, configmap://<name>/<key>, or s3://<bucket>/<key> below the namespace's own prefix."),
  sha256: z
    .string()
    .max(64)
    .regex(/^[0-9a-f]{64}$/)
    .exactOptional()
    .describe('The digest the bytes must have.'),
});

export const TrainingJobSpec = z
  .object({
    model: ModelName.exactOptional().describe(
      'Registered model the result becomes a version of. Absent: train and track only.',
    ),
    experiment: z
      .string()
      .min(1)
      .max(250)
      .exactOptional()
      .describe('MLflow experiment its runs are tracked in, made when it is new. Absent: one named like this object.'),
    algorithm: Algorithm.exactOptional().describe('Train with a built-in algorithm.'),
    container: Container.exactOptional().describe('Train with an image of your own.'),
    parameters: z
      .record(z.string().max(128), z.string().max(6000))
      .default({})
      .meta({ maxProperties: 64 })
      .describe("Hyperparameters by name, as strings, under scikit-learn's names for built-in algorithms."),
    inputs: z.array(Input).max(16).default([]).meta(byName).describe('Files brought to /input/<name> before training.'),
    retries: z
      .int()
      .min(0)
      .max(10)
      .default(2)
      .describe('How often a failed attempt is repeated. Evictions and node loss do not count.'),
    deadline: Duration.default('1h').describe('How long the whole run may take, with all its attempts.'),
  })
  .meta(
    cel(
      {
        rule: 'has(self.algorithm) != has(self.container)',
        message: 'set exactly one of algorithm (built in) and container (your own image)',
      },
      {
        rule: "!has(self.algorithm) || self.inputs.exists(i, i.name == 'train')",
        message: 'a built-in algorithm reads the input named train: add one to inputs',
        fieldPath: '.inputs',
      },
      {
        rule: "self.parameters.all(name, name.matches('^[A-Za-z_][A-Za-z0-9_]*$'))",
        message: 'parameter names are letters, digits and underscores, and do not start with a digit',
        fieldPath: '.parameters',
      },
    ),
  )
  .describe(
    'What is trained, and how. A change of model, algorithm, container, parameters or inputs starts a new run, which ' +
      'replaces one that is still going; a change of retries or deadline starts none.',
  );
export type TrainingJobSpec = z.infer<typeof TrainingJobSpec>;

const Attempt = z.object({
  exitCode: z.int().exactOptional().describe('Exit code of the container that failed.'),
  reason: z.string().max(128).describe('Why it ended.'),
  log: z.string().max(4096).exactOptional().describe('Its last log lines.'),
});
export type Attempt = z.infer<typeof Attempt>;

const RunStatus = z.object({
  runKey: z.string().max(128).describe('What the run is: the same key never runs twice.'),
  runId: z.string().max(64).describe('Its id in the tracking server.'),
  cause: z.enum(['Created', 'SpecChanged']).describe('Why it was started.'),
  startTime: z.string().max(64).describe('When it was started.'),
  endTime: z.string().max(64).exactOptional().describe('When it ended. Absent: it goes on.'),
  duration: z.string().max(32).exactOptional().describe('From start to end, for people.'),
  attempts: z.array(Attempt).max(11).exactOptional().meta(atomic).describe('Failed attempts, oldest first.'),
  version: z.int().exactOptional().describe('The version it published.'),
  metrics: z
    .record(z.string().max(250), z.string().max(64))
    .exactOptional()
    .meta({ maxProperties: 64 })
    .describe('Last value by metric name.'),
});
export type RunStatus = z.infer<typeof RunStatus>;

export const TrainingJobStatus = z.object({
  ...commonStatus,
  runs: z.array(RunStatus).max(10).exactOptional().meta(atomic).describe('The last runs, newest first.'),
});
export type TrainingJobStatus = z.infer<typeof TrainingJobStatus>;

/** The summary condition, of the last run: True, False or Unknown while it runs. */
export const SUCCEEDED = 'Succeeded';

/** Reasons of `Succeeded`; a failed container's own FailureReason (contract) appears as reason too. */
export const Reason = {
  Pending: 'Pending',
  Running: 'Running',
  Completed: 'Completed',
  TrainerFailed: 'TrainerFailed',
  OutOfMemory: 'OutOfMemory',
  ImagePull: 'ImagePull',
  Unschedulable: 'Unschedulable',
  ConfigurationError: 'ConfigurationError',
  DeadlineExceeded: 'DeadlineExceeded',
  PostgresUnavailable: 'PostgresUnavailable',
  ObjectStorageUnavailable: 'ObjectStorageUnavailable',
} as const;

export const TrainingJob = customResource({
  kind: 'TrainingJob',
  plural: 'trainingjobs',
  singular: 'trainingjob',
  shortNames: ['tj'],
  description:
    'TrainingJob is how a model is made: one run when it is created and one for every change of what is trained.',
  spec: TrainingJobSpec,
  status: TrainingJobStatus,
  rules: [
    {
      rule: `self.metadata.name.size() <= ${MAX_NAME_LENGTH}`,
      message: `metadata.name must be at most ${MAX_NAME_LENGTH} characters: Jobs and Pods are named after it`,
    },
  ],
  columns: [
    { name: 'Model', type: 'string', jsonPath: '.spec.model', description: 'Registered model' },
    {
      name: 'Succeeded',
      type: 'string',
      jsonPath: '.status.conditions[?(@.type=="Succeeded")].status',
      description: 'How the last run ended',
    },
    {
      name: 'Reason',
      type: 'string',
      jsonPath: '.status.conditions[?(@.type=="Succeeded")].reason',
      description: 'Why',
    },
    {
      name: 'Accuracy',
      type: 'string',
      jsonPath: '.status.runs[0].metrics.accuracy',
      description: 'Accuracy on the validation rows',
    },
    {
      name: 'Version',
      type: 'integer',
      jsonPath: '.status.runs[0].version',
      description: 'Version the last run published',
    },
    {
      name: 'Duration',
      type: 'string',
      jsonPath: '.status.runs[0].duration',
      description: 'How long the last run took',
    },
    { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp', description: 'Since creation' },
    {
      name: 'Message',
      type: 'string',
      jsonPath: '.status.conditions[?(@.type=="Succeeded")].message',
      description: 'In words',
      priority: 1,
    },
  ],
});
export type TrainingJob = ReturnType<typeof TrainingJob.parse>;
