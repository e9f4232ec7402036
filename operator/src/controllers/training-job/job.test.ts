import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FetchInputs, PublishRun, runTokenSubject } from '@slipway/contract';
import type { Run } from '@slipway/database';
import { FakeStores } from '../../../../test/fake-stores.ts';
import type { Job } from '../../api/batch-job.ts';
import type { Container } from '../../api/containers.ts';
import type { Settings } from '../ports.ts';
import { TrainingJob } from './api.ts';
import { jobFor } from './job.ts';
import type { Resolved } from './resolved.ts';

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
  cause: 'Created',
  parameters: {},
};
const { settings } = new FakeStores().deps;
const nothing: Resolved = { dataSets: {}, references: {} };

interface Given {
  readonly run?: Partial<Run>;
  readonly settings?: Partial<Settings>;
  readonly resolved?: Partial<Resolved>;
}

/** The Job of a run that was started with `spec` and its parameters. */
function jobOf(spec: object, given: Given = {}): Job {
  const metadata = { namespace: 'team-a', name: 'iris', uid: 'u1' };
  const { apiVersion, kind } = TrainingJob;
  const trainingJob = TrainingJob.parse({ apiVersion, kind, metadata, spec });
  return jobFor({
    trainingJob,
    run: { ...run, parameters: trainingJob.spec.parameters, ...given.run },
    spec: trainingJob.spec,
    settings: { ...settings, ...given.settings },
    seconds: 60,
    resolved: { ...nothing, ...given.resolved },
  });
}
const podOf = (job: Job) => job.spec?.template?.spec ?? { containers: [] };

function containersOf(spec: object, given: Given = {}): Record<string, Container> {
  const { initContainers = [], containers } = podOf(jobOf(spec, given));
  return Object.fromEntries([...initContainers, ...containers].map((container) => [container.name, container]));
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

const beside = [
  { before: '$', args: '$$(MLFLOW_TRACKING_TOKEN)' },
  { before: '$$$', args: '$$$$(MLFLOW_TRACKING_TOKEN)' },
  { before: 'US$$', args: 'US$$(MLFLOW_TRACKING_TOKEN)' },
  { before: '$(HOME)/', args: '$(HOME)/(MLFLOW_TRACKING_TOKEN)' },
];
for (const { before, args } of beside) {
  test(`a value beside what the template has makes no variable: ${before}`, () => {
    const spec = { ...own({ args: [`${before}{{params.x}}`] }), parameters: { x: '(MLFLOW_TRACKING_TOKEN)' } };
    assert.deepEqual(containersOf(spec).trainer?.args, [args]);
  });
}

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

const resourcesOf = (spec: object) => containersOf(spec)['trainer']?.resources;

test('a trainer that says nothing of its resources is limited in memory and logs, and in processor time it is not', () => {
  assert.deepEqual(resourcesOf(own()), {
    requests: { cpu: '100m', memory: '256Mi', 'ephemeral-storage': '16Mi' },
    limits: { memory: '2Gi', 'ephemeral-storage': '1Gi' },
  });
});

test("resources that are named stand, and the others are as by default; the container's outrank those of the spec", () => {
  const limits = { cpu: '2' };
  assert.deepEqual(resourcesOf({ ...own(), resources: { limits } })?.limits, {
    cpu: '2',
    memory: '2Gi',
    'ephemeral-storage': '1Gi',
  });
  const both = { ...own({ resources: { limits: { memory: '8Gi' } } }), resources: { limits } };
  assert.deepEqual(resourcesOf(both)?.limits, { memory: '8Gi', 'ephemeral-storage': '1Gi' });
});

for (const [requests, limit] of [
  [{ memory: '4Gi' }, '4Gi'],
  [{ memory: '3e9' }, '3e9'],
  [{ memory: '512Mi' }, '2Gi'],
] as const) {
  test(`a request of ${requests.memory} without a limit gets a limit the API server takes`, () => {
    const resources = resourcesOf({ ...own(), resources: { requests } });
    assert.equal(resources?.limits?.['memory'], limit);
    assert.equal(resources?.requests?.['memory'], requests.memory);
  });
}

test('what is limited below the default request is requested as far as its limit, which Kubernetes does by itself', () => {
  const resources = resourcesOf({ ...own(), resources: { limits: { memory: '64Mi' } } });
  assert.equal(resources?.requests?.['memory'], undefined);
  assert.equal(resources?.limits?.['memory'], '64Mi');
});

test('every volume a container can fill has a limit, and the pod may hold all of them together', () => {
  const pod = podOf(jobOf({ ...own(), ...gated('Production') }, { resolved: { references: { Production: third } } }));
  const scratch = (pod.volumes ?? []).filter(({ emptyDir }) => emptyDir !== undefined);
  const sizes = scratch.map(({ emptyDir, name }) => {
    assert.match(emptyDir?.sizeLimit ?? '', /^\d+Gi$/, name);
    return Number.parseInt(emptyDir?.sizeLimit ?? '', 10);
  });
  const whole = pod.containers[0]?.resources?.limits?.['ephemeral-storage'];
  // The kubelet compares the sum of all volumes and logs with the greatest limit of the pod's containers.
  assert.ok(Number.parseInt(String(whole), 10) > sizes.reduce((sum, size) => sum + size, 0));
});

const tracked = {
  registryUrl: 'http://slipway-registry.slipway-system:5000/',
  runTokenKey: 'k'.repeat(32),
};
const mlflowOf = (container: Container | undefined) =>
  Object.fromEntries(Object.entries(envOf(container)).filter(([name]) => name.startsWith('MLFLOW_')));

test('a container of your own is told its run in the words of mlflow, with a token that is good for that run alone', () => {
  const { trainer, fetch, publish } = containersOf(own(), { settings: tracked });
  const env = envOf(trainer);
  assert.equal(env['MLFLOW_TRACKING_URI'], 'http://slipway-registry.slipway-system:5000/n/team-a');
  assert.deepEqual([env['MLFLOW_RUN_ID'], env['MLFLOW_EXPERIMENT_ID']], [run.runId, run.experimentId]);
  assert.deepEqual(runTokenSubject(tracked.runTokenKey, env['MLFLOW_TRACKING_TOKEN'] ?? ''), {
    namespace: 'team-a',
    runId: run.runId,
  });
  assert.deepEqual([mlflowOf(fetch), mlflowOf(publish)], [{}, {}]);
});

test('without a key there is no token, without a registry no tracking, and another tracking server is left alone', () => {
  const { runTokenKey: _, ...open } = tracked;
  const trainer = (given: object, spec = own()) => mlflowOf(containersOf(spec, { settings: given })['trainer']);
  assert.equal(trainer(open)['MLFLOW_TRACKING_TOKEN'], undefined);
  assert.equal(trainer(open)['MLFLOW_RUN_ID'], run.runId);
  assert.deepEqual(trainer({}), {});
  const elsewhere = own({ env: [{ name: 'MLFLOW_TRACKING_URI', value: 'http://elsewhere' }] });
  assert.deepEqual(trainer(tracked, elsewhere), { MLFLOW_TRACKING_URI: 'http://elsewhere' });
});

test('tracking.uri names the server a script of your own logs to, by the name of the experiment', () => {
  const spec = { ...own(), experiment: 'flowers', tracking: { uri: 'https://mlflow.example' } };
  const { trainer, watch, publish } = containersOf(spec, { settings: tracked });
  assert.deepEqual(mlflowOf(trainer), {
    MLFLOW_TRACKING_URI: 'https://mlflow.example',
    MLFLOW_EXPERIMENT_NAME: 'flowers',
  });
  assert.match(envOf(watch)['MLFLOW_TRACKING_URI'] ?? '', /slipway-registry/);
  const { externalTrackingUri, experiment } = publicationOf(publish);
  assert.deepEqual([externalTrackingUri, experiment], ['https://mlflow.example', 'flowers']);
});

const publicationOf = (publish: Container | undefined) =>
  PublishRun.parse(JSON.parse((envOf(publish)['PUBLISH_RUN'] ?? '').replaceAll('$$', '$')));
const inputsOf = (fetch: Container | undefined) =>
  FetchInputs.parse(JSON.parse((envOf(fetch)['FETCH_INPUTS'] ?? '').replaceAll('$$', '$')));

test('without tracking nobody watches and no script is told of a server', () => {
  const { trainer, watch, publish } = containersOf({ ...own(), tracking: { enabled: false } }, { settings: tracked });
  assert.deepEqual([mlflowOf(trainer), watch], [{}, undefined]);
  assert.equal(publicationOf(publish).isTracked, false);
});

test('who watches runs beside the trainer, reads the output, holds the token of the run and nothing else', () => {
  const pod = podOf(jobOf(own(), { settings: tracked }));
  const names = (pod.initContainers ?? []).map(({ name }) => name);
  assert.deepEqual(names, ['fetch', 'watch', 'trainer']);
  const watch = pod.initContainers?.[1];
  assert.equal(watch?.restartPolicy, 'Always');
  assert.match(watch?.command?.join(' ') ?? '', /trap .* TERM; node \/app\/main\.mjs watch/);
  assert.deepEqual(watch?.volumeMounts, [{ name: 'output', mountPath: '/output', readOnly: true }]);
  const { MLFLOW_TRACKING_TOKEN: token = '', RUN_START_TIME: start } = envOf(watch);
  assert.deepEqual(runTokenSubject(tracked.runTokenKey, token), { namespace: 'team-a', runId: run.runId });
  assert.equal(Number(start), Date.parse(run.startTime));
});

test('the parameters are those of the run, whatever the spec says by now', () => {
  const given = { run: { parameters: { C: '7' } } };
  const { fetch, trainer, publish } = containersOf(
    { ...own({ args: ['{{params.C}}'] }), parameters: { C: '1' } },
    given,
  );
  assert.deepEqual([envOf(trainer)['PARAM_C'], trainer?.args], ['7', ['7']]);
  assert.deepEqual([inputsOf(fetch).parameters, publicationOf(publish).parameters], [{ C: '7' }, { C: '7' }]);
});

const rulesOf = (spec: object) =>
  (jobOf(spec).spec?.podFailurePolicy?.rules ?? []) as {
    action: string;
    onExitCodes?: { containerName: string; values: number[] };
  }[];

test("exit codes that end the run are told in order and once, after what is nobody's fault", () => {
  const rules = rulesOf({ ...own(), nonRetriableExitCodes: [42, 3, 42] });
  assert.equal(rules[0]?.action, 'Ignore');
  const trainer = rules.find(({ onExitCodes }) => onExitCodes?.containerName === 'trainer');
  assert.deepEqual([trainer?.action, trainer?.onExitCodes?.values], ['FailJob', [3, 42]]);
});

test('the exit codes of a container of your own are tried again unless it says otherwise; those of ours say it themselves', () => {
  const names = (spec: object) => rulesOf(spec).map(({ onExitCodes }) => onExitCodes?.containerName);
  assert.deepEqual(names(own()), [undefined, 'fetch', 'publish']);
  assert.deepEqual(names(builtIn), [undefined, 'fetch', 'publish', 'trainer']);
});

const builtIn = {
  algorithm: { name: 'ridge', target: 'y' },
  inputs: [{ name: 'train', uri: 'builtin://abalone.csv' }],
};

test('the pod goes where the spec wants it', () => {
  const tolerations = [{ key: 'gpu', operator: 'Exists' }];
  const pod = podOf(jobOf({ ...own(), nodeSelector: { disk: 'ssd' }, tolerations }));
  assert.deepEqual([pod['nodeSelector'], pod['tolerations']], [{ disk: 'ssd' }, tolerations]);
});

test('a data set is fetched from where it lay when the run was started, and must have the bytes it had', () => {
  const uri = 'data://sales.csv';
  const dataSets = { [uri]: { key: 'team-a/data/sales.csv', sha256: 'a'.repeat(64) } };
  const inputs = [{ name: 'train', uri }];
  const [input] = inputsOf(containersOf({ ...own(), inputs }, { resolved: { dataSets } })['fetch']).inputs;
  assert.deepEqual(input, {
    name: 'train',
    uri,
    sha256: 'a'.repeat(64),
    location: 's3://slipway/team-a/data/sales.csv',
  });
  const promised = [{ name: 'train', uri, sha256: 'b'.repeat(64) }];
  const [other] = inputsOf(containersOf({ ...own(), inputs: promised }, { resolved: { dataSets } })['fetch']).inputs;
  assert.equal(other?.sha256, 'b'.repeat(64));
});

test("hosts that https inputs may come from are the administrator's", () => {
  const { fetch } = containersOf(own(), {
    settings: { httpsInputHosts: ['data.example'], httpsInputCidrs: ['10.1.0.0/16'] },
  });
  assert.deepEqual(inputsOf(fetch).httpsHosts, ['data.example']);
  assert.equal(envOf(fetch)['HTTPS_INPUT_CIDRS'], '10.1.0.0/16');
  assert.equal(inputsOf(containersOf(own())['fetch']).httpsHosts, undefined);
});

const artifact = {
  uri: 's3://slipway/team-a/1/r/artifacts/a/model',
  files: ['model.onnx', 'MLmodel', 'signature.json', 'examples.json', 'plots/a.png'].map((path) => ({
    ...{ path, sha256: 'a'.repeat(64), size: 3 },
  })),
  digest: 'd'.repeat(64),
};
const third = { version: 3, artifact };
const gated = (...versions: (string | number)[]) => ({
  model: 'iris',
  register: {
    stage: 'Staging',
    aliases: ['new'],
    tags: { team: 'a' },
    gate: versions.map((version) => ({ metric: 'accuracy', notWorseThan: { version, by: '.01' } })),
  },
});

test('a gate that compares brings the version, asks both models without a credential, and is told which it was', () => {
  const references = { Production: third, '@best': third, '2': { ...third, version: 2 } };
  const spec = { ...own(), ...gated('Production', '@best', 2) };
  const { fetch, predict, publish } = containersOf(spec, { resolved: { references } });
  const asked = { namespace: 'team-a', uri: artifact.uri, files: artifact.files.slice(0, 3) };
  assert.deepEqual(inputsOf(fetch).references, [asked, asked]);
  assert.deepEqual([predict?.image, predict?.args], [settings.servingImage, ['predict']]);
  assert.deepEqual(mountsOf(predict), ['output', 'references', 'answers', 'tmp-predict']);
  assert.deepEqual(
    predict?.volumeMounts?.filter(({ readOnly }) => readOnly).map(({ mountPath }) => mountPath),
    ['/output', '/references'],
  );
  const { register } = publicationOf(publish);
  assert.deepEqual(register, {
    stage: 'Staging',
    aliases: ['new'],
    tags: { team: 'a' },
    gate: [
      { metric: 'accuracy', notWorseThan: { version: 'Production', by: 0.01, resolved: 3, reference: 0 } },
      { metric: 'accuracy', notWorseThan: { version: '@best', by: 0.01, resolved: 3, reference: 0 } },
      { metric: 'accuracy', notWorseThan: { version: '2', by: 0.01, resolved: 2, reference: 1 } },
    ],
  });
});

test('while there is no version to compare with, no model is asked', () => {
  const { predict, publish } = containersOf({ ...own(), ...gated('Production') });
  assert.equal(predict, undefined);
  assert.deepEqual(publicationOf(publish).register?.gate?.[0]?.notWorseThan, { version: 'Production', by: 0.01 });
});

test('bounds are told as numbers JSON can say', () => {
  const register = {
    gate: [
      { metric: 'rmse', max: '1e999' },
      { metric: 'r2', min: '+.5' },
    ],
  };
  const { publish } = containersOf({ ...own(), model: 'iris', register });
  const [most, least] = publicationOf(publish).register?.gate ?? [];
  assert.deepEqual([most?.max, least?.min], [Number.MAX_VALUE, 0.5]);
});

test('a trial says so: its model is a candidate', () => {
  const { publish } = containersOf({ ...own(), model: 'iris' }, { run: { parentRunKey: 'u1/g1' } });
  assert.equal(publicationOf(publish).isTrial, true);
  assert.equal(publicationOf(containersOf(own())['publish']).isTrial, false);
});
