import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runTokenSubject } from '@slipway/contract';
import type { Run } from '@slipway/database';
import { FakeStores } from '../../../../test/fake-stores.ts';
import type { Container } from '../../api/containers.ts';
import type { Settings } from '../ports.ts';
import { TrainingJob } from './api.ts';
import { jobFor } from './job.ts';

const run: Run = {
  namespace: 'team-a',
  runKey: 'u1/g1',
  runId: 'f'.repeat(32),
  experimentId: '4',
  generation: 1,
  specDigest: 'd',
  status: 'RUNNING',
  startTime: '2026-01-01T00:00:00Z',
  metrics: {},
};
const { settings } = new FakeStores().deps;

function containersOf(spec: object): Record<string, Container> {
  const metadata = { namespace: 'team-a', name: 'iris', uid: 'u1' };
  const { apiVersion, kind } = TrainingJob;
  const job = jobFor(TrainingJob.parse({ apiVersion, kind, metadata, spec }), run, settings, 60);
  const pod = job.spec?.template?.spec;
  const all = [...(pod?.initContainers ?? []), ...(pod?.containers ?? [])];
  return Object.fromEntries(all.map((container) => [container.name, container]));
}
const envOf = (container: Container | undefined) =>
  Object.fromEntries(
    (container?.env ?? []).map((variable) => [variable.name, 'value' in variable ? variable.value : '']),
  );
const mountsOf = (container: Container | undefined) => (container?.volumeMounts ?? []).map(({ name }) => name);

const own = (more: object = {}) => ({ container: { image: 'mine:1', ...more } });

test('the trainer holds no credential; fetch and publish hold one each', () => {
  const { fetch, trainer, publish } = containersOf(own());
  assert.deepEqual(
    [fetch, trainer, publish].map((container) => mountsOf(container).filter((name) => /credentials/.test(name))),
    [['fetch-credentials'], [], ['publish-credentials']],
  );
});

test('the trainer may not write its inputs, and shares no scratch space with what runs after it', () => {
  const { trainer, publish } = containersOf(own());
  assert.equal(trainer?.volumeMounts?.find(({ name }) => name === 'input')?.readOnly, true);
  const shared = mountsOf(trainer).filter((name) => mountsOf(publish).includes(name));
  assert.deepEqual(shared, ['input', 'output']);
});

test('parameters arrive in the environment and in arguments exactly as they were written', () => {
  const { trainer } = containersOf({ ...own({ args: ['--c={{params.C}}'] }), parameters: { C: '$(HOME) $$ 5' } });
  // The kubelet makes one $ of two.
  assert.equal(envOf(trainer)['PARAM_C'], '$$(HOME) $$$$ 5');
  assert.deepEqual(trainer?.args, ['--c=$$(HOME) $$$$ 5']);
});

test('what the contract promises cannot be overridden by the container', () => {
  const env = [
    { name: 'RUN_ID', value: 'mine' },
    { name: 'MODE', value: 'fast' },
  ];
  const { trainer } = containersOf(own({ env }));
  const { RUN_ID, MODE, HOME } = envOf(trainer);
  assert.deepEqual([RUN_ID, HOME, MODE], [run.runId, '/tmp', 'fast']);
});

test('a built-in algorithm runs the trainer image and is told the algorithm', () => {
  const { trainer } = containersOf({
    algorithm: { name: 'logistic-regression', target: 'species' },
    inputs: [{ name: 'train', uri: 'builtin://iris.csv' }],
  });
  assert.equal(trainer?.image, settings.trainerImage);
  assert.deepEqual(JSON.parse(envOf(trainer)['ALGORITHM'] ?? ''), { name: 'logistic-regression', target: 'species' });
});

test('a ConfigMap two inputs come from is mounted once, and only for fetch', () => {
  const uri = (file: string) => `configmap://data/${file}`;
  const inputs = ['a', 'b'].map((name) => ({ name, uri: uri(`${name}.csv`) }));
  const { fetch, trainer } = containersOf({ ...own(), inputs });
  const maps = (container: Container | undefined) =>
    (container?.volumeMounts ?? []).filter(({ name }) => /config-map/.test(name)).map(({ mountPath }) => mountPath);
  assert.deepEqual(maps(fetch), ['/config-maps/data']);
  assert.deepEqual(maps(trainer), []);
});

test('a trainer without resources of its own is limited, and so is every volume it can fill', () => {
  assert.equal(containersOf(own())['trainer']?.resources?.limits?.['memory'], '2Gi');
  const resources = { limits: { memory: '8Gi' } };
  assert.deepEqual(containersOf(own({ resources }))['trainer']?.resources, resources);
  const metadata = { namespace: 'team-a', name: 'iris', uid: 'u1' };
  const { apiVersion, kind } = TrainingJob;
  const job = jobFor(TrainingJob.parse({ apiVersion, kind, metadata, spec: own() }), run, settings, 60);
  const scratch = (job.spec?.template?.spec.volumes ?? []).filter(({ emptyDir }) => emptyDir !== undefined);
  assert.ok(scratch.length > 0);
  for (const { name, emptyDir } of scratch) assert.ok(emptyDir?.sizeLimit, name);
});

const tracked = {
  ...settings,
  registryUrl: 'http://slipway-registry.slipway-system:5000/',
  runTokenKey: 'k'.repeat(32),
};
const trackingOf = (container: object, given: Settings) => {
  const metadata = { namespace: 'team-a', name: 'iris', uid: 'u1' };
  const { apiVersion, kind } = TrainingJob;
  const job = jobFor(TrainingJob.parse({ apiVersion, kind, metadata, spec: container }), run, given, 60);
  const { initContainers = [], containers } = job.spec?.template?.spec ?? { containers: [] };
  const env = envOf(initContainers.find(({ name }) => name === 'trainer'));
  const others = [...initContainers, ...containers].filter(({ name }) => name !== 'trainer').map(envOf);
  return { env, others };
};

test('a container of your own is told its run in the words of mlflow, with a token that is good for that run alone', () => {
  const { env, others } = trackingOf(own(), tracked);
  assert.equal(env['MLFLOW_TRACKING_URI'], 'http://slipway-registry.slipway-system:5000/n/team-a');
  assert.deepEqual([env['MLFLOW_RUN_ID'], env['MLFLOW_EXPERIMENT_ID']], [run.runId, run.experimentId]);
  assert.deepEqual(runTokenSubject(tracked.runTokenKey, env['MLFLOW_TRACKING_TOKEN'] ?? ''), {
    namespace: 'team-a',
    runId: run.runId,
  });
  assert.ok(others.every((variables) => Object.keys(variables).every((name) => !name.startsWith('MLFLOW_'))));
});

test('without a key there is no token, without a registry no tracking, and another tracking server is left alone', () => {
  const { runTokenKey: _, ...open } = tracked;
  assert.equal(trackingOf(own(), open).env['MLFLOW_TRACKING_TOKEN'], undefined);
  assert.equal(trackingOf(own(), open).env['MLFLOW_RUN_ID'], run.runId);
  assert.equal(trackingOf(own(), settings).env['MLFLOW_RUN_ID'], undefined);
  const { env } = trackingOf(own({ env: [{ name: 'MLFLOW_TRACKING_URI', value: 'http://elsewhere' }] }), tracked);
  assert.deepEqual(
    [env['MLFLOW_TRACKING_URI'], env['MLFLOW_RUN_ID'], env['MLFLOW_TRACKING_TOKEN']],
    ['http://elsewhere', undefined, undefined],
  );
});
