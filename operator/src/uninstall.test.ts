import assert from 'node:assert/strict';
import { test } from 'node:test';
import { KubeError } from './kube/errors.ts';
import type { KubeRequest } from './kube/transport.ts';
import { UninstallSettings, uninstall } from './uninstall.ts';

interface Stored {
  readonly namespace: string;
  readonly name: string;
  finalizers: string[];
}
type Finalizers = [{ value: string[] }, { value: string[] }];

/** An API server with these objects by plural; `operatorPods` answers one listing after the other. */
function cluster(objects: Record<string, Stored[]>, operatorPods: string[][] = [[]]) {
  const calls: string[] = [];
  /** Run once before a patch is applied, as a concurrent writer would. */
  let interfere: (() => void) | undefined;
  const item = ({ namespace, name, finalizers }: Stored) => ({ metadata: { namespace, name, finalizers } });

  function patch(path: string, body: unknown): unknown {
    interfere?.();
    interfere = undefined;
    const [, namespace, plural, name] = /namespaces\/([^/]+)\/([^/]+)\/([^/]+)$/.exec(path) ?? [];
    const found = objects[plural as string]?.find((one) => one.namespace === namespace && one.name === name);
    if (!found) throw new KubeError(404, 'NotFound', 'not found');
    const [expected, replacement] = body as Finalizers;
    if (JSON.stringify(expected.value) !== JSON.stringify(found.finalizers)) {
      throw new KubeError(422, 'Invalid', 'the server rejected our request due to an error in our request');
    }
    found.finalizers = replacement.value;
    return {};
  }

  /** Pages of two. */
  function list({ path, query }: KubeRequest): unknown {
    const [, namespace, plural] = /v1alpha1\/(?:namespaces\/([^/]+)\/)?([^/]+)$/.exec(path) ?? [];
    const all = objects[plural as string];
    if (!all) throw new KubeError(404, 'NotFound', 'no such kind');
    const from = Number(query?.['continue'] ?? 0);
    const scoped = all.filter((one) => namespace === undefined || one.namespace === namespace);
    const metadata = from + 2 < scoped.length ? { continue: String(from + 2) } : {};
    return { metadata, items: scoped.slice(from, from + 2).map(item) };
  }

  function pods(): unknown {
    const names = (operatorPods.length > 1 ? operatorPods.shift() : operatorPods[0]) ?? [];
    return { metadata: {}, items: names.map((name) => ({ metadata: { name, namespace: 's' } })) };
  }

  const json = async (request: KubeRequest): Promise<unknown> => {
    calls.push(`${request.method} ${request.path}`);
    if (request.path.endsWith('/pods')) return pods();
    if (request.path.endsWith('/scale')) return {};
    return request.method === 'PATCH' ? patch(request.path, request.body) : list(request);
  };
  const before = (action: () => void) => {
    interfere = action;
  };
  return { calls, before, dependencies: { api: { json }, say: () => {}, patience: { forMs: 50, everyMs: 1 } } };
}

const settings = (watchNamespaces = '') =>
  UninstallSettings.parse({
    POD_NAMESPACE: 's',
    OPERATOR_DEPLOYMENT: 'slipway-operator',
    OPERATOR_SELECTOR: 'app.kubernetes.io/component=operator',
    WATCH_NAMESPACES: watchNamespaces,
  });
const version = (name: string, namespace = 'a', ...others: string[]): Stored => ({
  namespace,
  name,
  finalizers: ['slipway.dev/model-version', ...others],
});
const none = { trainingjobs: [], modelversions: [], inferenceservices: [] };

test('our finalizers are taken off every object of every page; those of others stay', async () => {
  const versions = [version('v1'), version('v2', 'b', 'example.com/mine'), version('v3')];
  const job = { namespace: 'a', name: 'iris', finalizers: ['slipway.dev/run'] };
  const { dependencies } = cluster({ ...none, modelversions: versions, trainingjobs: [job] });
  await uninstall(dependencies, settings());
  assert.deepEqual(
    versions.map(({ finalizers }) => finalizers),
    [[], ['example.com/mine'], []],
  );
  assert.deepEqual(job.finalizers, []);
});

test('the operator is stopped first, and waited for, because it would put them back', async () => {
  const { calls, dependencies } = cluster({ ...none, modelversions: [version('v1')] }, [['operator-1'], []]);
  await uninstall(dependencies, settings());
  const kinds = calls.map((call) => (/scale|pods/.exec(call) ? 'operator' : 'objects'));
  assert.deepEqual(kinds.slice(0, 3), ['operator', 'operator', 'operator']);
  assert.ok(kinds.slice(3).every((kind) => kind === 'objects'));
});

test('an operator that does not end is named, and nothing is touched', async () => {
  const versions = [version('v1')];
  const { dependencies } = cluster({ ...none, modelversions: versions }, [['operator-1']]);
  await assert.rejects(uninstall(dependencies, settings()), /operator-1 did not end .* uninstall again/);
  assert.equal(versions[0]?.finalizers.length, 1);
});

test('a list of finalizers that changed meanwhile is read again, so nobody else’s is lost', async () => {
  const versions = [version('v1')];
  const { before, dependencies } = cluster({ ...none, modelversions: versions });
  before(() => versions[0]?.finalizers.push('example.com/late'));
  await uninstall(dependencies, settings());
  assert.deepEqual(versions[0]?.finalizers, ['example.com/late']);
});

test('only the watched namespaces are read and changed', async () => {
  const versions = [version('v1', 'a'), version('v1', 'other')];
  const { calls, dependencies } = cluster({ ...none, modelversions: versions });
  await uninstall(dependencies, settings('a'));
  assert.deepEqual(
    versions.map(({ finalizers }) => finalizers.length),
    [0, 1],
  );
  assert.ok(calls.filter((call) => call.includes('slipway.dev')).every((call) => call.includes('/namespaces/a/')));
});

test('kinds whose definitions are gone are no obstacle', async () => {
  const { dependencies } = cluster({});
  await assert.doesNotReject(uninstall(dependencies, settings()));
});

test('a refusal of the API server is passed on with what was being done', async () => {
  const { dependencies } = cluster(none);
  const json = () => Promise.reject(new KubeError(403, 'Forbidden', 'deployments is forbidden'));
  await assert.rejects(
    uninstall({ ...dependencies, api: { json } }, settings()),
    /stopping slipway-operator: deployments is forbidden/,
  );
});
