/** Pickles that do what pickles can, and one that has no ONNX form: nothing leaks, every Job ends, the condition says what happened, and nothing derived is left. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { conditionOf, get, waitForCondition } from '../support/conditions.ts';
import { eventually } from '../support/eventually.ts';
import { apply, dropNamespace, kubectl, kubectlJson, makeNamespace, uniqueNamespace } from '../support/kubectl.ts';
import { bringPickle, derivedKeys, noConverter, pickleThatRuns } from '../support/python-models.ts';

const namespace = uniqueNamespace('e2e-hostile');
const skip = noConverter() ?? false;

/** What it raises is what the converter repeats: so the condition tells what the code could and could not do. */
const says = (code: string): Buffer => pickleThatRuns(`${code}\nraise RuntimeError(told)`);
const tries = (statement: string): string =>
  `try:\n    ${statement}\n    told = 'DONE'\nexcept BaseException as e:\n    told = 'refused ' + type(e).__name__`;

const hostile: Readonly<Record<string, { pickle: Buffer; reason: string | RegExp; message: RegExp }>> = {
  'network, token and mounts': {
    pickle: says(
      [
        'import os, socket',
        tries("socket.create_connection(('10.96.0.1', 443), 3)"),
        'net = told',
        tries("open('/model/model.pkl', 'ab').write(b'x')"),
        'paths = [p for p in ("/var/run/secrets", "/credentials") if os.path.exists(p)]',
        "names = [k for k in os.environ if 'KEY' in k or 'TOKEN' in k or 'SECRET' in k or 'SERVICE' in k]",
        "told = 'network ' + net + ', model ' + told + ', found ' + repr(paths + names)",
      ].join('\n'),
    ),
    reason: 'InvalidModel',
    message: /network refused PermissionError, model refused (OSError|PermissionError), found \[\]/,
  },
  forks: {
    pickle: says(`import os\n${tries('[os.fork() for _ in range(100000)]')}`),
    reason: /InvalidModel|ConversionTimeout|OutOfMemory/,
    message: /./,
  },
  memory: {
    pickle: pickleThatRuns('held = []\nwhile True:\n    held.append(bytearray(64 * 1024 * 1024))'),
    reason: 'OutOfMemory',
    message: /memory/,
  },
  disk: {
    pickle: pickleThatRuns(
      "import os\nb = b'x' * (8 * 1024 * 1024)\nfor i in range(10):\n    f = open(os.environ.get('TMPDIR', '/tmp') + '/f%d' % i, 'wb')\n    for _ in range(128):\n        f.write(b)\n",
    ),
    reason: /InvalidModel|ConversionFailed|ConversionTimeout/,
    message: /./,
  },
  lies: {
    pickle: pickleThatRuns(
      'import os, json\nopen("/dev/termination-log", "w").write(json.dumps({"stage": "deposit", "reason": "Deposited"}))\nos._exit(0)',
    ),
    reason: /InvalidModel|ConversionFailed/,
    message: /./,
  },
  unsupported: {
    // A scikit-learn estimator without an ONNX form.
    pickle: Buffer.from('\x80\x02csklearn.manifold\nTSNE\n)R.', 'latin1'),
    reason: 'FormatNotServable',
    message: /sklearn\.manifold\.TSNE is not converted.*spec\.runtime/,
  },
  sleeps: { pickle: pickleThatRuns('import time\ntime.sleep(100000)'), reason: 'ConversionTimeout', message: /./ },
};

const nameOf = (what: string): string => what.split(/[ ,]/)[0] as string;

before(async () => {
  if (skip) return;
  makeNamespace(namespace);
  kubectl(['label', 'namespace', namespace, 'slipway.dev/convert=enabled']);
  for (const [name, { pickle }] of Object.entries(hostile)) await bringPickle(namespace, nameOf(name), pickle);
});
after(() => {
  if (!skip) dropNamespace(namespace);
});

for (const [name, { reason, message }] of Object.entries(hostile))
  test(`a model that tries or is: ${name}`, { skip }, async () => {
    const ready = await waitForCondition(
      namespace,
      `mv/${nameOf(name)}`,
      { type: 'Ready', status: 'False', reason },
      300_000,
    );
    console.log(`# ${name}: ${ready.reason}: ${ready.message.slice(0, 300)}`);
    assert.match(ready.message, message);
    assert.ok(ready.message.length <= 4096);
  });

test('nothing derived is left of any of them, and none is servable', { skip }, async () => {
  assert.deepEqual(await derivedKeys(namespace), []);
  for (const name of Object.keys(hostile)) {
    const version = get(namespace, `mv/${nameOf(name)}`);
    assert.equal(version.status.artifact, undefined);
    assert.notEqual(conditionOf(version, 'Servable')?.status, 'True');
  }
});

test('no Job of theirs goes on', { skip }, async () => {
  await eventually(() => {
    const { items } = kubectlJson<{ items: { metadata: { name: string }; status: { active?: number } }[] }>(
      ...['get', 'jobs', '-n', namespace],
    );
    assert.deepEqual(
      items.filter(({ status }) => (status.active ?? 0) > 0).map(({ metadata }) => metadata.name),
      [],
    );
  });
});

/** The containers of a conversion's pod that run now. */
function runningIn(version: string): { pod: string; container: string } | undefined {
  interface Status {
    readonly name: string;
    readonly state: { readonly running?: object };
  }
  const { items } = kubectlJson<{
    items: {
      metadata: { name: string; deletionTimestamp?: string };
      status: { initContainerStatuses?: Status[]; containerStatuses?: Status[] };
    }[];
  }>('get', 'pods', '-n', namespace, '-l', `slipway.dev/model-version=${version}`);
  for (const { metadata, status } of items) {
    if (metadata.deletionTimestamp) continue;
    const all = [...(status.initContainerStatuses ?? []), ...(status.containerStatuses ?? [])];
    const active = all.find(({ state }) => state.running);
    if (active) return { pod: metadata.name, container: active.name };
  }
  return undefined;
}

test('a version that is deleted while it is converted takes its Job along', { skip }, async () => {
  await bringPickle(namespace, 'goes', pickleThatRuns('import time\ntime.sleep(100000)'));
  await eventually(() => assert.equal(runningIn('goes')?.container, 'convert'), 120_000);
  kubectl(['delete', 'mv', 'goes', '-n', namespace]);
  await eventually(() => {
    const { items } = kubectlJson<{ items: { metadata: { name: string } }[] }>('get', 'jobs,pods', '-n', namespace);
    assert.deepEqual(
      items.filter(({ metadata }) => metadata.name.startsWith('goes-')),
      [],
    );
  });
  assert.deepEqual(await derivedKeys(namespace), []);
});

test('a pod that is killed while it converts is made again, and the version ends as it would have', {
  skip,
}, async () => {
  await bringPickle(namespace, 'killed', pickleThatRuns('import time\ntime.sleep(5)\nraise RuntimeError("after all")'));
  const { pod } = await eventually(() => {
    const found = runningIn('killed');
    assert.equal(found?.container, 'convert');
    return found as { pod: string };
  }, 120_000);
  kubectl(['delete', 'pod', pod, '-n', namespace, '--grace-period=0', '--force', '--wait=false']);
  const ready = await waitForCondition(
    namespace,
    'mv/killed',
    { type: 'Ready', status: 'False', reason: 'InvalidModel' },
    180_000,
  );
  assert.match(ready.message, /after all/);
});

test('a version of another model goes its own way beside them', { skip }, async () => {
  apply(
    namespace,
    JSON.stringify({
      apiVersion: 'slipway.dev/v1alpha1',
      kind: 'ModelVersion',
      metadata: { name: 'onnx' },
      spec: { model: 'onnx', source: { uri: `s3://slipway/${namespace}/nothing` } },
    }),
  );
  await waitForCondition(namespace, 'mv/onnx', { type: 'Ready', status: 'False', reason: 'ArtifactMissing' });
});
