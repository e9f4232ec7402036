/** The pieces an operation of the document is put together from. */
import type { ServeSettings } from '@slipway/contract';
import type { Examples } from './examples.ts';
import { type Json, ref } from './schemas.ts';

/** What every answer carries. */
export const headerRefs: Json = {
  'x-model-version': { $ref: '#/components/headers/ModelVersion' },
  'x-artifact-sha256': { $ref: '#/components/headers/ArtifactSha256' },
  'x-request-id': { $ref: '#/components/headers/RequestId' },
};

/** The headers, once. */
export const componentHeaders: Json = {
  ModelVersion: { description: 'The version of the model that answered.', schema: { type: 'string' } },
  ArtifactSha256: { description: 'The digest of its files.', schema: { type: 'string' } },
  RequestId: {
    description: 'The name of the request: the one that was sent, or a new one.',
    schema: { type: 'string' },
  },
};

/** What a client may send with any request. */
export const componentParameters: Json = {
  RequestId: {
    name: 'X-Request-Id',
    in: 'header',
    required: false,
    description: 'Comes back with the answer and stands in the logs.',
    schema: { type: 'string', maxLength: 128 },
  },
};

/** An answer in JSON. */
export const json = (description: string, schema: Json, example?: unknown): Json => ({
  description,
  headers: headerRefs,
  content: { 'application/json': { schema, ...(example !== undefined && { example }) } },
});

/** An answer in plain text. */
export const text = (description: string, type = 'text/plain'): Json => ({
  description,
  headers: headerRefs,
  content: { [type]: { schema: { type: 'string' } } },
});

/** The refusals of an endpoint, each in the schema its clients parse; `examples` by status. Their headers are those of any answer. */
export const refusals = (
  schema: string,
  descriptions: Readonly<Record<string, string>>,
  examples: Readonly<Record<string, unknown>> = {},
): Json =>
  Object.fromEntries(
    Object.entries(descriptions).map(([status, description]) => {
      const example = examples[status];
      const content = { schema: ref(schema), ...(example !== undefined && { example }) };
      return [status, { description, content: { 'application/json': content } }];
    }),
  );

/** What any endpoint that predicts may refuse, whatever the body says. */
export const SHARED_REFUSALS: Readonly<Record<string, string>> = {
  413: 'The body is too large.',
  415: 'The content type is none that is taken here.',
  429: 'Too many requests are waiting; see Retry-After.',
  500: 'The model failed, or gave a number that is not finite; the log has more under the request id.',
  503: 'The model is still loading; see Retry-After.',
};

/** An operation that needs credentials, with how they are missed: in the form its protocol has for all refusals. */
export function withAccess(operation: Json, path: string, auth: NonNullable<ServeSettings['auth']>): Json {
  const form = /^\/v[12](\/|$)/.test(path) ? 'Error' : path === '/invocations' ? 'MLflowError' : 'DetailError';
  const given = operation['responses'] as Json;
  const responses = {
    ...refusals(form, {
      401: 'Credentials are missing, or not known here; WWW-Authenticate says which are wanted.',
      ...(auth.tokens && { 403: 'The service account of the token is not on the list of this service.' }),
      503: auth.apiKeys
        ? 'The service has no API keys yet, so that nobody can be let in.'
        : 'Not now; see Retry-After.',
    }),
    ...given,
  };
  return { ...operation, responses };
}

export interface Operation {
  readonly id: string;
  readonly tag: string;
  readonly summary: string;
  readonly description?: string;
  readonly responses: Json;
  readonly more?: Json;
}

/** One operation. */
export const operation = ({ id, tag, summary, description, responses, more }: Operation): Json => ({
  operationId: id,
  tags: [tag],
  summary,
  ...(description && { description }),
  ...more,
  responses,
});

/** A request body with examples, by media type; a media type without a schema of its own is text. */
export function requestBody(schema: Json, examples: Examples, more: Json = {}): Json {
  const types = [...new Set(['application/json', ...Object.values(examples).map(({ contentType }) => contentType)])];
  const content = types.map((type) => {
    const own = Object.entries(examples).filter(([, { contentType }]) => contentType === type);
    const shown = Object.fromEntries(own.map(([name, { summary, body }]) => [name, { summary, value: body }]));
    const form = type === 'application/json' ? schema : { type: 'string' };
    return [type, { schema: form, ...(own.length > 0 && { examples: shown }) }];
  });
  return { required: true, content: { ...Object.fromEntries(content), ...more } };
}

/** The answer of an endpoint that predicts, with what it really answered to the examples. */
export function predicted(schema: Json, examples: Examples, more: Json = {}): Json {
  const shown = Object.fromEntries(
    Object.entries(examples).map(([name, { summary, answer }]) => [name, { summary, value: answer }]),
  );
  const hasExamples = Object.keys(shown).length > 0;
  return {
    description: 'Predictions',
    headers: headerRefs,
    content: { 'application/json': { schema, ...(hasExamples && { examples: shown }) }, ...more },
  };
}
