/** spec.runtime: which versions may be served, what the pods are, and what they tell. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { artifactDigest, EXIT_TERMINAL, FRONT_PORT, renderTerminationMessage } from '@slipway/contract';
import { Deployment } from '../../api/deployment.ts';
import { Pod } from '../../api/pod.ts';
import { ModelVersion } from '../model-version/api.ts';
import { InferenceService } from './api.ts';
import { deploymentFor, releaseOf, templateOf } from './deployment.ts';
import { podFacts } from './pods.ts';
import { choose, versionFacts } from './versions.ts';

const sha256 = 'a'.repeat(64);
const files = [
  { path: 'MLmodel', sha256, size: 1 },
  { path: 'model.skops', sha256, size: 2 },
];
const uri = 's3://slipway/team-a/1/m/artifacts';
const digest = artifactDigest(files);
const release = { version: 3, digest, artifact: { uri, files, digest } };
const settings = {
  ...{ trainerImage: 'slipway/trainer:1', servingImage: 'slipway/serving:1', bucket: 'slipway' },
  ...({ imagePullPolicy: 'IfNotPresent', imagePullSecrets: [], operatorUrl: 'http://operator:8080' } as const),
};
const runtime = { image: 'mine:1', protocol: 'mlflow' };
const service = (spec: object = {}) =>
  InferenceService.parse({
    apiVersion: 'slipway.dev/v1alpha1',
    kind: 'InferenceService',
    metadata: { namespace: 'team-a', name: 'iris', uid: 'u' },
    spec: { model: 'iris', runtime, ...spec },
  });

interface Container {
  readonly name: string;
  readonly image: string;
  readonly command?: string[];
  readonly args?: string[];
  readonly env: { name: string; value: string }[];
  readonly ports?: { name: string; containerPort: number }[];
  readonly resources: object;
  readonly volumeMounts: { name: string; mountPath: string; readOnly?: boolean }[];
  readonly securityContext: object;
  readonly restartPolicy?: string;
  readonly livenessProbe: { httpGet: object };
  readonly readinessProbe?: { httpGet: object };
}

function podOf(spec: object = {}) {
  const { template } = deploymentFor(service(spec), release, settings).spec;
  const pod = template.spec as unknown as {
    initContainers: Container[];
    containers: Container[];
    volumes: { name: string }[];
  };
  const server = pod.initContainers.find(({ name }) => name === 'server') ?? assert.fail('no server');
  const [front] = pod.containers;
  return { pod, server, front: front as Container, template };
}
const environment = ({ env }: Container) => Object.fromEntries(env.map(({ name, value }) => [name, value]));

test('the user’s image gets the folder to read and /tmp to write to, and nothing else', () => {
  const { server } = podOf();
  assert.equal(server.image, 'mine:1');
  assert.deepEqual(server.volumeMounts, [
    { name: 'model', mountPath: '/model', readOnly: true },
    { name: 'tmp-server', mountPath: '/tmp' },
  ]);
  assert.deepEqual(server.securityContext, {
    allowPrivilegeEscalation: false,
    readOnlyRootFilesystem: true,
    runAsNonRoot: true,
    capabilities: { drop: ['ALL'] },
  });
  assert.deepEqual(environment(server), {
    ...{ HOME: '/tmp', MODEL_DIR: '/model', MODEL_NAME: 'iris', MODEL_VERSION: '3', PORT: '8080' },
  });
  assert.deepEqual(server.resources, {
    requests: { cpu: '100m', memory: '256Mi' },
    limits: { memory: '2Gi' },
  });
});

test('it is a sidecar, so that it is ended only after the front has answered the last request', () => {
  const { pod, server } = podOf();
  assert.deepEqual(
    pod.initContainers.map(({ name }) => name),
    ['fetch', 'server'],
  );
  assert.equal(server.restartPolicy, 'Always');
  assert.deepEqual(
    pod.containers.map(({ name }) => name),
    ['front'],
  );
});

test('clients and the kubelet reach the front alone, which knows the server and the artifact', () => {
  const { server, front } = podOf({ runtime: { ...runtime, protocol: 'v2', port: 9000 }, tls: { secretName: 'tls' } });
  assert.equal(front.image, 'slipway/serving:1');
  assert.deepEqual(front.args, ['front']);
  assert.deepEqual(front.ports, [{ name: 'https', containerPort: FRONT_PORT, protocol: 'TCP' }]);
  const env = environment(front);
  assert.deepEqual(JSON.parse(env['RUNTIME'] ?? ''), { protocol: 'v2', port: 9000, readyWithinSeconds: 120 });
  assert.deepEqual(JSON.parse(env['MODEL_ARTIFACT'] ?? '').digest, digest);
  assert.deepEqual(JSON.parse(env['SERVE_SETTINGS'] ?? ''), { tls: true });
  assert.deepEqual((front.readinessProbe as { failureThreshold?: number }).failureThreshold, 1);
  assert.equal(server.readinessProbe, undefined, 'a server at 127.0.0.1 is not reached by the kubelet');
  assert.deepEqual(server.livenessProbe.httpGet, { path: '/livez?server', port: FRONT_PORT, scheme: 'HTTPS' });
  assert.equal(environment(server)['PORT'], '9000');
});

test('command, args and env are the user’s: variables of the pod in the first two, plain text in the last', () => {
  const given = {
    command: ['serve'],
    args: ['--dir=$(MODEL_DIR)'],
    env: [
      { name: 'A', value: '$(PORT) $$' },
      { name: 'HOME', value: '/h' },
    ],
  };
  const { server } = podOf({ runtime: { ...runtime, ...given } });
  assert.deepEqual([server.command, server.args], [given.command, given.args]);
  assert.equal(environment(server)['A'], '$$(PORT) $$$$');
  assert.equal(environment(server)['HOME'], '/h');
});

test('a token for the operator, where spec.api asks for one, is the front’s', () => {
  const { server, front } = podOf({ api: { allowVersionSwitch: true } });
  assert.ok(front.volumeMounts.some(({ name }) => name === 'operator-token'));
  assert.ok(!server.volumeMounts.some(({ name }) => name === 'operator-token'));
  assert.equal(environment(front)['OPERATOR_URL'], 'http://operator:8080');
});

test('the release is read back from what was written, and another image is another template', () => {
  const desired = deploymentFor(service(), release, settings);
  const read = Deployment.parse(JSON.parse(JSON.stringify({ ...desired, status: {} })));
  assert.deepEqual(releaseOf(read), release);
  const other = deploymentFor(service({ runtime: { ...runtime, image: 'mine:2' } }), release, settings);
  assert.notEqual(templateOf(other), templateOf(desired));
});

const condition = (type: string, status: string, reason: string) => ({
  ...{ type, status, reason, message: 'in words', lastTransitionTime: '2026-01-01T00:00:00Z' },
});
const version = (spec: object, conditions: object[] = [], status: object = {}) =>
  ModelVersion.parse({
    apiVersion: 'slipway.dev/v1alpha1',
    kind: 'ModelVersion',
    metadata: { namespace: 'team-a', name: 'iris-v3' },
    spec: { model: 'iris', version: 3, source: { uri, files }, format: 'mlflow', ...spec },
    status: { conditions, ...status },
  });
const verified = (status: string, reason: string) => [
  condition('ArtifactVerified', status, reason),
  condition('Ready', 'False', reason),
];
const other = {
  uri: 's3://slipway/team-a/derived',
  files: [{ path: 'model.onnx', sha256, size: 3 }],
  digest: 'b'.repeat(64),
};

const rows: readonly [name: string, ModelVersion, served: boolean][] = [
  ['a folder without ONNX whose digests are known', version({}, verified('Unknown', 'FormatNotServable')), true],
  ['the same before anybody has looked at it', version({}), true],
  ['one whose bytes were found to be others', version({}, verified('False', 'DigestMismatch')), false],
  ['one of which no digests are known', version({ source: { uri } }, verified('Unknown', 'FormatNotServable')), false],
  [
    'ONNX whose bytes are right, though it cannot be served',
    version({ format: 'onnx' }, verified('True', 'Verified')),
    true,
  ],
  ['ONNX that is still being verified', version({ format: 'onnx' }, verified('Unknown', 'Verifying')), false],
];
for (const [name, object, served] of rows) {
  test(`${name}: ${served ? 'may be served' : 'may not be served'} by a server of one's own`, () => {
    const [facts] = versionFacts([object], { runtime });
    assert.equal(facts?.isReady, served);
    assert.equal(versionFacts([object], {})[0]?.isReady, false, 'the built-in server needs the proof');
    if (served) assert.deepEqual(facts?.release, release);
  });
}

test('what a version was converted to is for the built-in server; one’s own gets the folder as it was registered', () => {
  const converted = version({}, [condition('Ready', 'True', 'Converted')], { artifact: other });
  assert.equal(versionFacts([converted], {})[0]?.release?.digest, other.digest);
  assert.deepEqual(versionFacts([converted], { runtime })[0]?.release, release);
});

test('a version that was brought without a list of its files is served as it was found', () => {
  const artifact = { uri, files, digest };
  const brought = version({ source: { uri }, format: 'onnx' }, verified('True', 'Verified'), { artifact });
  assert.deepEqual(versionFacts([brought], { runtime })[0]?.release, release);
});

const numbered = (number: number, spec: object = {}, conditions = verified('Unknown', 'FormatNotServable')) =>
  version({ version: number, ...spec }, conditions);
const wishes: readonly [wish: string | number, chosen: number][] = [
  ['latest', 3],
  ['Production', 2],
  ['@champion', 1],
  [2, 2],
];
for (const [wish, chosen] of wishes) {
  test(`${wish} chooses among folders as it does among proven models`, () => {
    const versions = versionFacts(
      [
        numbered(1, { aliases: ['champion'] }),
        numbered(2, { stage: 'Production' }),
        numbered(3),
        numbered(4, { stage: 'Production' }, verified('False', 'DigestMismatch')),
      ],
      { runtime },
    );
    const asked = { namespace: 'team-a', name: 'iris', model: 'iris', version: wish };
    const choice = choose(asked, { versions, serving: undefined, refusalOf: () => undefined });
    assert.equal('release' in choice ? choice.release.version : choice.problem.message, chosen);
  });
}

test('why a version cannot be served is told with what to do', () => {
  const [facts] = versionFacts([version({ source: { uri } })], { runtime });
  assert.match(facts?.message ?? '', /digests of its files are not known.*log the model to this registry/);
});

const begun = '2026-01-01T00:00:00Z';
const ended = (exitCode: number, message: string, reason = 'Error') => ({
  terminated: { exitCode, reason, message, startedAt: begun, finishedAt: '2026-01-01T00:00:01Z' },
});
const running = { state: { running: { startedAt: begun } } };
const told = (reason: 'LoadTimeout' | 'InvalidModel' | 'InvalidConfiguration') =>
  ended(EXIT_TERMINAL, renderTerminationMessage({ stage: 'serve', reason, message: 'in words' }));
const pod = (server: object, front: object, status: object = {}) =>
  podFacts([
    Pod.parse({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'p', namespace: 'ns', labels: { 'slipway.dev/version': '3' } },
      status: {
        initContainerStatuses: [
          { name: 'fetch', state: { terminated: { exitCode: 0 } } },
          { name: 'server', started: true, ...server },
        ],
        containerStatuses: [{ name: 'front', ...front }],
        ...status,
      },
    }),
  ])[0] ?? assert.fail();

test('time runs while the front waits for the server to be ready', () => {
  assert.equal(pod(running, running).loadingSince, begun);
  assert.equal(pod(running, { ...running, started: true }).loadingSince, undefined);
  assert.equal(pod(running, { state: { waiting: { reason: 'PodInitializing' } } }).loadingSince, undefined);
});

test('a server that ends again and again is the reason, whatever the front says of it', () => {
  const server = {
    restartCount: 3,
    state: { waiting: { reason: 'CrashLoopBackOff' } },
    lastState: ended(1, 'Traceback\nno such library'),
  };
  const { fault } = pod(server, { restartCount: 1, state: running.state, lastState: told('LoadTimeout') });
  assert.equal(fault?.reason, 'CrashLoop');
  assert.match(fault?.message ?? '', /no such library/);
});

test('where starting takes so long that time is up before it has ended often, it is still the server that tells why', () => {
  const server = { restartCount: 1, state: running.state, lastState: ended(1, 'Traceback\nno such library') };
  const front = { restartCount: 1, state: running.state, lastState: told('LoadTimeout') };
  const { fault } = pod(server, front);
  assert.equal(fault?.reason, 'CrashLoop');
  assert.match(fault?.message ?? '', /ended once before it was ready, .*no such library/s);
  assert.equal(pod(server, running).fault, undefined, 'it is given its time first');
});

test('memory: the server’s limit is what has to be raised', () => {
  const { fault } = pod({ restartCount: 1, state: running.state, lastState: ended(137, '', 'OOMKilled') }, running);
  assert.equal(fault?.reason, 'OutOfMemory');
});

for (const reason of ['LoadTimeout', 'InvalidModel'] as const) {
  test(`what the front says of a server that runs and does not answer counts: ${reason}`, () => {
    const { fault } = pod(running, { restartCount: 1, state: running.state, lastState: told(reason) });
    assert.deepEqual(fault, { reason, message: 'in words', at: '2026-01-01T00:00:01Z' });
  });
}

test('a foreign server does not speak for us: its last words are words', () => {
  const { fault } = pod({ restartCount: 1, state: running.state, lastState: told('InvalidModel') }, running);
  assert.equal(fault, undefined);
});

test('a front that lacks its keys waits for them, and an image that cannot be pulled is named', () => {
  const lacking = { state: { waiting: { reason: 'CrashLoopBackOff' } }, lastState: told('InvalidConfiguration') };
  assert.equal(pod(running, lacking).waiting?.reason, 'ConfigurationError');
  const pulling = {
    image: 'mine:1',
    started: false,
    state: { waiting: { reason: 'ImagePullBackOff', message: 'no such image' } },
  };
  const { waiting } = pod(pulling, { state: { waiting: { reason: 'PodInitializing' } } });
  assert.equal(waiting?.reason, 'ImagePull');
  assert.match(waiting?.message ?? '', /mine:1 of container server cannot be pulled: no such image/);
});
