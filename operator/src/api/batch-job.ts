/** The slice of batch/v1 Job the operator reads, and the Job it writes. Only Jobs the operator made are watched. */
import { EXIT_TERMINAL } from '@slipway/contract';
import { z } from 'zod';
import { MANAGED_BY_SELECTOR, type PodTemplate } from './containers.ts';
import { type Kind, type KubeObject, Metadata } from './meta.ts';

const JobCondition = z.object({
  type: z.string(),
  status: z.string(),
  reason: z.string().exactOptional(),
  message: z.string().exactOptional(),
  lastTransitionTime: z.string().nullish(),
});

const schema = z.object({
  apiVersion: z.literal('batch/v1'),
  kind: z.literal('Job'),
  metadata: Metadata,
  spec: z.object({ suspend: z.boolean().exactOptional(), parallelism: z.int().exactOptional() }).exactOptional(),
  status: z
    .object({
      active: z.int().exactOptional(),
      failed: z.int().exactOptional(),
      succeeded: z.int().exactOptional(),
      startTime: z.string().nullish(),
      completionTime: z.string().nullish(),
      conditions: z.array(JobCondition).exactOptional(),
    })
    .exactOptional(),
});

/** The Job the operator asks for. */
export interface JobSpec {
  readonly backoffLimit: number;
  readonly activeDeadlineSeconds: number;
  readonly podFailurePolicy?: { readonly rules: readonly object[] };
  readonly podReplacementPolicy?: 'Failed';
  readonly template: PodTemplate;
}

type Read = Readonly<Pick<z.infer<typeof schema>, 'status' | 'spec'>>;
export type Job = KubeObject & Pick<Read, 'status'> & { readonly spec?: Partial<JobSpec> & Read['spec'] };

export const Job: Kind<Job> = {
  apiVersion: 'batch/v1',
  kind: 'Job',
  plural: 'jobs',
  selector: MANAGED_BY_SELECTOR,
  parse: (raw) => schema.parse(raw) as Job,
};

/**
 * Lost nodes are nobody's fault and cost no retry; what these containers call terminal does not get better by repeating
 * and fails the Job at once. So do the `more` exit codes, by container.
 */
export function failurePolicy(
  containers: readonly string[],
  more: Readonly<Record<string, readonly number[]>> = {},
): { readonly rules: readonly object[] } {
  const names = [...new Set([...containers, ...Object.keys(more)])];
  const codes = names.map((name) => {
    const own = [...(containers.includes(name) ? [EXIT_TERMINAL] : []), ...(more[name] ?? [])];
    // The API server takes them in order, and each once.
    return { containerName: name, values: [...new Set(own)].sort((a, b) => a - b) };
  });
  const rules = codes
    .filter(({ values }) => values.length > 0)
    .map(({ containerName, values }) => ({
      action: 'FailJob',
      onExitCodes: { containerName, operator: 'In', values },
    }));
  return { rules: [{ action: 'Ignore', onPodConditions: [{ type: 'DisruptionTarget', status: 'True' }] }, ...rules] };
}

const condition = (job: Job, type: string) =>
  job.status?.conditions?.find((c) => c.type === type && c.status === 'True');

/** The Job's own word that it has given up. */
export const failedCondition = (job: Job): Readonly<z.infer<typeof JobCondition>> | undefined =>
  condition(job, 'Failed');

/** True when somebody stopped it by hand: it will never make a pod. */
export const isStopped = ({ spec }: Job): boolean => spec?.suspend === true || spec?.parallelism === 0;

/** True when no pod of the Job will run any more. */
export const isFinished = (job: Job): boolean =>
  condition(job, 'Failed') !== undefined || condition(job, 'Complete') !== undefined;

/** When it was found to be finished; undefined while it is not. */
export function finishedAt(job: Job): Date | undefined {
  const time = (condition(job, 'Failed') ?? condition(job, 'Complete'))?.lastTransitionTime;
  return typeof time === 'string' ? new Date(time) : undefined;
}
