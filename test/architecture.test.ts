/** ARCHITECTURE.md's layers, checked: who may import whom, and where only pure code may live. */
import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { dirname, join, relative, sep } from 'node:path';
import { test } from 'node:test';

const sources = (folder: string) =>
  globSync(`${folder}/src/**/*.ts`).filter(
    (file) => !/\.(test|generated)\.ts$/.test(file) && !file.includes(`${sep}testing${sep}`),
  );

/** Every module a file imports: relative ones resolved to a path, packages as they are named. */
function importsOf(file: string): string[] {
  const text = readFileSync(file, 'utf8');
  const found = [...text.matchAll(/(?:\bfrom\s+|\bimport\s*\(?\s*|\)\.resolve\()'([^']+)'/g)].map(
    (match) => match[1] as string,
  );
  return found.map((target) => (target.startsWith('.') ? join(dirname(file), target) : target));
}

const packageOf = (target: string) =>
  target
    .split('/')
    .slice(0, target.startsWith('@') ? 2 : 1)
    .join('/');

/** What each workspace may use beside Node itself. A package that is missing here is refused on purpose. */
const workspaces: Record<string, readonly string[]> = {
  contract: ['zod'],
  'object-store': ['@slipway/contract', 'minio'],
  database: ['@slipway/contract', 'pg'],
  operator: [
    ...['@slipway/contract', '@slipway/database', '@slipway/object-store'],
    ...['@kubernetes/client-node', 'croner', 'pino', 'prom-client', 'yaml', 'zod'],
  ],
  registry: [
    '@slipway/contract',
    '@slipway/database',
    '@slipway/object-store',
    '@kubernetes/client-node',
    'express',
    'pino',
    'prom-client',
    'yaml',
    'zod',
  ],
  'serving-image': [
    '@slipway/contract',
    '@slipway/object-store',
    ...['csv-parse', 'express', 'hyparquet', 'jose', 'onnxruntime-node', 'pino', 'prom-client', 'swagger-ui-dist'],
    ...['yaml', 'zod'],
  ],
  'trainer-image': [
    ...['@slipway/contract', '@slipway/database', '@slipway/object-store'],
    ...['csv-parse', 'hyparquet', 'yaml', 'zod'],
  ],
};

test('a workspace uses only the packages it is allowed: no Kubernetes client in the model server, no model runtime in the operator', () => {
  const broken: string[] = [];
  for (const [workspace, allowed] of Object.entries(workspaces)) {
    for (const file of sources(workspace)) {
      for (const target of importsOf(file)) {
        const inside = target.startsWith(`${workspace}${sep}`) || target.startsWith('node:');
        if (!inside && !allowed.includes(packageOf(target))) broken.push(`${file} -> ${target}`);
      }
    }
  }
  assert.deepEqual(broken, []);
});

test('the contract computes and nothing else: of Node it uses hashing only', () => {
  const impure = sources('contract').filter((file) =>
    importsOf(file).some((target) => target.startsWith('node:') && target !== 'node:crypto'),
  );
  assert.deepEqual(impure, []);
});

/** Who may import whom below a workspace's src; a folder may always import itself. Files directly below src wire everything. */
const layers: Record<string, Readonly<Record<string, readonly string[]>>> = {
  operator: {
    api: [],
    kube: ['api', 'runtime'],
    runtime: ['api', 'kube'],
    http: ['runtime'],
    dependencies: ['api'],
    tenancy: ['api', 'runtime'],
    controllers: ['api', 'kube', 'runtime'],
    crd: ['api', 'controllers'],
    control: ['api', 'kube', 'controllers', 'runtime'],
    projection: ['api', 'kube', 'controllers', 'runtime'],
  },
  registry: {
    http: ['errors.ts', 'metrics.ts'],
    auth: ['errors.ts', 'http'],
    tenants: ['config.ts', 'errors.ts', 'http', 'auth'],
    artifacts: ['errors.ts', 'http'],
    data: ['errors.ts', 'http', 'artifacts'],
    mlflow: ['errors.ts', 'http', 'artifacts'],
    gc: ['artifacts'],
    'read-api': ['errors.ts', 'http'],
  },
  database: {
    tracking: ['errors.ts', 'pool.ts'],
    search: ['errors.ts', 'pool.ts'],
    models: ['pool.ts', 'tracking'],
    'logged-models': ['pool.ts', 'tracking'],
    artifacts: ['errors.ts', 'pool.ts', 'models'],
  },
  'serving-image': {
    model: ['failure.ts'],
    request: ['model'],
    protocols: ['log.ts', 'model', 'request'],
    'prediction-log': ['log.ts', 'model', 'request', 'protocols'],
    openapi: ['model', 'request', 'protocols'],
    'docs-page': ['model', 'request', 'openapi'],
    http: ['failure.ts', 'log.ts', 'tracking.ts', 'model', 'request', 'protocols'],
    fetch: ['config.ts', 'failure.ts', 'log.ts', 'model'],
    verify: ['failure.ts', 'log.ts', 'run-apart.ts', 'model'],
    predict: ['failure.ts', 'log.ts', 'run-apart.ts', 'model', 'request'],
    batch: ['failure.ts', 'log.ts', 'fetch'],
    ship: ['failure.ts', 'log.ts', 'fetch'],
    front: [
      'config.ts',
      'failure.ts',
      'lifecycle.ts',
      'log.ts',
      'tracking.ts',
      'model',
      'request',
      'protocols',
      'http',
    ],
    deposit: ['failure.ts', 'log.ts', 'fetch', 'model'],
  },
  'trainer-image': {
    evaluate: [],
    learn: ['model.ts'],
    onnx: ['model.ts', 'failure.ts'],
    data: ['model.ts', 'failure.ts'],
    train: ['model.ts', 'failure.ts', 'environment.ts', 'log.ts', 'data', 'learn', 'onnx', 'evaluate'],
    fetch: ['environment.ts', 'failure.ts', 'log.ts', 'persist.ts'],
    publish: ['environment.ts', 'failure.ts', 'log.ts', 'persist.ts', 'evaluate'],
    watch: ['environment.ts', 'log.ts'],
    kit: ['environment.ts', 'failure.ts', 'publish'],
  },
};
const root = 'operator/src';
const layerOf = (path: string, from = root) => relative(from, path).split(sep)[0] as string;

for (const [workspace, allowedIn] of Object.entries(layers)) {
  const src = `${workspace}/src`;

  /** What a file of a folder imports from where it must not. */
  const strays = (file: string): string[] => {
    const from = layerOf(file, src);
    if (from.endsWith('.ts')) return [];
    const allowed = allowedIn[from];
    if (!allowed) return [`${file}: the folder ${from} is no layer; name it in this test and in ARCHITECTURE.md`];
    // What the operator's files directly below src hold is part of the process: no folder may want it.
    const targets = importsOf(file).filter((path) => path.startsWith(src));
    return targets
      .filter((target) => layerOf(target, src) !== from && !allowed.includes(layerOf(target, src)))
      .map((target) => `${file} -> ${target}`);
  };

  test(`inside ${workspace} imports follow the layers`, () => {
    assert.deepEqual(sources(workspace).flatMap(strays), []);
  });
}

test('of a sibling controller only its api.ts and names.ts may be imported', () => {
  const folder = (path: string) => relative(`${root}/controllers`, path).split(sep)[0] as string;
  const broken: string[] = [];
  for (const file of sources('operator').filter((path) => /controllers\/[^/]+\//.test(path))) {
    for (const target of importsOf(file).filter((path) => /^operator\/src\/controllers\/[^/]+\//.test(path))) {
      if (folder(target) !== folder(file) && !/\/(api|names)\.ts$/.test(target)) broken.push(`${file} -> ${target}`);
    }
  }
  assert.deepEqual(broken, []);
});

test('in a controller folder only reconcile.ts (and its parts, reconcile-….ts), finalize.ts and index.ts may do anything but compute', () => {
  const pure = sources('operator').filter(
    (file) => /controllers\/[^/]+\//.test(file) && !/\/(reconcile(-\w+)?|finalize|index)\.ts$/.test(file),
  );
  const impure = pure.filter((file) => {
    const code = readFileSync(file, 'utf8').replace(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, '');
    return /from 'node:|new Date\(\)|Date\.now|Math\.random|\basync\b|\bawait\b/.test(code);
  });
  assert.deepEqual(impure, []);
});

test('what learns, judges and writes a model computes and nothing else: same data and seed, same bytes', () => {
  const impure = ['learn', 'evaluate', 'onnx'].flatMap((folder) =>
    sources('trainer-image').filter(
      (file) =>
        file.includes(`/src/${folder}/`) &&
        (importsOf(file).some((target) => target.startsWith('node:')) ||
          /Math\.random|Date\.now|new Date\(\)|process\./.test(readFileSync(file, 'utf8'))),
    ),
  );
  assert.deepEqual(impure, []);
});

test('only kube/ talks to the API server', () => {
  const users = sources('operator').filter((file) => importsOf(file).some((t) => t === '@kubernetes/client-node'));
  assert.deepEqual(
    users.filter((file) => layerOf(file) !== 'kube'),
    [],
  );
});

test('only main.ts and standalone commands end the process', () => {
  const allowed = new Set(['operator/src/main.ts', 'operator/src/crd/generate.ts']);
  const exiting = Object.keys(workspaces)
    .flatMap(sources)
    .filter(
      (file) => /process\.exit\(/.test(readFileSync(file, 'utf8')) && !file.endsWith('main.ts') && !allowed.has(file),
    );
  assert.deepEqual(exiting, []);
});

test('a workspace declares the packages it imports, and no others', () => {
  for (const workspace of Object.keys(workspaces)) {
    const { dependencies } = JSON.parse(readFileSync(`${workspace}/package.json`, 'utf8'));
    const imported = new Set(sources(workspace).flatMap(importsOf).map(packageOf));
    const used = Object.keys(dependencies).filter((name) => imported.has(name));
    assert.deepEqual(used.sort(), Object.keys(dependencies).sort(), workspace);
  }
});
