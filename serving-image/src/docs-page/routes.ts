/** `GET /openapi.json`, and `GET /docs`: the same as a page, from files of this image only. Nothing is loaded before it is asked for. */
import { createReadStream, existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { ServeSettings } from '@slipway/contract';
import { type Response, Router } from 'express';
import type { ServedModel } from '../model/served-model.ts';
import { methodNotAllowed, notReady } from '../request/refusal.ts';
import type { ServerState } from '../request/state.ts';
import { PAGE_SCRIPT, PAGE_STYLE, pageFor } from './page.ts';

export interface DocsOptions {
  readonly state: ServerState;
  /** Where the model's files lie. */
  readonly modelDir: string;
  readonly auth?: ServeSettings['auth'];
}

/** Everything comes from this server, scripts and styles only as files, and nobody may frame the page. */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

const PAGE_HEADERS = {
  'content-security-policy': POLICY,
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cache-control': 'no-cache',
};

const ASSETS: Readonly<Record<string, string>> = {
  'swagger-ui-bundle.js': 'text/javascript',
  'swagger-ui.css': 'text/css',
};

/** Mounted at the root. Throws Refusals for the app to word. */
export function docsRoutes({ state, modelDir, auth }: DocsOptions): Router {
  const router = Router({ strict: true });
  let described: { readonly model: ServedModel; readonly json: Promise<string> } | undefined;

  async function describe(model: ServedModel): Promise<string> {
    const { describeServer } = await import('../openapi/document.ts');
    return JSON.stringify(await describeServer({ model, dir: modelDir, ...(auth && { auth }) }));
  }

  function documentOf(model: ServedModel): Promise<string> {
    if (described?.model !== model) {
      const json = describe(model);
      described = { model, json };
      // What failed once is tried again.
      json.catch(() => {
        described = undefined;
      });
    }
    return described.json;
  }

  const get = (path: string, handler: (response: Response) => void | Promise<void>): void => {
    router.get(path, (_, response) => handler(response));
    router.all(path, () => {
      throw methodNotAllowed('GET');
    });
  };
  // Relative, so that it holds behind a prefix.
  get('/', (response) => {
    response.vary('accept');
    if (response.req.accepts('json', 'html') === 'html') return response.redirect(302, './docs');
    const { name, version } = state.identity;
    response.json({
      ...{ model_name: name, version },
      ...{ docs: './docs', openapi: './openapi.json', health: './health' },
    });
  });
  get('/openapi.json', async (response) => {
    if (!state.model) throw notReady();
    response
      .set('cache-control', 'no-cache')
      .type('json')
      .send(await documentOf(state.model));
  });
  get('/docs', (response) => void response.set(PAGE_HEADERS).type('html').send(pageFor(state.identity)));
  get('/docs/', (response) => void response.redirect(308, '../docs'));
  get('/docs/page.js', (response) => void response.set(PAGE_HEADERS).type('text/javascript').send(PAGE_SCRIPT));
  get('/docs/page.css', (response) => void response.set(PAGE_HEADERS).type('text/css').send(PAGE_STYLE));
  for (const [name, type] of Object.entries(ASSETS)) {
    get(`/docs/${name}`, async (response) => {
      response.set(PAGE_HEADERS).set('cache-control', 'max-age=3600').type(type);
      // A client that goes away in between is no fault of ours.
      await pipeline(createReadStream(join(assetFolder(), name)), response).catch(() => response.destroy());
    });
  }
  return router;
}

/** Beside the bundle in the image; in the package the files come from during development. */
function assetFolder(): string {
  const beside = join(import.meta.dirname, 'swagger-ui');
  return existsSync(beside) ? beside : dirname(createRequire(import.meta.url).resolve('swagger-ui-dist/package.json'));
}
