/** Whatever is wrong with a training, its condition names it and says what to do. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { waitForCondition } from '../support/conditions.ts';
import { apply, dropNamespace, makeNamespace, uniqueNamespace } from '../support/kubectl.ts';
import { irisTraining } from '../support/manifests.ts';

const namespace = uniqueNamespace('e2e-bad-input');
before(() => {
  makeNamespace(namespace);
  apply(
    namespace,
    JSON.stringify({
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'data' },
      data: {
        'empty.csv': '',
        'typo.csv': 'a,b,species\n1,2,x\n3,four,y\n5,6,x\n',
      },
    }),
  );
});
after(() => dropNamespace(namespace));

const algorithm = { name: 'logistic-regression', target: 'species' };
const shell = (script: string) => ({
  algorithm: undefined,
  inputs: [],
  retries: 0,
  container: { image: 'slipway/trainer:dev', command: ['sh', '-c', script] },
});

interface Case {
  readonly name: string;
  readonly spec: Record<string, unknown>;
  readonly status?: 'False' | 'Unknown';
  readonly reason: string;
  readonly message: RegExp;
}

const cases: readonly Case[] = [
  {
    name: 'unknown-algorithm',
    spec: { algorithm: { name: 'magic', target: 'species' } },
    reason: 'UnknownAlgorithm',
    message: /logistic-regression.*magic/,
  },
  {
    name: 'target-missing',
    spec: { algorithm: { name: 'logistic-regression', target: 'colour' } },
    reason: 'TargetNotFound',
    message: /colour.*species/,
  },
  {
    name: 'non-numeric-cell',
    spec: {
      algorithm: { ...algorithm, featureTypes: { b: 'number' } },
      inputs: [{ name: 'train', uri: 'configmap://data/typo.csv' }],
    },
    reason: 'InvalidCell',
    message: /3.*\bb\b/,
  },
  {
    name: 'empty-file',
    spec: { algorithm, inputs: [{ name: 'train', uri: 'configmap://data/empty.csv' }] },
    reason: 'EmptyInput',
    message: /the input is empty; expected a header/,
  },
  {
    name: 'no-such-config-map',
    spec: { algorithm, inputs: [{ name: 'train', uri: 'configmap://nowhere/x.csv' }] },
    reason: 'InputNotFound',
    message: /nowhere/,
  },
  {
    name: 'digest-mismatch',
    spec: { inputs: [{ name: 'train', uri: 'builtin://iris.csv', sha256: '0'.repeat(64) }] },
    reason: 'DigestMismatch',
    message: /0{64}.*[0-9a-f]{64}/,
  },
  {
    name: 'bad-parameter',
    spec: { parameters: { C: 'strong' } },
    reason: 'InvalidParameter',
    message: /C\b.*strong/,
  },
  {
    name: 'somebody-elses-data',
    spec: { inputs: [{ name: 'train', uri: 's3://slipway/other-namespace/data.csv' }] },
    reason: 'InputUriNotAllowed',
    message: /e2e-bad-input-[0-9a-f]+\//,
  },
  {
    name: 'image-not-there',
    spec: { algorithm: undefined, inputs: [], container: { image: 'registry.invalid/nobody/nothing:1' } },
    status: 'Unknown',
    reason: 'ImagePull',
    message: /registry\.invalid\/nobody\/nothing:1/,
  },
  {
    name: 'exit-code',
    spec: shell('echo the disk is on fire; exit 3'),
    reason: 'TrainerFailed',
    message: /3[\s\S]*the disk is on fire/,
  },
  { name: 'no-model', spec: shell('true'), reason: 'NoModelProduced', message: /\/output\/model\/model\.onnx/ },
  {
    name: 'out-of-time',
    spec: { ...shell('sleep 600'), deadline: '10s' },
    reason: 'DeadlineExceeded',
    message: /10s|deadline/,
  },
];

test('all of them are applied together', () => {
  for (const { name, spec } of cases) apply(namespace, irisTraining(name, spec));
});

for (const { name, status = 'False', reason, message } of cases) {
  test(`${name}: ${reason}`, async () => {
    const condition = await waitForCondition(
      ...([namespace, `tj/${name}`, { type: 'Succeeded', status, reason }, 240_000] as const),
    );
    assert.match(condition.message, message);
  });
}
