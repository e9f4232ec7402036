/** A cluster with one TrainingJob, its stores and a clock, for tests of the controller. */
import { runKeyFor } from '@slipway/contract';
import { FakeKube } from '../../../../../test/fake-kube.ts';
import { FakeStores } from '../../../../../test/fake-stores.ts';
import { Job } from '../../../api/batch-job.ts';
import type { KubeObject } from '../../../api/meta.ts';
import { processKey } from '../../../runtime/process-key.ts';
import { WorkQueue } from '../../../runtime/work-queue.ts';
import type { ControllerDeps } from '../../ports.ts';
import { TrainingJob } from '../api.ts';
import { trainingJobController } from '../index.ts';
import { jobKey, runLabel } from '../names.ts';

export const key = { namespace: 'team-a', name: 'iris' };
export const START = Date.parse('2026-01-01T00:00:00Z');
const silent = { debug() {}, info() {}, warn() {}, error() {} };
/** The key of the run that the spec of this generation asked for. */
export const keyOfGeneration = (generation: number) => runKeyFor('u1', { kind: 'spec', generation });
export const firstRun = keyOfGeneration(1);

export const asJson = (object: object): KubeObject => JSON.parse(JSON.stringify(object)) as KubeObject;

/** A cluster with one TrainingJob, its stores, and a clock; `turn` is one reconcile by a freshly started operator. */
export function world(spec: object = {}, over: Partial<ControllerDeps> & { readonly uid?: string } = {}) {
  const stores = new FakeStores();
  // As JSON, so that an undefined field is no field.
  const kube = new FakeKube().put(
    asJson({
      apiVersion: TrainingJob.apiVersion,
      kind: 'TrainingJob',
      metadata: { ...key, uid: over.uid ?? 'u1', generation: 1, creationTimestamp: new Date(START).toISOString() },
      spec: {
        model: 'iris',
        algorithm: { name: 'logistic-regression', target: 'species' },
        inputs: [{ name: 'train', uri: 'builtin://iris.csv' }],
        ...spec,
      },
    }),
  );
  const clock = { now: START };
  stores.clock = () => new Date(clock.now);
  const asked: { requeueAfterMs?: number } = {};
  const definition = trainingJobController({ ...stores.deps, ...over });
  const turn = () => {
    const ctx = { kube, log: silent, now: () => new Date(clock.now), signal: new AbortController().signal };
    const queue = new WorkQueue();
    delete asked.requeueAfterMs;
    queue.addAfter = (_, ms) => {
      asked.requeueAfterMs = ms;
    };
    return processKey(definition, ctx, queue, key).finally(() => queue.close());
  };
  const read = () => kube.get(TrainingJob, key) as TrainingJob;
  const condition = (type: string) => read().status?.conditions?.find((one) => one.type === type);
  const succeeded = () => condition('Succeeded');
  const change = (change: object, metadata: object = {}) => {
    const { spec: before, ...rest } = read();
    const generation = (rest.metadata.generation ?? 1) + 1;
    kube.put(
      asJson({ ...rest, metadata: { ...rest.metadata, generation, ...metadata }, spec: { ...before, ...change } }),
    );
  };
  const jobOf = (runKey: string) => kube.get(Job, jobKey({ metadata: key }, runKey));
  const setJob = (runKey: string, status: object) => kube.put({ ...(jobOf(runKey) as Job), status } as KubeObject);
  const addPod = (runKey: string, status: object, name = 'pod-1') =>
    kube.put({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { namespace: 'team-a', name, labels: runLabel(runKey), creationTimestamp: '2026-01-01T00:00:01Z' },
      status,
    } as KubeObject);
  const jobs = () => kube.list(Job).map(({ metadata }) => metadata.name);
  const annotate = (text: string) => {
    const object = read();
    kube.put(asJson({ ...object, metadata: { ...object.metadata, annotations: { 'slipway.dev/run': text } } }));
  };
  /** What a replica of the operator does with a POST /train. */
  const ask = (requestId: string, parameters: Record<string, string> = {}, requestedAt = new Date(clock.now)) =>
    stores.requests.push({
      ...{ namespace: 'team-a', requestId, trainingJob: 'iris', requestedBy: 'service', parameters },
      requestedAt: requestedAt.toISOString(),
    });
  /** The runs as status shows them, newest first: what their key is for, why, and how they stand. */
  const runs = () =>
    (read().status?.runs ?? []).map(
      ({ runKey, cause }) => `${runKey.slice('u1/'.length)} ${cause} ${stores.runs.get(runKey)?.status}`,
    );
  const events = (reason: string) => kube.events.filter((event) => event.reason === reason);
  const publish = (runKey: string, metrics: Record<string, number> = {}) => stores.publish(runKey, 'iris', metrics);
  const extra = { condition, annotate, ask, runs, events, publish, asked };
  return { ...extra, stores, kube, clock, turn, read, succeeded, change, jobOf, setJob, addPod, jobs };
}

/** The status of a Job that has given up. */
export const failedJob = (reason = 'BackoffLimitExceeded') => ({
  conditions: [
    { type: 'Failed', status: 'True', reason, message: 'Job said so', lastTransitionTime: '2026-01-01T00:00:30Z' },
  ],
});
/** The status of a pod one of whose init containers failed. */
export const failedPod = (name: string, terminated: object) => ({
  phase: 'Failed',
  initContainerStatuses: [{ name, state: { terminated } }],
});
/** The status of a pod that is in this container. */
export const runningPod = (name: string) => ({
  phase: 'Running',
  containerStatuses: [{ name, state: { running: { startedAt: '2026-01-01T00:00:02Z' } } }],
});
