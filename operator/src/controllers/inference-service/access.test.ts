import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ServeSettings } from '@slipway/contract';
import type { PodSpec, PodTemplate } from '../../api/containers.ts';
import type { Pod } from '../../api/pod.ts';
import type { Settings } from '../ports.ts';
import { InferenceService, InferenceServiceSpec } from './api.ts';
import { deploymentFor, templateOf } from './deployment.ts';
import { urlFor } from './names.ts';
import { serveSettingsEnv } from './serve-settings.ts';
import { serviceFor } from './service.ts';

const service = (spec: object = {}): InferenceService => ({
  apiVersion: InferenceService.apiVersion,
  kind: InferenceService.kind,
  metadata: { name: 'iris', namespace: 'team-a', uid: 'u', resourceVersion: '1' },
  spec: InferenceServiceSpec.parse({ model: 'iris', ...spec }),
});
const release = { version: 1, digest: 'd', artifact: { uri: 's3://b/x', files: [], digest: 'd' } };
const settings = { servingImage: 'serving', imagePullPolicy: 'Always', imagePullSecrets: [] } as unknown as Settings;
const deployment = (spec: object = {}) => deploymentFor(service(spec), release, settings);
const template = (spec: object = {}): PodTemplate => deployment(spec).spec.template;
const server = ({ spec }: { spec: PodSpec }) => spec.containers.find(({ name }) => name === 'server');

const APP = { origins: ['https://app.example'] };
const AUTH = { apiKeys: { secretName: 'keys' }, tokens: { serviceAccounts: ['web/shop'] } };
const told = (spec: object) =>
  ServeSettings.parse(JSON.parse(serveSettingsEnv(service(spec))['SERVE_SETTINGS'] ?? '{}'));

/** A pod as the Deployment makes it. */
const pod = (spec: object, ready = true): Pod =>
  ({
    metadata: { name: 'p', namespace: 'team-a', annotations: template(spec).metadata.annotations },
    status: { conditions: [{ type: 'Ready', status: ready ? 'True' : 'False' }] },
  }) as unknown as Pod;
const ports = (spec: object, pods: readonly Pod[] = []) =>
  serviceFor(service(spec), pods).spec?.ports.map(({ name, port, targetPort }) => `${name} ${port} ${targetPort}`);

describe('who may reach a service', () => {
  test('without the settings nothing is mounted, told or spoken differently', () => {
    const plain = template();
    assert.deepEqual(
      plain.spec.volumes?.map(({ name }) => name),
      ['model', 'tmp', 'credentials'],
    );
    assert.deepEqual(serveSettingsEnv(service()), {});
    assert.equal(server(plain)?.ports?.[0]?.name, 'http');
    assert.equal(urlFor(service()), 'http://iris.team-a.svc');
    assert.deepEqual(ports({}), ['http 80 http']);
  });

  test('each setting reaches the server, with an audience of its own for tokens', () => {
    const { auth, tls, cors } = told({ auth: AUTH, tls: { secretName: 'pair' }, cors: APP });
    assert.deepEqual(auth, { apiKeys: true, tokens: { audience: 'slipway-predict', serviceAccounts: ['web/shop'] } });
    assert.equal(tls, true);
    assert.deepEqual(cors, APP);
    assert.deepEqual(told({ auth: { apiKeys: AUTH.apiKeys } }).auth, { apiKeys: true });
  });

  test('only the server reads keys and certificate, read-only; a pod starts without them, so that the server can say what is missing', () => {
    const { spec } = template({ auth: AUTH, tls: { secretName: 'pair' } });
    const added = spec.volumes?.slice(3);
    assert.deepEqual(
      added?.map(({ secret, configMap }) => [secret?.secretName ?? configMap?.name, (secret ?? configMap)?.optional]),
      [
        ['keys', true],
        ['slipway-token-keys', true],
        ['pair', true],
      ],
    );
    const mounts = server({ spec })?.volumeMounts?.filter(({ name }) => added?.some((volume) => volume.name === name));
    assert.deepEqual(
      mounts?.map(({ mountPath, readOnly }) => [mountPath, readOnly]),
      [
        ['/api-keys', true],
        ['/token-keys', true],
        ['/tls', true],
      ],
    );
    const others = spec.initContainers?.flatMap(({ volumeMounts = [] }) => volumeMounts.map(({ name }) => name));
    assert.ok(!others?.some((name) => ['api-keys', 'token-keys', 'tls'].includes(name)));
  });

  test('a change of a setting rolls the pods; the same setting does not', () => {
    const variants = [
      {},
      { auth: { apiKeys: AUTH.apiKeys } },
      { auth: { apiKeys: { secretName: 'others' } } },
      { auth: { tokens: AUTH.tokens } },
      { auth: { tokens: { ...AUTH.tokens, audience: 'mine' } } },
      { tls: { secretName: 'pair' } },
      { cors: APP },
    ];
    const digests = variants.map((spec) => templateOf(deployment(spec)));
    assert.equal(new Set(digests).size, variants.length);
    assert.equal(templateOf(deployment({ auth: AUTH })), templateOf(deployment({ auth: structuredClone(AUTH) })));
  });

  test('with a certificate https is spoken: port 443, the URL, and every probe', () => {
    const spec = { tls: { secretName: 'pair' } };
    assert.equal(urlFor(service(spec)), 'https://iris.team-a.svc');
    assert.deepEqual(ports(spec, [pod(spec)]), ['https 443 https']);
    const container = server(template(spec));
    assert.deepEqual(container?.ports?.[0], { name: 'https', containerPort: 8080, protocol: 'TCP' });
    for (const probe of [container?.startupProbe, container?.readinessProbe, container?.livenessProbe]) {
      const { httpGet } = probe as { httpGet: { scheme: string; port: string } };
      assert.deepEqual([httpGet.scheme, httpGet.port], ['HTTPS', 'https']);
    }
  });

  test('while pods of before the change answer they are reached as before', () => {
    const tls = { tls: { secretName: 'pair' } };
    assert.deepEqual(ports(tls, [pod({}), pod(tls, false)]), ['http 80 http', 'https 443 https']);
    assert.deepEqual(ports(tls, [pod({}, false), pod(tls)]), ['https 443 https']);
    assert.deepEqual(ports({}, [pod(tls)]), ['http 80 http', 'https 443 https']);
  });
});
