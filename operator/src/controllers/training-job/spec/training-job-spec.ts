/** The whole spec of a TrainingJob. */
import { z } from 'zod';
import { atomic, byName, cel, Duration, ModelName, Resources } from '../../../api/fields.ts';
import { Register } from './register.ts';
import { Search } from './search.ts';
import { Tracking } from './tracking.ts';
import { Algorithm, Container, Input, Toleration } from './trainer.ts';

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
    deadline: Duration.default('1h').describe('How long the whole run may take, with all its attempts: 90s, 20m, 2h.'),
    sla: Duration.exactOptional().describe(
      'When the result is expected (90s, 20m, 2h), from the scheduled time on (from the start, for a run without one). ' +
        'Later is told once: condition and event SlaMissed. The run goes on.',
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
        rule: '!self.suspend || has(self.schedule)',
        message:
          'suspend holds the ticks of a schedule, and there is none: a run without a schedule starts when the object is made',
        fieldPath: '.suspend',
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
