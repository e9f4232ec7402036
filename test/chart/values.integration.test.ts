/** Values that would not do what somebody means are refused, and the refusal says what to do. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { parse } from 'yaml';
import { CHART, type Manifest, template, type Values } from './helm.ts';
import { external } from './value-sets.ts';

const refused: readonly (readonly [string, Values, RegExp])[] = [
  ['an unknown value', { operater: {} }, /additional properties 'operater' not allowed/],
  ['an unknown value below another', { postgres: { hots: 'x' } }, /at '\/postgres': additional properties 'hots'/],
  ['an unknown value of an image', { operator: { image: { pullPolicy: 'Always' } } }, /at '\/operator\/image'/],
  ['a number as text', { operator: { replicas: 'two' } }, /at '\/operator\/replicas': got string, want integer/],
  ['an unknown choice', { registry: { auth: 'basic' } }, /'kubernetes', 'secret', 'none'/],
  ['a credential life no store allows', { operator: { stsDurationSeconds: 60 } }, /minimum: got 60, want 900/],
  ['an endpoint that is no URL', { objectStorage: { endpoint: 's3.local' } }, /at '\/objectStorage\/endpoint'/],
  ['a bucket no store takes', { objectStorage: { bucket: 'My_Models' } }, /at '\/objectStorage\/bucket'/],
  [
    'an origin with a path',
    { registry: { allowedOrigins: ['https://x.example/y'] } },
    /at '\/registry\/allowedOrigins/,
  ],
  ['a grace without a unit', { registry: { gc: { grace: '7' } } }, /at '\/registry\/gc\/grace'/],
  ['a host with a scheme', { trainer: { httpsInputHosts: ['https://x.example'] } }, /at '\/trainer\/httpsInputHosts/],
  ['an address for a range', { trainer: { httpsInputCidrs: ['10.0.0.1'] } }, /at '\/trainer\/httpsInputCidrs/],
  ['users without their Secret', { registry: { auth: 'secret' } }, /registry\.authSecret must name a Secret/],
  [
    'a Secret of users nobody reads',
    { registry: { authSecret: 'people' } },
    /it would be ignored: set registry\.auth=secret/,
  ],
  [
    'a deadline before a conversion may end',
    { converter: { timeoutSeconds: 600, deadlineSeconds: 60 } },
    /converter\.timeoutSeconds \(600\): make the deadline longer/,
  ],
  ['a pod without limits', { operator: { resources: { limits: null } } }, /missing property 'limits'/],
  [
    'the same namespace twice',
    { operator: { watchNamespaces: ['a', 'a'] } },
    /at '\/operator\/watchNamespaces': items at 0 and 1 are equal/,
  ],
  [
    'your own Postgres without a host',
    { postgres: { ...external.postgres, host: '' } },
    /postgres\.bundled is false, so postgres\.host must name your Postgres/,
  ],
  [
    'your own Postgres without a Secret',
    { postgres: { ...external.postgres, existingSecret: '' } },
    /postgres\.existingSecret must name a Secret/,
  ],
  [
    'a host beside the bundled Postgres',
    { postgres: { host: 'db' } },
    /it would be ignored: set postgres\.bundled=false/,
  ],
  ['TLS to the bundled Postgres', { postgres: { sslMode: 'require' } }, /the bundled Postgres speaks no TLS/],
  [
    'your own store without an endpoint',
    { objectStorage: { ...external.objectStorage, endpoint: '' } },
    /objectStorage\.endpoint must be the URL of your store/,
  ],
  [
    'your own store without a Secret',
    { objectStorage: { ...external.objectStorage, existingSecret: '' } },
    /objectStorage\.existingSecret must name a Secret/,
  ],
  [
    'an endpoint beside the bundled store',
    { objectStorage: { endpoint: 'https://s3.local' } },
    /it would be ignored: set objectStorage\.bundled=false/,
  ],
];

for (const [what, values, message] of refused) {
  test(`refused: ${what}`, () => {
    const { code, stderr } = template(values);
    assert.notEqual(code, 0);
    assert.match(stderr, message);
  });
}

/** Every key of the values, as far down as the chart's own structure goes. */
function keysOf(values: Manifest, path = ''): string[] {
  return Object.entries(values as Record<string, Manifest>).flatMap(([key, value]) => {
    const here = path ? `${path}.${key}` : key;
    const isBranch =
      value !== null && typeof value === 'object' && !Array.isArray(value) && Object.keys(value).length > 0;
    return isBranch && key !== 'resources' ? keysOf(value, here) : [here];
  });
}

test('the schema knows exactly the values there are', () => {
  const schema: Manifest = JSON.parse(readFileSync(`${CHART}/values.schema.json`, 'utf8'));
  const resolve = (node: Manifest): Manifest =>
    node.$ref ? schema.$defs[(node.$ref as string).slice('#/$defs/'.length)] : node;
  const known = (node: Manifest, path = ''): string[] =>
    Object.entries((node.properties ?? {}) as Record<string, Manifest>).flatMap(([key, child]) => {
      const here = path ? `${path}.${key}` : key;
      const target = resolve(child);
      return target.properties && key !== 'resources' ? known(target, here) : [here];
    });
  const values: Manifest = parse(readFileSync(`${CHART}/values.yaml`, 'utf8'));
  assert.deepEqual(
    known(schema)
      .filter((key) => key !== 'global')
      .sort(),
    keysOf(values).sort(),
  );
});

/** Values that need others to be seen: what is on in both renderings. */
const contexts: readonly (readonly [RegExp, Values])[] = [
  [/^postgres\.(host|port|sslMode)$/, { postgres: external.postgres }],
  [/^objectStorage\.(endpoint|pathStyle)$/, { objectStorage: external.objectStorage }],
  [/^operator\.podDisruptionBudget\.maxUnavailable$/, { operator: { podDisruptionBudget: { enabled: true } } }],
  [/^registry\.podDisruptionBudget\.maxUnavailable$/, { registry: { podDisruptionBudget: { enabled: true } } }],
  [/^registry\.authSecret$/, { registry: { auth: 'secret', authSecret: 'people' } }],
];

/** Another value the schema allows, where it cannot be told from the type. */
const others: Readonly<Record<string, unknown>> = {
  digest: `sha256:${'0'.repeat(64)}`,
  endpoint: 'https://other.example.com',
  pullPolicy: 'Never',
  logLevel: 'debug',
  tenantCredentials: 'shared',
  auth: 'none',
  sslMode: 'verify-full',
  size: '1Gi',
  schedule: '0 0 * * *',
  grace: '1d',
  maxAge: '90d',
  keepStages: ['Production'],
  pullSecrets: ['x'],
  watchNamespaces: ['x'],
  allowedOrigins: ['https://x.example'],
  httpsInputHosts: ['x.example'],
  httpsInputCidrs: ['10.0.0.0/8'],
  extraEnv: [{ name: 'X', value: 'x' }],
  objectStoragePeers: [{ ipBlock: { cidr: '10.0.0.0/8' } }],
  tolerations: [{ operator: 'Exists' }],
  topologySpreadConstraints: [{ maxSkew: 1 }],
  resources: { requests: { cpu: 9 } },
};

function other(key: string, value: unknown): unknown {
  const name = key.split('.').at(-1) as string;
  if (name in others) return others[name];
  if (typeof value === 'boolean') return !value;
  if (typeof value === 'number') return value + 1;
  return typeof value === 'string' ? `${value}x` : { x: 'x' };
}

const nested = (path: readonly string[], value: unknown): Values => ({
  [path[0] as string]: path.length > 1 ? nested(path.slice(1), value) : value,
});
const merged = (a: Manifest, b: Manifest): Manifest =>
  Object.fromEntries(
    [...new Set([...Object.keys(a), ...Object.keys(b)])].map((key) => {
      const both = [a[key], b[key]].every((one) => one && typeof one === 'object' && !Array.isArray(one));
      return [key, both ? merged(a[key], b[key]) : (b[key] ?? a[key])];
    }),
  );

/** What is rendered, with the values that are random left out. */
const rendered = (values: Values): string => {
  const { code, stdout, stderr } = template(values);
  assert.equal(code, 0, stderr);
  return stdout.replaceAll(/^ {2}(key|password|accessKey|secretKey): \S+$/gm, '');
};

// Switching a store between bundled and your own takes several values at once, and has its tests beside the pods'.
test('every value changes something', () => {
  const defaults: Manifest = parse(readFileSync(`${CHART}/values.yaml`, 'utf8'));
  const single = keysOf(defaults).filter((key) => !key.endsWith('.bundled'));
  const idle = single.filter((key) => {
    const path = key.split('.');
    const context = contexts.find(([pattern]) => pattern.test(key))?.[1] ?? {};
    const now = path.reduce((value, step) => value[step], merged(defaults, context));
    return rendered(context) === rendered(merged(context, nested(path, other(key, now))));
  });
  assert.deepEqual(idle, []);
});
