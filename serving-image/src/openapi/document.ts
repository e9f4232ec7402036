/** The OpenAPI 3.1 document of one server with one model: built from its signature, with rows it really answers. */
import type { ServeSettings } from '@slipway/contract';
import type { ServedModel } from '../model/served-model.ts';
import { factsOf } from './facts.ts';
import { componentHeaders, componentParameters, withAccess } from './operations.ts';
import { pathsOf } from './paths.ts';
import { componentSchemas, type Json } from './schemas.ts';

export interface DocumentOptions {
  readonly model: ServedModel;
  /** Where the model's files lie. */
  readonly dir: string;
  /** How clients show who they are; absent: they need not. */
  readonly auth?: ServeSettings['auth'];
}

/** What is asked without credentials even where they are needed elsewhere. */
const OPEN = new Set([
  '/',
  '/livez',
  '/readyz',
  '/health',
  '/metrics',
  '/ping',
  '/docs',
  '/v2/health/live',
  '/v2/health/ready',
]);

/** The whole document. The model is asked about a few rows, for what it answers to stand in it. */
export async function describeServer({ model, dir, auth }: DocumentOptions): Promise<Json> {
  const { name, version, digest } = model.identity;
  const facts = await factsOf(model, dir);
  const schemes = schemesOf(auth);
  const paths = await pathsOf(model, facts);
  return {
    openapi: '3.1.0',
    info: {
      // The page shows the version beside it.
      title: name,
      version,
      summary: `Predictions of ${name}, version ${version}, in every protocol of this server`,
      description: [
        `Files of the model: sha256 \`${digest}\`.`,
        facts.rows.length === 0
          ? 'The model has no example rows.'
          : `The example rows ${facts.areOwn ? 'came with the model' : 'are made up'}; the answers are what it gives for them.`,
        'Every answer carries `x-model-version`, `x-artifact-sha256` and `x-request-id`, refusals too.',
      ].join(' '),
    },
    // Relative to where the document lies, so that it holds behind any prefix and any name.
    servers: [{ url: './' }],
    ...(schemes && { security: Object.keys(schemes).map((scheme) => ({ [scheme]: [] })) }),
    tags: [{ name: 'Predictions' }, { name: 'Service' }, { name: 'Health' }],
    paths: auth ? guarded(paths, auth) : paths,
    components: {
      schemas: componentSchemas(facts),
      headers: componentHeaders,
      parameters: componentParameters,
      ...(schemes && { securitySchemes: schemes }),
    },
  };
}

function schemesOf(auth: ServeSettings['auth']): Json | undefined {
  if (!auth) return undefined;
  const bearer = {
    type: 'http',
    scheme: 'bearer',
    description: auth.tokens
      ? `${auth.apiKeys ? 'An API key, or a' : 'A'} service-account token of the cluster for the audience ${auth.tokens.audience}.`
      : 'An API key.',
  };
  return {
    bearer,
    ...(auth.apiKeys && { apiKey: { type: 'apiKey', in: 'header', name: 'x-api-key' } }),
  };
}

/** What needs no credentials says so; everything else, how it refuses those who have none. */
function guarded(paths: Json, auth: NonNullable<ServeSettings['auth']>): Json {
  const entries = Object.entries(paths).map(([path, item]) => {
    const operations = Object.entries(item as Json).map(([method, one]) => [
      method,
      OPEN.has(path) ? { ...(one as Json), security: [] } : withAccess(one as Json, path, auth),
    ]);
    return [path, Object.fromEntries(operations)];
  });
  return Object.fromEntries(entries);
}
