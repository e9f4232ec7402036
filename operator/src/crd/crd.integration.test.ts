/**
 * The definitions against the real API server: it takes them, it takes every example, and it refuses what is wrong in
 * the words users read. They are installed under an API group of this run's own, so that nothing shared is touched.
 */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { parse, parseAllDocuments } from 'yaml';
import { pending } from '../../../test/fake-stores.ts';
import { API_VERSION, GROUP } from '../api/meta.ts';
import { modelVersionFor } from '../controllers/mirror.ts';
import { KubeError } from '../kube/errors.ts';
import { loadKubeConfig } from '../kube/kubeconfig.ts';
import { openTransport, type Transport } from '../kube/transport.ts';
import { crdManifests, customResourceKinds } from './manifests.ts';

const root = join(import.meta.dirname, '../../..');
const run = `t${randomBytes(4).toString('hex')}`;
const group = `${run}.${GROUP}`;
const namespace = `crd-${run}`;
const DEFINITIONS = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';

interface Definition {
  metadata: { name: string };
  spec: { group: string; names: { plural: string; shortNames?: string[]; categories?: string[] } };
}
interface Thing {
  apiVersion: string;
  kind: string;
  metadata: { name: string; [field: string]: unknown };
  spec?: Record<string, unknown>;
}

let transport: Transport;

/** The definition under this run's group, without the short names that people may be using. */
function underOwnGroup(yaml: string): Definition {
  const definition = parse(yaml) as Definition;
  definition.spec.group = group;
  definition.metadata.name = `${definition.spec.names.plural}.${group}`;
  definition.spec.names.shortNames = [];
  definition.spec.names.categories = [];
  return definition;
}

const strict = { fieldValidation: 'Strict', dryRun: 'All' };
const pathOf = (kind: string): string => {
  const plural = customResourceKinds.find((candidate) => candidate.kind === kind)?.plural;
  return `/apis/${group}/v1alpha1/namespaces/${namespace}/${plural}`;
};
const create = (thing: Thing, query: Record<string, string> = strict) =>
  transport.json({
    method: 'POST',
    path: pathOf(thing.kind),
    query,
    body: { ...thing, apiVersion: `${group}/v1alpha1` },
  }) as Promise<Thing>;

/** What examples hold beside our kinds: a Job is the cluster's own. */
const OF_CLUSTER: Readonly<Record<string, string>> = { 'batch/v1 Job': 'jobs' };
function createOfCluster(thing: Thing): Promise<unknown> {
  const { apiVersion, kind } = thing;
  const plural = OF_CLUSTER[`${apiVersion} ${kind}`];
  assert.ok(plural, `${apiVersion} ${kind} is neither a kind of ours nor one an example needs`);
  const path = `/apis/${apiVersion}/namespaces/${namespace}/${plural}`;
  return transport.json({ method: 'POST', path, query: strict, body: thing });
}

async function established(plural: string): Promise<void> {
  for (;;) {
    const answer = await transport
      .json({ method: 'GET', path: `/apis/${group}/v1alpha1/namespaces/${namespace}/${plural}` })
      .catch((error: KubeError) => error);
    if (!(answer instanceof KubeError)) return;
    // Not served yet, or its storage is being opened.
    assert.ok(answer.status === 404 || answer.status === 429, answer.message);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

before(async () => {
  transport = openTransport(loadKubeConfig(), { userAgent: 'slipway-test' });
  const labels = { 'pod-security.kubernetes.io/enforce': 'restricted' };
  const body = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace, labels } };
  await transport.json({ method: 'POST', path: '/api/v1/namespaces', body });
  for (const { yaml } of crdManifests()) {
    const query = { fieldValidation: 'Strict' };
    await transport.json({ method: 'POST', path: DEFINITIONS, query, body: underOwnGroup(yaml) });
  }
  for (const { plural } of customResourceKinds) await established(plural);
});

after(async () => {
  for (const { plural } of customResourceKinds) {
    await transport.json({ method: 'DELETE', path: `${DEFINITIONS}/${plural}.${group}` }).catch(() => {});
  }
  await transport.json({ method: 'DELETE', path: `/api/v1/namespaces/${namespace}` });
  transport.close();
});

test('the committed definitions are taken as they are, with nothing unknown in them', async () => {
  for (const { file, name } of crdManifests()) {
    const body = parse(readFileSync(join(root, 'crds', file), 'utf8')) as Definition;
    const path = `${DEFINITIONS}/${name}`;
    const query = { ...strict, fieldManager: 'test', force: 'true' };
    await transport.json({ method: 'PATCH', path, query, contentType: 'application/apply-patch+yaml', body });
  }
});

for (const file of globSync('examples/**/*.yaml', { cwd: root })) {
  test(`${file} is taken`, async () => {
    const things = parseAllDocuments(readFileSync(join(root, file), 'utf8')).map(
      (document) => document.toJS() as Thing,
    );
    assert.ok(things.length > 0);
    for (const thing of things) await (thing.apiVersion === API_VERSION ? create(thing) : createOfCluster(thing));
  });
}

const algorithm = { name: 'logistic-regression', target: 'species' };
const inputs = [{ name: 'train', uri: 'builtin://iris.csv' }];
const container = { image: 'trainer:1' };
const trainingJob = (spec: object, name = 'iris') =>
  ({ apiVersion: API_VERSION, kind: 'TrainingJob', metadata: { name }, spec }) as Thing;
const modelVersion = (spec: object, name = 'iris-v1') =>
  ({ apiVersion: API_VERSION, kind: 'ModelVersion', metadata: { name }, spec }) as Thing;
const service = (spec: object, name = 'iris') =>
  ({ apiVersion: API_VERSION, kind: 'InferenceService', metadata: { name }, spec }) as Thing;
const runtime = { image: 'mine:1', protocol: 'mlflow' };
const source = { uri: 's3://slipway/team-a/m' };

test('defaults are filled in by the API server', async () => {
  const { spec } = await create(trainingJob({ algorithm, inputs }));
  assert.deepEqual(spec, {
    ...{ algorithm, inputs, parameters: {}, retries: 2, deadline: '1h' },
    ...{ timeZone: 'Etc/UTC', concurrencyPolicy: 'Forbid', suspend: false, history: { successful: 3, failed: 3 } },
  });
  assert.deepEqual((await create(service({ model: 'iris' }))).spec, {
    model: 'iris',
    version: 'latest',
    replicas: 1,
    engine: 'auto',
    rollout: { progressDeadline: '2m' },
  });
});

test('a server of one’s own listens at port 8080, where nothing else is said', async () => {
  const { spec } = await create(service({ model: 'iris', runtime }));
  assert.deepEqual(spec?.['runtime'], { ...runtime, port: 8080 });
});

test('a log of predictions is written in full and kept for a month, where nothing else is said', async () => {
  const { spec } = await create(service({ model: 'iris', predictionLog: { store: {}, hash: ['age'] } }));
  assert.deepEqual(spec?.['predictionLog'], { enabled: true, sample: '1', hash: ['age'], store: { retention: '30d' } });
  for (const sample of ['0', '1', '1.0', '.25', '0.000001'])
    await create(service({ model: 'iris', predictionLog: { sample } }));
});

test('a version may be written as a number or as a string', async () => {
  for (const version of [1, '1', 'latest', 12_345]) await create(service({ model: 'iris', version }));
});

const search = (method: string, space: object) => ({
  ...{ method, space },
  objective: { metric: 'validation_accuracy', goal: 'maximize' },
});
const ONE_OF = 'spec: Invalid value: set exactly one of algorithm (built in) and container (your own image)';
const refusals: readonly { name: string; thing: Thing; says: string }[] = [
  { name: 'neither algorithm nor container', thing: trainingJob({}), says: ONE_OF },
  { name: 'both algorithm and container', thing: trainingJob({ algorithm, container, inputs }), says: ONE_OF },
  {
    name: 'a built-in algorithm without its input',
    thing: trainingJob({ algorithm, inputs: [{ name: 'data', uri: 'builtin://iris.csv' }] }),
    says: 'spec.inputs: Invalid value: a built-in algorithm reads the input named train: add one to inputs',
  },
  {
    name: 'an input twice',
    thing: trainingJob({ algorithm, inputs: [...inputs, ...inputs] }),
    says: 'spec.inputs[1]: Duplicate value: {"name":"train"}',
  },
  {
    name: 'a bad parameter name',
    thing: trainingJob({ algorithm, inputs, parameters: { '1st': 'x' } }),
    says: 'spec.parameters: Invalid value: parameter names are letters, digits and underscores, and do not start with a digit',
  },
  {
    name: 'a parameter that is no string',
    thing: trainingJob({ algorithm, inputs, parameters: { C: 1 } }),
    says: 'spec.parameters.C: Invalid value: "integer": spec.parameters.C in body must be of type string: "integer"',
  },
  {
    name: 'an input that would leave its folder',
    thing: trainingJob({ container, inputs: [{ name: '../secret', uri: 'builtin://iris.csv' }] }),
    says: 'spec.inputs[0].name: Invalid value: "../secret": spec.inputs[0].name in body should match \'^[a-z0-9]([a-z0-9._-]*[a-z0-9])?$\'',
  },
  {
    name: 'a bad duration',
    thing: trainingJob({ algorithm, inputs, deadline: '1 hour' }),
    says: 'spec.deadline: Invalid value: "1 hour": spec.deadline in body should match \'^([1-9][0-9]{0,5}s|[1-9][0-9]{0,4}m|[1-9][0-9]{0,2}h)$\'',
  },
  {
    name: 'a duration that would overflow',
    thing: trainingJob({ algorithm, inputs, deadline: '9999999h' }),
    says: 'spec.deadline: Invalid value: "9999999h": spec.deadline in body should match',
  },
  {
    name: 'too many retries',
    thing: trainingJob({ algorithm, inputs, retries: 11 }),
    says: 'spec.retries: Invalid value: 11: spec.retries in body should be less than or equal to 10',
  },
  {
    name: 'a name too long for Jobs',
    thing: trainingJob({ algorithm, inputs }, 'a'.repeat(53)),
    says: 'metadata.name must be at most 52 characters: Jobs and Pods are named after it',
  },
  {
    name: 'a malformed digest',
    thing: trainingJob({ algorithm, inputs: [{ ...inputs[0], sha256: 'ABC' }] }),
    says: 'spec.inputs[0].sha256: Invalid value: "ABC": spec.inputs[0].sha256 in body should match \'^[0-9a-f]{64}$\'',
  },
  {
    name: 'a quantity that is none',
    thing: trainingJob({ container: { ...container, resources: { limits: { memory: 'lots' } } } }),
    says: 'spec.container.resources.limits.memory in body should match',
  },
  {
    name: 'an environment variable from a Secret',
    thing: trainingJob({ container: { ...container, env: [{ name: 'TOKEN', valueFrom: { secretKeyRef: {} } }] } }),
    says: 'unknown field "spec.container.env[0].valueFrom"',
  },
  {
    name: 'a field that does not exist',
    thing: trainingJob({ algorithm, inputs, cron: '@daily' }),
    says: 'unknown field "spec.cron"',
  },
  {
    name: 'an sla longer than the deadline',
    thing: trainingJob({ algorithm, inputs, sla: '2h' }),
    says: 'spec.sla: Invalid value: sla is longer than deadline',
  },
  {
    name: 'a suspension of nothing',
    thing: trainingJob({ algorithm, inputs, suspend: true }),
    says: 'spec.suspend: Invalid value: suspend holds the ticks of a schedule, and there is none',
  },
  {
    name: 'a gate with two bounds',
    thing: trainingJob({
      algorithm,
      inputs,
      model: 'iris',
      register: { gate: [{ metric: 'r2', min: '0', max: '1' }] },
    }),
    says: 'spec.register.gate[0]: Invalid value: set exactly one of min, max and notWorseThan',
  },
  {
    name: 'a bound that is no decimal',
    thing: trainingJob({ algorithm, inputs, model: 'iris', register: { gate: [{ metric: 'r2', min: 'good' }] } }),
    says: 'spec.register.gate[0].min in body should match',
  },
  {
    name: 'a stage without a model',
    thing: trainingJob({ algorithm, inputs, register: { stage: 'Staging' } }),
    says: 'spec.register: Invalid value: register needs model',
  },
  {
    name: 'a file from the web without its digest',
    thing: trainingJob({ algorithm, inputs: [{ name: 'train', uri: 'https://data.example.com/iris.csv' }] }),
    says: 'spec.inputs[0].sha256: Invalid value: an https:// input needs sha256',
  },
  {
    name: 'a grid over a range',
    thing: trainingJob({ algorithm, inputs, search: search('grid', { C: { min: '1', max: '2' } }) }),
    says: 'method grid needs values for every parameter of the space',
  },
  {
    name: 'a search over nothing',
    thing: trainingJob({ algorithm, inputs, search: search('grid', {}) }),
    says: 'spec.search.space in body should have at least 1 properties',
  },
  {
    name: 'a parameter both given and searched',
    thing: trainingJob({ algorithm, inputs, parameters: { C: '1' }, search: search('grid', { C: { values: ['2'] } }) }),
    says: 'a parameter is either searched (search.space) or given (parameters), not both',
  },
  {
    name: 'an algorithm without a target',
    thing: trainingJob({ algorithm: { name: 'x' }, inputs }),
    says: 'spec.algorithm.target: Required value',
  },
  {
    name: 'no spec at all',
    thing: { apiVersion: API_VERSION, kind: 'TrainingJob', metadata: { name: 'iris' } },
    says: 'spec: Required value',
  },
  {
    name: 'a version without a source',
    thing: modelVersion({ model: 'iris' }),
    says: 'spec.source: Required value',
  },
  {
    name: 'a format nobody serves',
    thing: modelVersion({ model: 'iris', source, format: 'pickle' }),
    says: 'spec.format: Unsupported value: "pickle": supported values: "onnx", "mlflow"',
  },
  {
    name: 'a version numbered 0',
    thing: modelVersion({ model: 'iris', version: 0, source }),
    says: 'spec.version: Invalid value: 0: spec.version in body should be greater than or equal to 1',
  },
  {
    name: 'a version with a name too long for Jobs',
    thing: modelVersion({ model: 'iris', source }, 'a'.repeat(53)),
    says: 'metadata.name must be at most 52 characters: Jobs and Pods are named after it',
  },
  {
    name: 'a bad version selector',
    thing: service({ model: 'iris', version: 'newest' }),
    says: "spec.version: Invalid value: version must be latest, a version's number like 2, a stage (Staging, Production, Archived) or an alias like @champion",
  },
  {
    name: 'version 0',
    thing: service({ model: 'iris', version: 0 }),
    says: 'spec.version',
  },
  {
    name: 'a service without a model',
    thing: service({}),
    says: 'spec.model: Required value',
  },
  {
    name: 'a model name with a slash',
    thing: service({ model: '../iris' }),
    says: 'spec.model: Invalid value: "../iris": spec.model in body should match \'^[^/:\\x00-\\x1f\\x7f]+$\'',
  },
  ...['None', 'production', '@', '@a b', 'v2'].map((version) => ({
    name: `the version ${version}`,
    thing: service({ model: 'iris', version }),
    says: 'spec.version: Invalid value: version must be latest',
  })),
  {
    name: 'an unknown stage',
    thing: modelVersion({ model: 'iris', source, stage: 'production' }),
    says: 'spec.stage: Unsupported value: "production": supported values: "None", "Staging", "Production", "Archived"',
  },
  ...['latest', 'Latest', 'v2', 'V10'].map((alias) => ({
    name: `the alias ${alias}`,
    thing: modelVersion({ model: 'iris', source, aliases: [alias] }),
    says: "spec.aliases: Invalid value: an alias must not be latest or a version's number like v2",
  })),
  {
    name: 'an alias with a space',
    thing: modelVersion({ model: 'iris', source, aliases: ['the best'] }),
    says: 'spec.aliases[0]: Invalid value: "the best": spec.aliases[0] in body should match \'^[\\p{L}\\p{N}_-]+$\'',
  },
  {
    name: 'an alias given twice',
    thing: modelVersion({ model: 'iris', source, aliases: ['a', 'a'] }),
    says: 'spec.aliases[1]: Duplicate value: "a"',
  },
  {
    name: 'a tag without a name',
    thing: modelVersion({ model: 'iris', source, tags: { '': 'x' } }),
    says: 'spec.tags: Invalid value: a tag has a name of 1 to 250 characters',
  },
  {
    name: 'a service whose name is no Service name',
    thing: service({ model: 'iris' }, '1.iris'),
    says: 'metadata.name becomes the name of a Service: at most 52 lower-case letters, digits and hyphens, beginning with a letter',
  },
  {
    name: 'fewer than no replicas',
    thing: service({ model: 'iris', replicas: -1 }),
    says: 'spec.replicas: Invalid value: -1: spec.replicas in body should be greater than or equal to 0',
  },
  {
    name: 'an autoscaler whose bounds cross',
    thing: service({ model: 'iris', autoscaling: { minReplicas: 4, maxReplicas: 3 } }),
    says: 'autoscaling.minReplicas must not be above autoscaling.maxReplicas',
  },
  {
    name: 'an autoscaler without an upper bound',
    thing: service({ model: 'iris', autoscaling: { minReplicas: 1 } }),
    says: 'spec.autoscaling.maxReplicas: Required value',
  },
  {
    name: 'a service deadline of zero',
    thing: service({ model: 'iris', rollout: { progressDeadline: '0s' } }),
    says: 'spec.rollout.progressDeadline in body should match',
  },
  {
    name: 'a share of predictions above one',
    thing: service({ model: 'iris', predictionLog: { sample: '1.5' } }),
    says: 'sample is a decimal from 0 to 1 in quotes, like "0.1"',
  },
  {
    name: 'a retention without a unit',
    thing: service({ model: 'iris', predictionLog: { store: { retention: '30' } } }),
    says: 'retention is a number of days or hours, like 30d or 12h',
  },
  {
    name: 'a feature that is left out and digested',
    thing: service({ model: 'iris', predictionLog: { redact: ['sex', 'age'], hash: ['age'] } }),
    says: 'a feature is either left out (redact) or digested (hash): name it in one of the two',
  },
  {
    name: 'keeping lines that are not written',
    thing: service({ model: 'iris', predictionLog: { enabled: false, store: {} } }),
    says: 'store keeps the lines that are written: set enabled to true, or remove store',
  },
  {
    name: 'an engine of the built-in server beside a server of one’s own',
    thing: service({ model: 'iris', runtime, engine: 'compiled' }),
    says: 'engine chooses what computes the model in the built-in server: leave it out with runtime',
  },
  {
    name: 'a log of predictions beside a server of one’s own',
    thing: service({ model: 'iris', runtime, predictionLog: {} }),
    says: 'predictionLog is written by the built-in server, which can read what is predicted: leave it out with runtime, and let your server write its own',
  },
  {
    name: 'a server at the port of the front',
    thing: service({ model: 'iris', runtime: { ...runtime, port: 9080 } }),
    says: '9080 is where the pod itself listens for clients: let the server listen at another port',
  },
  {
    name: 'a variable that the pod sets',
    thing: service({ model: 'iris', runtime: { ...runtime, env: [{ name: 'PORT', value: '1' }] } }),
    says: 'MODEL_DIR, MODEL_NAME, MODEL_VERSION, PORT are set for the server: leave them out of env',
  },
];

/** The refusal without the value that CEL rules are told to be about: API servers differ in what they print there. */
const inWords = ({ message }: KubeError): string =>
  message.replaceAll(/Invalid value: "(object|array)?": /g, 'Invalid value: ');

for (const { name, thing, says } of refusals) {
  test(`${thing.kind}: ${name} is refused`, async () => {
    await assert.rejects(create(thing), (error: KubeError) => {
      assert.ok(error.status === 422 || error.status === 400, `${error.status} ${error.message}`);
      assert.ok(inWords(error).includes(says), `expected …${says}…, got: ${error.message}`);
      return true;
    });
  });
}

const patched = (name: string, body: object) =>
  transport.json({
    method: 'PATCH',
    path: `${pathOf('ModelVersion')}/${name}`,
    contentType: 'application/merge-patch+json',
    query: { fieldValidation: 'Strict' },
    body,
  }) as Promise<Thing>;

test('ModelVersion: what it is never changes, field by field; what is said of it may', async () => {
  const whole = {
    ...{ model: 'iris', version: 1, source, run: { experimentId: '1', runId: 'r' }, lineage: { trainingJob: 'iris' } },
    signature: { inputs: [{ name: 'a', type: 'float32' }], outputs: [{ name: 'b', type: 'int64' }] },
  };
  await create(modelVersion(whole), { fieldValidation: 'Strict' });
  await patched('iris-v1', { metadata: { labels: { team: 'a' } } });
  const changes: Record<string, unknown> = {
    model: 'other',
    version: 2,
    source: { uri: 's3://slipway/team-a/other' },
    format: 'mlflow',
    signature: { inputs: [{ name: 'c', type: 'float32' }] },
    run: { runId: 'other' },
    lineage: { trainingJob: 'other' },
  };
  for (const field of Object.keys(changes)) {
    const isOptional = ['version', 'signature', 'run', 'lineage'].includes(field);
    for (const value of isOptional ? [changes[field], null] : [changes[field]]) {
      await assert.rejects(patched('iris-v1', { spec: { [field]: value } }), (error: KubeError) => {
        assert.match(inWords(error), new RegExp(`a model version never changes: ${field} stays as it is`));
        return true;
      });
    }
  }
  const gate = (message: string) => ({ passed: false, results: [{ metric: 'accuracy', passed: false, message }] });
  await patched('iris-v1', { spec: { lineage: { gate: gate('0.5 is below 0.9') } } });
  for (const value of [gate('0.95 is at least 0.9'), null])
    await assert.rejects(patched('iris-v1', { spec: { lineage: { gate: value } } }), /lineage stays as it is/);
  Object.assign(whole.lineage, { gate: gate('0.5 is below 0.9') });
  const said = {
    stage: 'Production',
    aliases: ['champion', 'a_b-1', 'größe', '模型'],
    tags: { 'a key': 'v' },
    description: 'words',
  };
  assert.deepEqual((await patched('iris-v1', { spec: said })).spec, { ...whole, format: 'onnx', ...said });
  const unsaid = { stage: 'None', aliases: null, tags: null, description: null };
  assert.deepEqual((await patched('iris-v1', { spec: unsaid })).spec, { ...whole, format: 'onnx', stage: 'None' });
});

test('ModelVersion: a field that was absent does not come', async () => {
  await create(modelVersion({ model: 'other', source }, 'bare'), { fieldValidation: 'Strict' });
  await assert.rejects(patched('bare', { spec: { version: 1 } }), /version stays as it is/);
});

test('ModelVersion: a projected object is taken under strict validation, with names and labels as long as may be', async () => {
  const object = modelVersionFor({
    ...pending({ namespace, model: 'm'.repeat(256), version: 7, uri: 's3://slipway/x/y' }),
    stage: 'Staging',
    aliases: Array.from({ length: 100 }, (_, i) => `${'a'.repeat(250)}${i}`),
    tags: Object.fromEntries(Array.from({ length: 300 }, (_, i) => [`${'k'.repeat(240)}${i}`, 'v'.repeat(4000)])),
    description: '\u{1f980}'.repeat(90_000),
  });
  const { apiVersion: _, ...rest } = object;
  const { spec } = await create(rest as unknown as Thing);
  assert.equal(spec?.['stage'], 'Staging');
});

test('InferenceService: an alias may be written in any script', async () => {
  const asked = service({ model: 'iris', version: '@größe' }, 'by-alias');
  assert.equal((await create(asked, { fieldValidation: 'Strict' })).spec?.['version'], '@größe');
});

test('InferenceService: kubectl scale and autoscalers find the replicas', async () => {
  await create(service({ model: 'iris', replicas: 2 }), { fieldValidation: 'Strict' });
  const path = `${pathOf('InferenceService')}/iris/scale`;
  const scale = (await transport.json({ method: 'GET', path })) as { spec: { replicas: number } };
  assert.equal(scale.spec.replicas, 2);
});

test('ModelVersion: versions are selected by their model', async () => {
  const query = { fieldSelector: 'spec.model=iris' };
  const { items } = (await transport.json({ method: 'GET', path: pathOf('ModelVersion'), query })) as {
    items: Thing[];
  };
  assert.deepEqual(
    items.map(({ metadata }) => metadata.name),
    ['iris-v1'],
  );
});
