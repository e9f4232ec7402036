import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ServeSettings } from '@slipway/contract';
import type { Settings } from '../ports.ts';
import { InferenceService } from './api.ts';
import { deploymentFor, templateOf } from './deployment.ts';
import { serveSettingsEnv } from './serve-settings.ts';
import { retentionSeconds } from './spec/prediction-log.ts';

const sha256 = 'a'.repeat(64);
const artifact = { uri: 's3://slipway/team-a/1', files: [{ path: 'model.onnx', sha256, size: 1 }], digest: sha256 };
const settings: Settings = {
  ...{ trainerImage: 'slipway/trainer:dev', servingImage: 'slipway/serving:dev', bucket: 'slipway' },
  ...{ imagePullPolicy: 'IfNotPresent', imagePullSecrets: [], operatorUrl: 'http://operator:8080' },
};
const serviceWith = (predictionLog?: object) =>
  InferenceService.parse({
    apiVersion: 'slipway.dev/v1alpha1',
    kind: 'InferenceService',
    metadata: { namespace: 'team-a', name: 'iris', uid: 'u' },
    spec: { model: 'iris', ...(predictionLog && { predictionLog }) },
  });
const deploymentOf = (predictionLog?: object) =>
  deploymentFor(serviceWith(predictionLog), { version: 1, digest: sha256, artifact }, settings);
const podOf = (predictionLog?: object) => deploymentOf(predictionLog).spec.template.spec;

/** By container, what it mounts, and what a Secret gives it. */
const filesOf = ({ initContainers = [], containers, volumes = [] }: ReturnType<typeof podOf>) =>
  Object.fromEntries(
    [...initContainers, ...containers].map(({ name, volumeMounts = [] }) => [
      name,
      volumeMounts.map(({ name: volume, mountPath }) => {
        const secret = volumes.find((one) => one.name === volume)?.secret;
        const keys = secret?.items?.map(({ key }) => key) ?? ['everything'];
        return secret ? `${mountPath} ${secret.secretName}: ${keys}` : mountPath;
      }),
    ]),
  );

describe('the log of predictions', () => {
  test('what is left at its default rolls no pod', () => {
    for (const log of [{}, { enabled: true, sample: '1.0' }, { redact: [], hash: [] }])
      assert.equal(templateOf(deploymentOf(log)), templateOf(deploymentOf()));
  });

  test('what a spec says reaches the server', () => {
    const log = { sample: '.25', redact: ['name'], hash: ['customer'], store: {} };
    const told = ServeSettings.parse(JSON.parse(serveSettingsEnv(serviceWith(log))['SERVE_SETTINGS'] ?? ''));
    assert.deepEqual(told.predictionLog, {
      enabled: true,
      sample: 0.25,
      redact: ['name'],
      hash: ['customer'],
      ship: true,
    });
    const off = ServeSettings.parse(
      JSON.parse(serveSettingsEnv(serviceWith({ enabled: false }))['SERVE_SETTINGS'] ?? ''),
    );
    assert.equal(off.predictionLog.enabled, false);
  });

  test('what ships the lines holds the credential for that and not the key of their digests, the server no credential, and it is ended after the server', () => {
    const pod = podOf({ store: { retention: '12h' } });
    assert.deepEqual(filesOf(pod), {
      fetch: ['/model', '/tmp', '/credentials slipway-tenant-fetch: everything'],
      ship: ['/predictions', '/credentials slipway-tenant-predictions: object-storage.json'],
      server: ['/model', '/tmp', '/predictions'],
    });
    const [fetch, ship] = pod.initContainers ?? [];
    assert.equal(fetch?.restartPolicy, undefined);
    assert.equal(ship?.restartPolicy, 'Always');
    assert.deepEqual(ship?.args, ['ship']);
    assert.deepEqual(
      ship?.env?.map((one) => [one.name, 'value' in one ? one.value : one.valueFrom.fieldRef.fieldPath]),
      [
        ['POD_NAMESPACE', 'metadata.namespace'],
        ['POD_NAME', 'metadata.name'],
        ['SERVICE_NAME', 'iris'],
        ['RETENTION_SECONDS', '43200'],
      ],
    );
  });

  test('a server that digests values reads the key for it and nothing else of that Secret', () => {
    assert.deepEqual(filesOf(podOf({ hash: ['customer'] }))['server'], [
      '/model',
      '/tmp',
      '/prediction-keys slipway-tenant-predictions: hash-key',
    ]);
  });

  test('retention is days or hours', () => {
    assert.deepEqual([retentionSeconds('30d'), retentionSeconds('12h')], [2_592_000, 43_200]);
  });
});
