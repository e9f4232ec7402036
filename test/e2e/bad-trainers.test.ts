/**
 * Trainers that misbehave, all at the same time in one namespace: each ends with its own reason, in words that say what to do,
 * after as many attempts as it deserves, and what stands beside them is not touched.
 */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { get, waitForCondition } from '../support/conditions.ts';
import { apply, dropNamespace, kubectlJson, makeNamespace, uniqueNamespace } from '../support/kubectl.ts';
import { irisTraining } from '../support/manifests.ts';

const namespace = uniqueNamespace('e2e-bad-trainers');
const minutes = 60_000;

/** y = 2x + 1; y = x + b with b in another file, as an initializer and inside a Constant, where only a close look finds it. */
const LINE =
  'CAg6dwoSCgF4CgF3EgJ3eCIGTWF0TXVsCg8KAnd4CgFiEgF5IgNBZGQSBGxpbmUqDwgBCAEQAUIBd0oEAAAAQCoNCAEQAUIBYkoEAACAP1oUCgF4Eg8KDQgBEgkKAxIBTgoCCAFiFAoBeRIPCg0IARIJCgMSAU4KAggBQgQKABAN';
const EXTERNAL_WEIGHTS =
  'CAgSADplCg4KAXgKAWISAXkiA0FkZBIBZyokCAEQAUIBYmoZCghsb2NhdGlvbhINL2V0Yy9ob3N0bmFtZXABWhQKAXgSDwoNCAESCQoDEgFOCgIIAWIUCgF5Eg8KDQgBEgkKAxIBTgoCCAFCBAoAEA0=';
const EXTERNAL_CONSTANT =
  'CAgSADqAAQo/EgFiIghDb25zdGFudCowCgV2YWx1ZSokCAEQAUIBYmoZCghsb2NhdGlvbhINL2V0Yy9ob3N0bmFtZXABoAEECg4KAXgKAWISAXkiA0FkZBIBZ1oUCgF4Eg8KDQgBEgkKAxIBTgoCCAFiFAoBeRIPCg0IARIJCgMSAU4KAggBQgQKABAN';

const writes = (model: string): string =>
  `mkdir -p /output/model && echo ${model} | base64 -d > /output/model/model.onnx`;

interface Trainer {
  readonly script: string;
  /** Of the spec. */
  readonly more?: Record<string, unknown>;
  readonly limits?: Record<string, string>;
}
interface Failing extends Trainer {
  readonly reason: string | RegExp;
  readonly message: RegExp;
  /** How many failed attempts are in the status; a run that is ended from outside may have none. */
  readonly attempts?: number;
}

const failing: Readonly<Record<string, Failing>> = {
  hangs: {
    script: 'trap "" TERM; while :; do sleep 1; done',
    more: { deadline: '20s' },
    reason: 'DeadlineExceeded',
    message: /not done within its deadline of 20s: raise spec\.deadline/,
  },
  'fills-disk': {
    // Blocks are reserved, not written: the limit of the volume is what matters.
    script: 'fallocate -l 2300M /tmp/full; sleep 600',
    reason: 'Evicted',
    message: /tmp-trainer.*2Gi|2Gi.*tmp-trainer/,
    attempts: 1,
  },
  'links-out': {
    script: 'mkdir -p /output/model && ln -s /etc/passwd /output/model/model.onnx',
    reason: 'InvalidModel',
    message: /model\/model\.onnx.*symbolic link/,
    attempts: 1,
  },
  'not-onnx': {
    script: 'mkdir -p /output/model && echo "a pickle, perhaps" > /output/model/model.onnx',
    more: { retries: 3 },
    reason: 'InvalidModel',
    message: /not an ONNX model/,
    attempts: 1,
  },
  'weights-elsewhere': {
    script: writes(EXTERNAL_WEIGHTS),
    reason: 'InvalidModel',
    message: /weights in another file; save it with its weights inside/,
    attempts: 1,
  },
  'says-enough': {
    script: 'echo the data is wrong for good; exit 42',
    more: { retries: 3, nonRetriableExitCodes: [42] },
    reason: 'TrainerFailed',
    message: /exit code 42[\s\S]*the data is wrong for good[\s\S]*not retried/,
    attempts: 1,
  },
  'tries-again': {
    script: 'echo perhaps next time; exit 43',
    more: { retries: 1, nonRetriableExitCodes: [42] },
    reason: 'TrainerFailed',
    message: /2 attempts failed, the last one: .*exit code 43/,
    attempts: 2,
  },
  'needs-memory': {
    // The process itself grows, whoever counts memory: the container or each process of it.
    script: 'exec tail /dev/zero',
    limits: { memory: '64Mi' },
    reason: 'OOMKilled',
    message: /more memory than its limit.*limits\.memory/,
    attempts: 1,
  },
  'no-model': {
    script: 'echo \'{"accuracy": 1}\' > /output/metrics.json',
    reason: 'NoModelProduced',
    message: /\/output\/model\/model\.onnx/,
    attempts: 1,
  },
};

const succeeding: Readonly<Record<string, Trainer>> = {
  'leaves-children': {
    script: `for i in 1 2 3; do (trap "" TERM HUP; exec setsid sleep 3600) & done; ${writes(LINE)}`,
  },
  'talks-too-much': {
    script: `head -c 1000000000 /dev/zero | tr '\\0' x | fold -w 8000; ${writes(LINE)}; echo '{"bytes": 1000000000}' > /output/metrics.json`,
  },
  'weights-hidden': { script: writes(EXTERNAL_CONSTANT) },
};

const trainingJob = (name: string, { script, more, limits }: Trainer): string =>
  JSON.stringify({
    apiVersion: 'slipway.dev/v1alpha1',
    kind: 'TrainingJob',
    metadata: { name },
    spec: {
      model: name,
      container: {
        image: 'slipway/trainer:dev',
        command: ['sh', '-ec', script],
        ...(limits && { resources: { requests: { cpu: '10m', memory: '32Mi' }, limits } }),
      },
      retries: 0,
      deadline: '4m',
      ...more,
    },
  });

before(async () => {
  makeNamespace(namespace);
  apply(namespace, irisTraining('bystander', { model: 'bystander' }));
  await waitForCondition(namespace, 'mv/bystander-v1', { type: 'Ready', status: 'True' });
});
after(() => dropNamespace(namespace));

let bystander: unknown;

test('they are all applied together', () => {
  bystander = get(namespace, 'mv/bystander-v1');
  for (const [name, trainer] of Object.entries({ ...failing, ...succeeding }))
    apply(namespace, trainingJob(name, trainer));
});

for (const [name, { reason, message, attempts }] of Object.entries(failing)) {
  test(`${name}: ${reason}`, async () => {
    const wanted = { type: 'Succeeded', status: 'False', reason };
    const condition = await waitForCondition(namespace, `tj/${name}`, wanted, 4 * minutes);
    assert.match(condition.message, message);
    const [run, ...others] = get(namespace, `tj/${name}`).status.runs;
    assert.equal(others.length, 0);
    assert.equal(run.version, undefined);
    if (attempts !== undefined) assert.equal(run.attempts.length, attempts, JSON.stringify(run.attempts));
  });
}

test('children that outlive their trainer keep nobody waiting', async () => {
  await waitForCondition(namespace, 'tj/leaves-children', { type: 'Succeeded', status: 'True' });
  await waitForCondition(namespace, 'mv/leaves-children-v1', { type: 'Ready', status: 'True' });
});

test('a gigabyte of logs is the trainer’s own business: its run ends with its result', async () => {
  await waitForCondition(namespace, 'tj/talks-too-much', { type: 'Succeeded', status: 'True' }, 4 * minutes);
  assert.equal(get(namespace, 'tj/talks-too-much').status.runs[0].metrics.bytes, '1000000000');
});

test('weights hidden in another file pass as a model, and are found before anybody serves them', async () => {
  await waitForCondition(namespace, 'tj/weights-hidden', { type: 'Succeeded', status: 'True' });
  const servable = { type: 'Servable', status: 'False', reason: 'InvalidModel' };
  const condition = await waitForCondition(namespace, 'mv/weights-hidden-v1', servable);
  assert.match(condition.message, /external|another file|inside/);
});

test('what stands beside them is as it was', async () => {
  const versions = kubectlJson<{ items: { metadata: { name: string } }[] }>('get', 'mv', '-n', namespace).items;
  const expected = ['bystander', ...Object.keys(succeeding)].map((name) => `${name}-v1`);
  assert.deepEqual(versions.map(({ metadata }) => metadata.name).sort(), expected.sort());
  assert.deepEqual(get(namespace, 'mv/bystander-v1'), bystander);
  const { status } = get(namespace, 'tj/bystander');
  assert.deepEqual([status.runs.length, status.runs[0].version], [1, 1]);
});
