/** `GET /openapi.json` and the page at `/docs`: what they say is what the server does. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, describe, type TestContext, test } from 'node:test';
import type { ServeSettings } from '@slipway/contract';
import { docsRoutes } from '../src/docs-page/routes.ts';
import { versionRoutes } from '../src/protocols/model-version.ts';
import { trainRoutes } from '../src/protocols/train.ts';
import { checkRules, type Json, mismatch, operationsOf, resolve } from './docs-rules.ts';
import { filesOf, modelFolder } from './folder.ts';
import { type InProcess, serveHere } from './in-process.ts';
import { echo, iris, irisOneRow, irisRow, network, regressor, SPECIES, type TestModel } from './models.ts';

const cleanups: (() => unknown)[] = [];
const context = { after: (fn: () => unknown) => void cleanups.push(fn) };
after(async () => {
  for (const cleanup of cleanups.reverse()) await cleanup();
});

/** The server with everything the document speaks of. */
function serveDescribed(
  t: Pick<TestContext, 'after'>,
  model: Parameters<typeof serveHere>[1],
  auth?: ServeSettings['auth'],
): Promise<InProcess> {
  return serveHere(t, model, {
    routes: (state, { dir }) => {
      const asking = { state, operator: undefined, waitMs: 1, hurry: new AbortController().signal };
      return [
        { path: '/train', handler: trainRoutes(asking) },
        { path: '/model/version', handler: versionRoutes(asking) },
        { path: '/', handler: docsRoutes({ state, modelDir: dir, ...(auth && { auth }) }) },
      ];
    },
  });
}

async function documentOf(server: InProcess): Promise<Json> {
  const response = await fetch(`${server.url}/openapi.json`);
  assert.equal(response.status, 200);
  return (await response.json()) as Json;
}

interface Sent {
  readonly path: string;
  readonly name: string;
  readonly type: string;
  readonly schema: Json;
  readonly value: unknown;
  readonly answerSchema: Json;
  readonly answer: unknown;
}
/** Every example of a request that predicts, with the answer the document shows for it. */
const examplesOf = (document: Json): Sent[] =>
  operationsOf(document)
    .filter(({ operation }) => (operation['tags'] as string[])[0] === 'Predictions')
    .flatMap(({ path, operation }) => {
      const content = ((operation['requestBody'] as Json | undefined)?.['content'] ?? {}) as Record<string, Json>;
      const answers = ((operation['responses'] as Json)['200'] as Json | undefined)?.['content'] as Record<
        string,
        Json
      >;
      return Object.entries(content).flatMap(([type, { schema, examples }]) =>
        Object.entries((examples ?? {}) as Record<string, Json>).map(([name, { value }]) => {
          const shown = answers['application/json'] as Json;
          const answer = (shown['examples'] as Record<string, Json>)[name]?.['value'];
          return { path, name, type, schema: schema as Json, value, answerSchema: shown['schema'] as Json, answer };
        }),
      );
    });

const ask = (server: InProcess, { path, type, value }: Pick<Sent, 'path' | 'type' | 'value'>): Promise<Response> =>
  fetch(`${server.url}${path}`, {
    method: 'POST',
    headers: { 'content-type': type },
    body: typeof value === 'string' ? value : JSON.stringify(value),
  });

const described: [name: string, model: TestModel][] = [
  ['a classifier with examples', iris],
  ['a classifier of one row at a time', irisOneRow],
  ['a regressor with a text column', regressor],
  ['whole numbers and truth values, without a signature', echo],
  ['a model without signature and examples', network([6, 3])],
];

describe('GET /openapi.json', () => {
  for (const [name, model] of described) {
    test(`${name}: keeps the rules of OpenAPI 3.1; every path answers; every example is answered as it says`, async (t) => {
      const server = await serveDescribed(t, model);
      const document = await documentOf(server);
      checkRules(document);

      for (const { path, method } of operationsOf(document)) {
        const response = await fetch(`${server.url}${path.replace('{run}', 'x')}`, {
          method,
          ...(method === 'post' && { headers: { 'content-type': 'application/json' }, body: '{}' }),
        });
        await response.arrayBuffer();
        const documented = document['paths'] as Record<string, Record<string, { responses: Json }>>;
        const statuses = Object.keys(documented[path]?.[method]?.responses ?? {});
        assert.notEqual(response.status, 404, `${method} ${path}`);
        assert.ok(
          statuses.includes(String(response.status)),
          `${method} ${path}: ${response.status} is not documented`,
        );
      }

      const examples = examplesOf(document);
      for (const path of [
        '/predict',
        '/invocations',
        '/v1/models/iris:predict',
        '/v2/models/iris/infer',
        '/v2/models/iris/versions/2/infer',
      ]) {
        assert.ok(
          examples.some((example) => example.path === path),
          `${path} has an example`,
        );
      }
      for (const example of examples) {
        const where = `${example.path} ${example.name}`;
        const response = await ask(server, example);
        const text = await response.text();
        assert.equal(response.status, 200, `${where}: ${text}`);
        assert.deepEqual(JSON.parse(text), example.answer, where);
        assert.equal(mismatch(document, example.schema, example.value), undefined, where);
        assert.equal(mismatch(document, example.answerSchema, example.answer), undefined, where);
      }
    });
  }

  test('rows of the model itself, its features, their types and the names of classes stand in it', async (t) => {
    const document = await documentOf(await serveDescribed(t, iris));
    assert.equal((document['info'] as Json)['title'], 'iris', 'the page shows the version beside it');
    const samples = examplesOf(document).find(({ path, name }) => path === '/predict' && name === 'samples');
    assert.deepEqual((samples?.value as { samples: unknown[] } | undefined)?.samples[0], irisRow([5.1, 3.5, 1.4, 0.2]));
    assert.deepEqual(samples?.answer, { class_id: [0, 2], class_label: [SPECIES[0], SPECIES[2]] });
    const row = resolve(document, '#/components/schemas/Row') as { properties: Json; required: string[] };
    assert.deepEqual(row.properties['petal_width'], { type: 'number', format: 'float' });
    assert.equal(row.required.length, 4);
    const forms = examplesOf(document).filter(({ path }) => path === '/invocations');
    assert.deepEqual(forms.map(({ name }) => name).sort(), [
      'csv',
      'dataframe_records',
      'dataframe_split',
      'inputs',
      'instances',
      'probabilities',
    ]);
  });

  test('texts the graph knows are an enum; what the signature lets be missing may be null; ranges of the training are told', async (t) => {
    const signature = {
      ...(regressor.signature as NonNullable<TestModel['signature']>),
      inputs: [
        { name: 'sex', type: 'string' as const },
        { name: 'length', type: 'float32' as const, optional: true },
      ],
    };
    const profile = { version: 1, features: [{ name: 'length', min: 0.1, max: 0.8 }] };
    const files = {
      ...filesOf({ onnx: regressor.onnx, signature }),
      'profile.json': Buffer.from(JSON.stringify(profile)),
    };
    const document = await documentOf(await serveDescribed(t, await modelFolder(t, files)));
    const row = resolve(document, '#/components/schemas/Row') as {
      properties: Record<string, Json>;
      required: string[];
    };
    assert.deepEqual(row.properties['sex']?.['enum'], ['F', 'I', 'M']);
    assert.deepEqual(row.properties['length']?.['type'], ['number', 'null']);
    assert.match(String(row.properties['length']?.['description']), /Between 0\.1 and 0\.8/);
    assert.deepEqual(row.required, ['sex']);
    const sent = examplesOf(document).find(({ name }) => name === 'samples')?.value as { samples: Json[] };
    assert.deepEqual(sent.samples, [
      { sex: 'F', length: 0.45 },
      { sex: 'I', length: 0.275 },
    ]);
  });

  test('how clients show who they are is in it only where they must, and open paths stay open', async (t) => {
    const open = await documentOf(await serveDescribed(t, iris));
    assert.equal(open['security'], undefined);
    assert.equal((open['components'] as Json)['securitySchemes'], undefined);
    const document = await documentOf(await serveDescribed(t, iris, { apiKeys: true }));
    checkRules(document);
    assert.deepEqual(document['security'], [{ bearer: [] }, { apiKey: [] }]);
    const security = (path: string, method: string) =>
      operationsOf(document).find((one) => one.path === path && one.method === method)?.operation['security'];
    assert.deepEqual(security('/livez', 'get'), []);
    assert.equal(security('/predict', 'post'), undefined);
    const answers = (told: Json, path: string) =>
      operationsOf(told)
        .filter((one) => one.path === path)
        .flatMap(({ operation }) => Object.keys(operation['responses'] as Json));
    const refusals: [path: string, form: string][] = [
      ['/predict', 'DetailError'],
      ['/invocations', 'MLflowError'],
      ['/v1/models/iris:predict', 'Error'],
      ['/v2/models', 'Error'],
    ];
    const tokens = { audience: 'slipway', serviceAccounts: ['web/shop'] };
    const withTokens = await documentOf(await serveDescribed(t, iris, { apiKeys: false, tokens }));
    for (const [path, form] of refusals) {
      assert.ok(!answers(open, path).includes('401'), path);
      assert.ok(answers(document, path).includes('401') && !answers(document, path).includes('403'), path);
      assert.ok(answers(withTokens, path).includes('403'), path);
      const [found] = operationsOf(document).filter((one) => one.path === path);
      const refused = (found?.operation['responses'] as Record<string, unknown> | undefined)?.['401'] as
        | { content: Record<string, Json> }
        | undefined;
      assert.deepEqual(refused?.content['application/json']?.['schema'], { $ref: `#/components/schemas/${form}` });
    }
    for (const path of ['/', '/health', '/docs']) assert.ok(!answers(withTokens, path).includes('401'), path);
    for (const path of ['/predict', '/invocations', '/v1/models/iris:predict', '/v2/models/iris/infer']) {
      for (const status of ['429', '500', '503']) assert.ok(answers(open, path).includes(status), `${path} ${status}`);
    }
  });

  test('the bytes of the Open Inference Protocol stand in it, in both directions', async (t) => {
    const document = await documentOf(await serveDescribed(t, iris));
    const infer = operationsOf(document).find(({ path }) => path === '/v2/models/iris/infer')?.operation as {
      requestBody: { content: Json };
      responses: Record<string, { content: Json; headers: Json }>;
    };
    assert.ok(infer.requestBody.content['application/octet-stream']);
    assert.ok(infer.responses['200']?.content['application/octet-stream']);
    assert.ok(infer.responses['200']?.headers['Inference-Header-Content-Length']);
  });

  test('while the model is loading there is no document yet', async (t) => {
    const server = await serveDescribed(t, iris);
    const { model } = server.state;
    server.state.model = undefined;
    assert.equal((await fetch(`${server.url}/openapi.json`)).status, 503);
    assert.equal((await fetch(`${server.url}/docs`)).status, 200);
    server.state.model = model;
    assert.equal((await fetch(`${server.url}/openapi.json`)).status, 200);
    assert.equal((await fetch(`${server.url}/openapi.json`, { method: 'POST' })).status, 405);
  });
});

describe('GET /docs', () => {
  let server: InProcess;
  before(async () => {
    server = await serveDescribed(context, iris);
  });

  test('a page named after model and version, everything on it from this server, under a policy that says so', async () => {
    const response = await fetch(`${server.url}/docs`);
    const html = await response.text();
    assert.equal(response.headers.get('content-type'), 'text/html; charset=utf-8');
    assert.match(html, /<title>iris 2<\/title>/);
    const policy = response.headers.get('content-security-policy') ?? '';
    assert.match(policy, /default-src 'none'/);
    assert.doesNotMatch(policy, /unsafe|https?:|\*/);
    assert.doesNotMatch(html, /<script>|<style|\son\w+=|style=/, 'nothing inline');
    const named = [...html.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, url]) => url as string);
    assert.ok(named.length >= 4);
    for (const url of named.filter((one) => one !== 'data:,')) {
      assert.doesNotMatch(url, /^(https?:)?\/\//);
      const got = await fetch(new URL(url, response.url));
      assert.equal(got.status, 200, url);
      assert.equal(got.headers.get('x-content-type-options') ?? 'nosniff', 'nosniff');
      await got.arrayBuffer();
    }
  });

  test('the script of the page names no other host, and the files are those of the package', async () => {
    const script = await (await fetch(`${server.url}/docs/page.js`)).text();
    assert.doesNotMatch(script, /https?:\/\//);
    const served = await (await fetch(`${server.url}/docs/swagger-ui.css`)).text();
    const path = import.meta.resolve('swagger-ui-dist/swagger-ui.css');
    assert.equal(served, readFileSync(new URL(path), 'utf8'));
  });

  test('who does not know where to look is told, and a browser is sent to the page', async () => {
    const links = await fetch(server.url);
    assert.deepEqual(await links.json(), {
      ...{ model_name: 'iris', version: '2' },
      ...{ docs: './docs', openapi: './openapi.json', health: './health' },
    });
    const page = await fetch(server.url, { headers: { accept: 'text/html,*/*;q=0.8' }, redirect: 'manual' });
    assert.deepEqual([page.status, page.headers.get('location'), page.headers.get('vary')], [302, './docs', 'accept']);
    assert.equal((await fetch(server.url, { method: 'POST' })).status, 405);
  });

  test('other files are not there, whatever the path says', async () => {
    for (const path of ['/docs/package.json', '/docs/swagger-ui.js.map', '/docs/..%2fpackage.json', '/docs/%2e%2e/x']) {
      assert.equal((await fetch(`${server.url}${path}`)).status, 404, path);
    }
    const moved = await fetch(`${server.url}/docs/`, { redirect: 'manual' });
    assert.deepEqual([moved.status, moved.headers.get('location')], [308, '../docs']);
  });
});
