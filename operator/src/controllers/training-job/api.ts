/** TrainingJob: how a model is made, as often as needed. */
import { z } from 'zod';
import { commonStatus, customResource, MAX_NAME_LENGTH } from '../../api/custom-resource.ts';
import { ALIAS, atomic, byName, cel, Duration, ModelName, Resources, VersionSelector } from '../../api/fields.ts';

const Algorithm = z.object({
  name: z
    .string()
    .min(1)
    .max(64)
    .describe(
      'A built-in algorithm: logistic-regression, linear-regression, ridge, random-forest or gradient-boosting.',
    ),
  target: z.string().min(1).max(256).describe('The column to predict.'),
  features: z
    .array(z.string().min(1).max(256))
    .min(1)
    .max(1024)
    .exactOptional()
    .meta(atomic)
    .describe('The columns to learn from. Default: every column but the target.'),
  featureTypes: z
    .record(z.string().max(256), z.enum(['number', 'category']))
    .exactOptional()
    .meta({ maxProperties: 256 })
    .describe('number or category by column name. Default: a column is a number when every cell of it is one.'),
  task: z
    .enum(['classification', 'regression'])
    .exactOptional()
    .describe(
      'What is learnt. Default: what the algorithm can do; else classes when the target is text or has few whole numbers.',
    ),
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

const Input = z
  .object({
    name: z
      .string()
      .max(63)
      .regex(/^[a-z0-9]([a-z0-9._-]*[a-z0-9])?$/)
      .describe('File name below /input. A built-in algorithm reads the input named train.'),
    uri: z
      .string()
      .min(1)
      .max(1024)
      .describe(
        'builtin://iris.csv, data://<name> (uploaded to the registry), configmap://<name>/<key>, s3://<bucket>/<key> below the ' +
          "namespace's own prefix, or https://… (with sha256, from a host the operator allows).",
      ),
    sha256: z
      .string()
      .max(64)
      .regex(/^[0-9a-f]{64}$/)
      .exactOptional()
      .describe('The digest the bytes must have.'),
  })
  .meta(
    cel({
      rule: "!self.uri.startsWith('https://') || has(self.sha256)",
      message: 'an https:// input needs sha256: what a web server answers may change',
      fieldPath: '.sha256',
    }),
  );

/** A decimal number as a string: objects hold no floats. */
const Decimal = z
  .string()
  .max(32)
  .regex(/^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,3})?$/);

const MetricName = z.string().min(1).max(250);

const Gate = z
  .object({
    metric: MetricName.describe('A metric of the run, like accuracy, validation_f1_macro or rmse.'),
    min: Decimal.exactOptional().describe('It must be at least this.'),
    max: Decimal.exactOptional().describe('It must be at most this.'),
    notWorseThan: z
      .object({
        version: VersionSelector.describe(
          'The version to compare with: a stage (Production), "@alias", a number or latest.',
        ),
        by: Decimal.default('0').describe('How much worse it may be.'),
      })
      .exactOptional()
      .describe(
        'It must not be worse than this version, both asked about the same held-out rows. Passes while there is no such version.',
      ),
  })
  .meta(
    cel({
      rule: '[has(self.min), has(self.max), has(self.notWorseThan)].exists_one(set, set)',
      message: 'set exactly one of min, max and notWorseThan',
    }),
  );

const Register = z.object({
  stage: z
    .enum(['Staging', 'Production'])
    .exactOptional()
    .describe('Stage of the version when its gates pass. Whoever had it is archived.'),
  aliases: z
    .array(z.string().max(128).regex(ALIAS))
    .max(16)
    .exactOptional()
    .meta({ 'x-kubernetes-list-type': 'set' })
    .describe('Aliases of the version when its gates pass; taken from whoever had them.'),
  tags: z
    .record(z.string().max(250), z.string().max(5000))
    .exactOptional()
    .meta({ maxProperties: 32 })
    .describe('Tags of the version.'),
  gate: z
    .array(Gate)
    .max(16)
    .exactOptional()
    .meta(atomic)
    .describe(
      'What the version must meet. One that does not is kept, gets neither stage nor alias, and is never latest.',
    ),
});
export type Register = z.infer<typeof Register>;

const Space = z
  .object({
    values: z.array(z.string().max(128)).min(1).max(64).exactOptional().meta(atomic).describe('Try these.'),
    min: Decimal.exactOptional().describe('With method random: draw from here …'),
    max: Decimal.exactOptional().describe('… to here, both included.'),
    scale: z.enum(['linear', 'log']).exactOptional().describe('How the range is drawn from. Default: linear.'),
    integer: z.boolean().exactOptional().describe('Draw whole numbers.'),
  })
  .meta(
    cel({
      rule: 'has(self.values) != (has(self.min) && has(self.max)) && has(self.min) == has(self.max)',
      message: 'set values, or min and max',
    }),
  );

const Search = z
  .object({
    method: z.enum(['grid', 'random']).describe('Every combination, or combinations drawn by chance.'),
    space: z
      .record(z.string().max(128), Space)
      .meta({ minProperties: 1, maxProperties: 16 })
      .describe('What is tried, by parameter name; the other parameters are as in spec.parameters.'),
    maxTrials: z.int().min(1).max(500).default(20).describe('At most so many trials. A larger grid is refused.'),
    parallelism: z.int().min(1).max(50).default(1).describe('How many trials run at the same time.'),
    seed: z
      .int()
      .min(0)
      .max(4294967295)
      .default(42)
      .describe('With method random: the same seed draws the same trials.'),
    objective: z
      .object({
        metric: MetricName.describe('The metric that decides, like validation_accuracy.'),
        goal: z.enum(['maximize', 'minimize']).describe('Which end of it is good.'),
      })
      .describe('Which trial is the best.'),
  })
  .meta(
    cel({
      rule: "self.method == 'random' || self.space.all(name, has(self.space[name].values))",
      message: 'method grid needs values for every parameter of the space; a range is for method random',
      fieldPath: '.space',
    }),
  );
export type Search = z.infer<typeof Search>;

const Tracking = z
  .object({
    enabled: z
      .boolean()
      .default(true)
      .describe(
        'false: no parameters, metrics or artifacts are kept for MLflow; versions are registered all the same.',
      ),
    uri: z
      .string()
      .max(1024)
      .regex(/^https?:\/\/[^@\s]+$/)
      .exactOptional()
      .describe(
        'An MLflow server elsewhere that is told of the run too. It must be reachable from the pods of this namespace.',
      ),
  })
  .meta(
    cel({ rule: 'self.enabled || !has(self.uri)', message: 'tracking.uri needs tracking.enabled', fieldPath: '.uri' }),
  );

const Toleration = z.object({
  key: z.string().max(317).exactOptional().describe('The taint; absent: any.'),
  operator: z.enum(['Exists', 'Equal']).exactOptional().describe('Default: Equal.'),
  value: z.string().max(63).exactOptional().describe('Its value.'),
  effect: z.enum(['NoSchedule', 'PreferNoSchedule', 'NoExecute']).exactOptional().describe('Its effect; absent: any.'),
  tolerationSeconds: z.int().min(0).exactOptional().describe('With NoExecute: for how long.'),
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
    nonRetriableExitCodes: z
      .array(z.int().min(1).max(255))
      .max(64)
      .exactOptional()
      .meta(atomic)
      .describe('Exit codes of the trainer after which it is not tried again.'),
    deadline: Duration.default('1h').describe('How long the whole run may take, with all its attempts.'),
    sla: Duration.exactOptional().describe(
      'When the result is expected, from the scheduled time on (from the start, for a run without one). Later is told once: ' +
        'condition and event SlaMissed. The run goes on.',
    ),
    schedule: z
      .string()
      .min(1)
      .max(128)
      .exactOptional()
      .describe(
        'When to train (cron, five fields: "0 3 * * *"). With a schedule neither creation nor a change starts a run.',
      ),
    timeZone: z
      .string()
      .min(1)
      .max(64)
      .default('Etc/UTC')
      .describe('IANA time zone of the schedule, like Europe/Berlin.'),
    concurrencyPolicy: z
      .enum(['Forbid', 'Allow', 'Replace'])
      .default('Forbid')
      .describe('What a tick does while a run goes on: wait for its end, start beside it, or end it and start.'),
    startingDeadlineSeconds: z
      .int()
      .min(10)
      .max(31536000)
      .exactOptional()
      .describe('A tick that could not start for so long is missed. Default: until the next tick.'),
    suspend: z
      .boolean()
      .default(false)
      .describe('true: ticks start nothing and count as nothing. A run that goes on is left alone.'),
    history: z
      .object({
        successful: z.int().min(0).max(100).default(3).describe('How many Jobs of runs that succeeded are kept.'),
        failed: z
          .int()
          .min(0)
          .max(100)
          .default(3)
          .describe('How many Jobs of runs that failed are kept, with the logs of their pods.'),
      })
      .default({ successful: 3, failed: 3 })
      .describe('Which Jobs stay when their run has ended. Runs and versions stay in the registry.'),
    register: Register.exactOptional().describe(
      'What the version gets when it is registered, and what it must meet for that.',
    ),
    search: Search.exactOptional().describe('Try several parameters; only the best trial is registered.'),
    tracking: Tracking.exactOptional().describe('Where the run is tracked. Default: in the registry.'),
    resources: Resources.exactOptional().describe(
      'CPU and memory of the trainer, built in or not; container.resources outranks it. Default: 100m and 256Mi requested, ' +
        'at most 2Gi of memory.',
    ),
    nodeSelector: z
      .record(z.string().max(317), z.string().max(63))
      .exactOptional()
      .meta({ maxProperties: 16 })
      .describe('Labels of the nodes the run may use.'),
    tolerations: z
      .array(Toleration)
      .max(16)
      .exactOptional()
      .meta(atomic)
      .describe('Taints of nodes the run tolerates.'),
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
      {
        rule: '!has(self.sla) || duration(self.sla) <= duration(self.deadline)',
        message: 'sla is longer than deadline: the run ends before it could be late; shorten sla or raise deadline',
        fieldPath: '.sla',
      },
      {
        rule: '!has(self.register) || has(self.model)',
        message: 'register needs model: the name under which versions are registered',
        fieldPath: '.register',
      },
      {
        rule: '!has(self.search) || self.search.space.all(name, !(name in self.parameters))',
        message: 'a parameter is either searched (search.space) or given (parameters), not both',
        fieldPath: '.search.space',
      },
    ),
  )
  .describe(
    'What is trained, how and when. Without a schedule a change of model, algorithm, container, parameters, inputs or search ' +
      'starts a new run, which replaces one that is still going; a change of anything else starts none.',
  );
export type TrainingJobSpec = z.infer<typeof TrainingJobSpec>;

const Attempt = z.object({
  exitCode: z.int().exactOptional().describe('Exit code of the container that failed.'),
  reason: z.string().max(128).describe('Why it ended.'),
  log: z.string().max(4096).exactOptional().describe('Its last log lines.'),
});
export type Attempt = z.infer<typeof Attempt>;

const CAUSES = ['Created', 'SpecChanged', 'Schedule', 'Manual', 'Api', 'Search'] as const;
export type Cause = (typeof CAUSES)[number];

const RunStatus = z.object({
  runKey: z.string().max(128).describe('What the run is: the same key never runs twice.'),
  runId: z.string().max(64).describe('Its id in the tracking server.'),
  cause: z.enum(CAUSES).describe('Why it was started.'),
  scheduledTime: z.string().max(64).exactOptional().describe('The tick of the schedule it stands for.'),
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
  gates: z
    .array(z.string().max(1024))
    .max(32)
    .exactOptional()
    .meta(atomic)
    .describe('What its gates came to, one line each.'),
  trials: z
    .object({
      total: z.int().describe('How many there are in all.'),
      succeeded: z.int().describe('How many have ended well.'),
      failed: z.int().describe('How many have failed.'),
      best: z.string().max(512).exactOptional().describe('The best so far: number, objective and parameters.'),
    })
    .exactOptional()
    .describe('How far a search is.'),
});
export type RunStatus = z.infer<typeof RunStatus>;

export const TrainingJobStatus = z.object({
  ...commonStatus,
  runs: z.array(RunStatus).max(10).exactOptional().meta(atomic).describe('The last runs, newest first.'),
  score: z
    .string()
    .max(64)
    .exactOptional()
    .describe('accuracy or r2 of the newest run that has one, for the table of kubectl get.'),
  progress: z
    .string()
    .max(320)
    .exactOptional()
    .describe('How far the run that goes on is: 40% (tree 40 of 100), about 1m20s left.'),
  nextScheduleTime: z.string().max(64).exactOptional().describe('When the schedule ticks next.'),
  lastScheduleTime: z.string().max(64).exactOptional().describe('Up to when ticks have been dealt with.'),
  observedSchedule: z
    .string()
    .max(200)
    .exactOptional()
    .describe('The schedule and time zone lastScheduleTime belongs to.'),
  missedRuns: z
    .int()
    .exactOptional()
    .describe('Ticks that were never run: the operator was down, or a run took too long.'),
});
export type TrainingJobStatus = z.infer<typeof TrainingJobStatus>;

/** The summary condition, of the last run: True, False or Unknown while it runs. */
export const SUCCEEDED = 'Succeeded';
/** True while a run goes on. */
export const RUNNING = 'Running';
/** True when the last run that ended registered a version. */
export const REGISTERED = 'Registered';
/** What the gates of the last run that published came to; absent when there were none. */
export const GATE_PASSED = 'GatePassed';
/** True when the newest run was not done by its sla; False again when the next one starts. */
export const SLA_MISSED = 'SlaMissed';

/** Reasons of `Succeeded`; a failed container's own FailureReason (contract) appears as reason too. */
export const Reason = {
  Pending: 'Pending',
  Running: 'Running',
  Completed: 'Completed',
  TrainerFailed: 'TrainerFailed',
  OOMKilled: 'OOMKilled',
  Evicted: 'Evicted',
  WaitingForSchedule: 'WaitingForSchedule',
  InvalidSchedule: 'InvalidSchedule',
  NoTrialSucceeded: 'NoTrialSucceeded',
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
    'TrainingJob is how a model is made: when it is created or changed, by a schedule, by hand, or when a service asks for it.',
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
      name: 'Progress',
      type: 'string',
      jsonPath: '.status.progress',
      description: 'How far the run that goes on is',
    },
    {
      name: 'Score',
      type: 'string',
      jsonPath: '.status.score',
      description: 'Accuracy or R² of the last run on its validation rows',
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
    {
      name: 'Schedule',
      type: 'string',
      jsonPath: '.spec.schedule',
      description: 'When it trains',
      priority: 1,
    },
    {
      name: 'Next',
      type: 'string',
      jsonPath: '.status.nextScheduleTime',
      description: 'When it ticks next',
      priority: 1,
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
