/** TrainingJob: how a model is made, as often as needed. The spec is in spec/; this file is the kind and its status. */
import { z } from 'zod';
import { commonStatus, customResource, MAX_NAME_LENGTH } from '../../api/custom-resource.ts';
import { atomic } from '../../api/fields.ts';
import { TrainingJobSpec } from './spec/training-job-spec.ts';

export type { Register } from './spec/register.ts';
export type { Search } from './spec/search.ts';
export { TrainingJobSpec } from './spec/training-job-spec.ts';

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
  ticksSettledUntil: z
    .string()
    .max(64)
    .exactOptional()
    .describe('Ticks up to here have been run, missed or passed over.'),
  observedSchedule: z
    .string()
    .max(200)
    .exactOptional()
    .describe('The schedule and time zone ticksSettledUntil belongs to.'),
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
