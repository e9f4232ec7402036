/** Who may do what: least privilege, cluster-wide or in listed namespaces, and a right for everything the operator does. */
import assert from 'node:assert/strict';
import { globSync } from 'node:fs';
import { test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { find, type Manifest, NAMESPACE, render, type Values } from './helm.ts';
import { valueSets } from './value-sets.ts';

interface Rule {
  /** Absent, as the resources are: the rule is about paths that are none. */
  readonly apiGroups?: readonly string[];
  readonly resources?: readonly string[];
  readonly nonResourceURLs?: readonly string[];
  readonly resourceNames?: readonly string[];
  readonly verbs: readonly string[];
}
/** A rule and where it holds; no namespace means everywhere. */
interface Granted extends Rule {
  readonly namespace?: string;
}

/** Everything a service account of the release is granted. */
function grantedTo(account: string, objects: readonly Manifest[]): readonly Granted[] {
  const bindings = objects.filter(
    ({ kind, subjects }) => /Binding$/.test(kind) && subjects.some((s: Manifest) => s.name === account),
  );
  return bindings.flatMap(({ kind, metadata, roleRef }) => {
    const namespace = kind === 'RoleBinding' ? metadata.namespace : undefined;
    const role = objects.find(
      (one) => one.kind === roleRef.kind && one.metadata.name === roleRef.name && one.metadata.namespace === namespace,
    );
    assert.ok(role, `${metadata.name} binds a role that exists`);
    return (role.rules as Rule[]).map((rule) => (namespace === undefined ? rule : { ...rule, namespace }));
  });
}

const allows = (granted: readonly Granted[], verb: string, group: string, resource: string, name?: string): boolean =>
  granted.some(
    (rule) =>
      rule.verbs.includes(verb) &&
      rule.apiGroups?.includes(group) &&
      rule.resources?.includes(resource) &&
      (rule.resourceNames === undefined || (name !== undefined && rule.resourceNames.includes(name))),
  );

/** `apps/deployments:patch` and `/version:get`, one per verb. */
const flat = (granted: readonly Granted[]): string[] =>
  granted.flatMap(({ apiGroups = [], resources = [], nonResourceURLs = [], verbs }) => [
    ...apiGroups.flatMap((group) =>
      resources.flatMap((resource) => verbs.map((verb) => `${group}/${resource}:${verb}`)),
    ),
    ...nonResourceURLs.flatMap((path) => verbs.map((verb) => `${path}:${verb}`)),
  ]);

const reading = new Set(['get', 'list', 'watch']);
const namespaced: Values = { operator: { watchNamespaces: ['team-a', 'team-b'] } };

/** What is written by these names alone, and never read back. */
const BY_NAME: Readonly<Record<string, readonly string[]>> = {
  configmaps: ['slipway-token-keys'],
  networkpolicies: ['slipway-convert'],
  secrets: ['slipway-tenant-fetch', 'slipway-tenant-publish', 'slipway-tenant-predictions'],
};

for (const [name, values] of Object.entries(valueSets)) {
  test(`${name}: nobody may enter pods, raise rights, use wildcards or read Secrets`, () => {
    for (const role of render(values).filter(({ kind }) => kind === 'Role' || kind === 'ClusterRole')) {
      for (const rule of role.rules as Rule[]) {
        const said = `${role.metadata.name}: ${JSON.stringify(rule)}`;
        const { apiGroups = [], resources = [], nonResourceURLs = [] } = rule;
        const words = [...rule.verbs, ...apiGroups, ...resources, ...nonResourceURLs];
        for (const word of ['*', 'escalate', 'bind', 'impersonate']) assert.ok(!words.includes(word), said);
        for (const part of ['exec', 'attach', 'portforward', 'ephemeralcontainers', 'token', 'proxy']) {
          assert.ok(!resources.some((resource) => resource.endsWith(`/${part}`)), said);
        }
        for (const [resource, names] of Object.entries(BY_NAME).filter(([name]) => resources.includes(name))) {
          assert.deepEqual(rule.resourceNames, names, `${resource}: ${said}`);
          assert.ok(!rule.verbs.some((verb) => reading.has(verb)), said);
        }
      }
    }
  });
}

/** What can only be asked of the whole cluster. */
const QUESTIONS = [
  'authentication.k8s.io/tokenreviews:create',
  '/.well-known/openid-configuration:get',
  '/openid/v1/jwks:get',
];

test('watched namespaces: the operator holds Roles there and in the release’s namespace; everywhere it asks whose a token is, and with which keys to check one', () => {
  const granted = grantedTo('slipway-operator', render(namespaced));
  const everywhere = granted.filter(({ namespace }) => namespace === undefined);
  assert.deepEqual(flat(everywhere), QUESTIONS);
  const places = granted.map(({ namespace }) => namespace).filter((namespace) => namespace !== undefined);
  assert.deepEqual([...new Set(places)].sort(), [NAMESPACE, 'team-a', 'team-b']);
  const inRelease = flat(granted.filter(({ namespace }) => namespace === NAMESPACE));
  assert.ok(
    inRelease.every((right) => right.startsWith('coordination.k8s.io/leases:')),
    inRelease.join(' '),
  );
});

test('watched namespaces: the only rights across the cluster are to ask who somebody is, and what the registry then asks', () => {
  const objects = render(namespaced);
  const boundIn = (rendered: readonly Manifest[]) => [
    ...new Set(
      rendered.filter(({ kind }) => kind === 'ClusterRoleBinding').map(({ roleRef }) => roleRef.name as string),
    ),
  ];
  assert.deepEqual(boundIn(objects).sort(), ['slipway-operator-callers', 'slipway-registry']);
  const everywhere = grantedTo('slipway-registry', objects).filter(({ namespace }) => namespace === undefined);
  assert.deepEqual(flat(everywhere), [
    'authentication.k8s.io/tokenreviews:create',
    'authorization.k8s.io/subjectaccessreviews:create',
  ]);
  assert.deepEqual(boundIn(render({ ...namespaced, registry: { auth: 'none' } })), ['slipway-operator-callers']);
});

test('the registry looks at namespaces where it answers, and at nothing else', () => {
  const rights = (values: Values) =>
    grantedTo('slipway-registry', render({ registry: { auth: 'none' }, ...values })).map(
      ({ namespace = 'everywhere', ...rule }) => `${namespace} ${flat([rule]).join(' ')}`,
    );
  assert.deepEqual(rights({}), ['everywhere /namespaces:get']);
  assert.deepEqual(rights(namespaced), ['team-a /namespaces:get', 'team-b /namespaces:get']);
});

test('watched namespaces: the rights in each are those of the whole cluster', () => {
  const objects = render(namespaced);
  const everywhere = find(render(), 'ClusterRole', 'slipway-operator').rules;
  for (const namespace of ['team-a', 'team-b']) {
    const role = objects.find(
      ({ kind, metadata }) =>
        kind === 'Role' && metadata.name === 'slipway-operator' && metadata.namespace === namespace,
    );
    assert.deepEqual(role.rules, everywhere);
  }
});

/** The kinds the controllers say they work on, found in what each controller folder exports. */
interface Watched {
  readonly apiVersion: string;
  readonly plural: string;
}
const isKind = (value: unknown): value is Watched =>
  typeof value === 'object' && value !== null && 'plural' in value && 'apiVersion' in value && 'parse' in value;

async function kindsOfTheProgram(): Promise<readonly Watched[]> {
  const files = globSync(['operator/src/controllers/**/*.ts', 'operator/src/api/*.ts'], {
    exclude: (path) => /\.test\.ts$|testing/.test(String(path)),
  });
  const modules = await Promise.all(files.map((file) => import(pathToFileURL(file).href) as Promise<object>));
  const kinds = modules.flatMap((module) => Object.values(module)).filter(isKind);
  return [...new Map(kinds.map((kind) => [`${kind.apiVersion}/${kind.plural}`, kind])).values()];
}

const groupOf = ({ apiVersion }: Watched): string => (apiVersion.includes('/') ? apiVersion.split('/')[0]! : '');

test('every kind the operator declares can be listed and watched by it, and its own kinds be reported on', async () => {
  const kinds = await kindsOfTheProgram();
  assert.ok(kinds.length >= 3);
  const granted = grantedTo('slipway-operator', render());
  const missing = kinds.flatMap((kind) => {
    const wanted = ['get', 'list', 'watch'].map((verb) => [verb, kind.plural] as const);
    const own =
      groupOf(kind) === 'slipway.dev'
        ? ([
            ['patch', `${kind.plural}/status`],
            ['update', `${kind.plural}/finalizers`],
          ] as const)
        : [];
    return [...wanted, ...own]
      .filter(([verb, resource]) => !allows(granted, verb, groupOf(kind), resource))
      .map(([verb, resource]) => `${verb} ${groupOf(kind)}/${resource}`);
  });
  assert.deepEqual(missing, []);
});

test('the operator may do to children what it does, and no more', () => {
  const granted = grantedTo('slipway-operator', render());
  const children = [
    ['batch', 'jobs'],
    ['apps', 'deployments'],
    ['', 'services'],
    ['policy', 'poddisruptionbudgets'],
    ['autoscaling', 'horizontalpodautoscalers'],
  ] as const;
  // The operator deletes Jobs, Deployments and autoscalers only; the garbage collector does the rest.
  const deleted = new Set(['jobs', 'deployments', 'horizontalpodautoscalers']);
  const writes = flat(granted).filter((right) => !reading.has(right.split(':')[1] as string));
  const expected = [
    ...children.flatMap(([group, resource]) =>
      ['create', 'patch', ...(deleted.has(resource) ? ['delete'] : [])].map((verb) => `${group}/${resource}:${verb}`),
    ),
    ...['trainingjobs', 'modelversions', 'inferenceservices'].flatMap((plural) => [
      `slipway.dev/${plural}:patch`,
      `slipway.dev/${plural}/status:patch`,
      `slipway.dev/${plural}/finalizers:update`,
    ]),
    'slipway.dev/modelversions:create',
    // Objects of versions that are no longer shown, or that the registry has deleted.
    'slipway.dev/modelversions:delete',
    'events.k8s.io/events:create',
    'authentication.k8s.io/tokenreviews:create',
    ...['create', 'patch', 'delete'].map((verb) => `/secrets:${verb}`),
    ...['create', 'patch'].map((verb) => `/configmaps:${verb}`),
    ...['create', 'patch'].map((verb) => `networking.k8s.io/networkpolicies:${verb}`),
    ...['create', 'update'].map((verb) => `coordination.k8s.io/leases:${verb}`),
  ];
  assert.deepEqual([...new Set(writes)].sort(), expected.sort());
});

test('the lease can be changed only by name', () => {
  const granted = grantedTo('slipway-operator', render());
  assert.ok(allows(granted, 'update', 'coordination.k8s.io', 'leases', 'slipway-operator'));
  assert.ok(!allows(granted, 'update', 'coordination.k8s.io', 'leases', 'kube-scheduler'));
});

test('people: view reads, edit writes but not status, a reviewer changes nothing', () => {
  const objects = render();
  const rules = (name: string): Rule[] => find(objects, 'ClusterRole', name).rules;
  const verbs = (name: string) => new Set(rules(name).flatMap((rule) => rule.verbs));
  for (const name of ['slipway-view', 'slipway-reviewer']) {
    assert.deepEqual(
      [...verbs(name)].filter((verb) => !reading.has(verb)),
      [],
      name,
    );
  }
  const edit = rules('slipway-edit');
  assert.ok(allows(edit, 'create', 'slipway.dev', 'trainingjobs'));
  assert.ok(allows(edit, 'patch', 'slipway.dev', 'inferenceservices/scale'), 'kubectl scale');
  assert.ok(!flat(edit).some((right) => /\/(status|finalizers):/.test(right)));
  assert.ok(!flat(rules('slipway-reviewer')).some((right) => right.startsWith('/secrets')));
});

test('people: the roles join view, edit and admin of the cluster, unless that is switched off', () => {
  const labels = (name: string, values: Values = {}) =>
    Object.keys(find(render(values), 'ClusterRole', name).metadata.labels).filter((label) =>
      label.includes('aggregate'),
    );
  assert.equal(labels('slipway-view').length, 3);
  assert.equal(labels('slipway-edit').length, 2);
  assert.equal(labels('slipway-reviewer').length, 0);
  assert.equal(labels('slipway-edit', { rbac: { aggregate: false } }).length, 0);
});

test('uninstalling: the hook may list and release objects and stop this one operator', () => {
  assert.deepEqual(flat(grantedTo('slipway-uninstall', render())).sort(), [
    '/pods:list',
    'apps/deployments/scale:patch',
    ...['inferenceservices', 'modelversions', 'trainingjobs'].flatMap((plural) => [
      `slipway.dev/${plural}:list`,
      `slipway.dev/${plural}:patch`,
    ]),
  ]);
  const scale = grantedTo('slipway-uninstall', render()).find(({ resources }) =>
    resources?.includes('deployments/scale'),
  );
  assert.deepEqual(scale?.resourceNames, ['slipway-operator']);
  const hooks = render().filter(({ metadata }) => metadata.name.startsWith('slipway-uninstall'));
  assert.ok(hooks.every(({ metadata }) => metadata.annotations['helm.sh/hook'] === 'pre-delete'));
  const uninstall = render({ uninstallHook: { enabled: false } });
  assert.ok(!uninstall.some(({ metadata }) => metadata.name.includes('uninstall')));
});

test('rbac.create=false: no right is granted to any pod', () => {
  const objects = render({ rbac: { create: false } });
  assert.deepEqual(
    objects.filter(({ kind }) => /Binding$|^Role$/.test(kind)),
    [],
  );
  assert.ok(find(objects, 'ServiceAccount', 'slipway-uninstall'), 'there for whoever binds it');
});
