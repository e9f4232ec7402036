/** Every path of the server, as operations of the document. */
import type { ServedModel } from '../model/served-model.ts';
import {
  inferExamples,
  invocationsExamples,
  invocationsRefusal,
  kserveV1Examples,
  kserveV1Refusal,
  predictExamples,
  predictRefusal,
} from './examples.ts';
import type { DescribedColumn, ModelFacts } from './facts.ts';
import { json, operation, predicted, refusals, requestBody, SHARED_REFUSALS, text } from './operations.ts';
import { type Json, listOf, objectOf, ref, rowSchema, spacedName } from './schemas.ts';

const PREDICT = 'Predictions';
const SERVICE = 'Service';
const HEALTH = 'Health';

const requestId = { parameters: [{ $ref: '#/components/parameters/RequestId' }] };
const loading = { 503: 'The model is still loading, or the server is leaving.' };

/** Paths by their text; the model's own name and version stand in them, so that each can be tried as it is. */
export async function pathsOf(model: ServedModel, facts: ModelFacts): Promise<Json> {
  return {
    '/predict': { post: await predict(model, facts) },
    '/invocations': { post: await invocations(model, facts) },
    ...(await kserveV1(model, facts)),
    ...(await openInference(model, facts)),
    ...service(),
    ...health(),
  };
}

async function predict(model: ServedModel, facts: ModelFacts): Promise<Json> {
  const examples = await predictExamples(model, facts);
  const { columns } = facts;
  const isSpaced = columns.some(({ name }) => spacedName(name) !== name);
  return operation({
    id: 'predict',
    tag: PREDICT,
    summary: 'Predict from named features',
    description:
      'The answer has the form of the request. Names match exactly first, then without regard to case, punctuation and ' +
      'what stands in parentheses: `Sepal Length (cm)` is `sepal_length`.',
    more: { ...requestId, requestBody: requestBody({ anyOf: predictBodies(columns, isSpaced) }, examples) },
    responses: {
      200: predicted({ anyOf: predictAnswers() }, examples),
      ...refusals(
        'DetailError',
        { ...SHARED_REFUSALS, 422: 'The first fault of the body, and where it stands.' },
        { 422: await predictRefusal(model, facts) },
      ),
    },
  });
}

const predictBodies = (columns: readonly DescribedColumn[], isSpaced: boolean): Json[] => [
  objectOf({ samples: listOf(ref('Row')) }),
  ref('Row'),
  ...(isSpaced ? [rowSchema(columns, spacedName)] : []),
];

const ids = listOf({ type: ['integer', 'string', 'null'] });
const predictAnswers = (): Json[] => [
  objectOf({ class_id: ids, class_label: listOf({ type: 'string' }) }),
  objectOf({ status: { type: 'string' }, prediction: { type: 'string' }, probability: { type: 'number' } }, [
    'status',
    'prediction',
  ]),
  objectOf({ prediction: { type: ['number', 'string', 'array'] } }),
];

async function invocations(model: ServedModel, facts: ModelFacts): Promise<Json> {
  const examples = await invocationsExamples(model, facts);
  const { 415: unsupported, ...shared } = SHARED_REFUSALS;
  const form = (name: string, schema: Json): Json =>
    objectOf({ [name]: schema, params: { type: 'object', properties: { probabilities: { type: 'boolean' } } } }, [
      name,
    ]);
  const table = objectOf({ columns: listOf({ type: 'string' }), data: listOf({ type: 'array', items: true }) }, [
    'data',
  ]);
  const forms = [
    form('dataframe_split', table),
    form('dataframe_records', listOf(ref('Record'))),
    form('instances', ref('Rows')),
    form('inputs', ref('Rows')),
  ];
  return operation({
    id: 'invocations',
    tag: PREDICT,
    summary: "MLflow's scoring protocol",
    description: 'Exactly one of the four fields, or a table as text. Columns come in any order; others are ignored.',
    more: { ...requestId, requestBody: requestBody({ oneOf: forms }, examples) },
    responses: {
      200: predicted(ref('Predictions'), examples),
      ...refusals(
        'MLflowError',
        { ...shared, 400: 'What is wrong with the body, and where.' },
        { 400: await invocationsRefusal(model, facts) },
      ),
      415: text(unsupported as string),
    },
  });
}

async function kserveV1(model: ServedModel, facts: ModelFacts): Promise<Json> {
  const { name } = model.identity;
  const base = `/v1/models/${encodeURIComponent(name)}`;
  const examples = await kserveV1Examples(model, facts, `${base}:predict`);
  const body = { anyOf: ['instances', 'inputs'].map((field) => objectOf({ [field]: ref('Rows') })) };
  return {
    '/v1/models': get(
      'v1Models',
      SERVICE,
      'KServe V1: the models here',
      objectOf({ models: listOf({ type: 'string' }) }),
    ),
    [base]: get(
      'v1Model',
      SERVICE,
      'KServe V1: is the model ready',
      objectOf({ name: { type: 'string' }, ready: { type: 'boolean' } }),
      loading,
    ),
    [`${base}:predict`]: {
      post: operation({
        id: 'v1Predict',
        tag: PREDICT,
        summary: 'KServe V1',
        more: { ...requestId, requestBody: requestBody(body, examples) },
        responses: {
          200: predicted(ref('Predictions'), examples),
          ...refusals(
            'Error',
            { ...SHARED_REFUSALS, 400: 'What is wrong with the body, and where.' },
            { 400: await kserveV1Refusal(model, facts, `${base}:predict`) },
          ),
        },
      }),
    },
    [`${base}:explain`]: {
      post: operation({
        id: 'v1Explain',
        tag: SERVICE,
        summary: 'KServe V1: explanations, which this server does not give',
        responses: refusals('Error', { 501: 'Not given here.' }),
      }),
    },
  };
}

async function openInference(model: ServedModel, facts: ModelFacts): Promise<Json> {
  const { name, version } = model.identity;
  const base = `/v2/models/${encodeURIComponent(name)}`;
  const versioned = `${base}/versions/${encodeURIComponent(version)}`;
  const ready = objectOf({ name: { type: 'string' }, ready: { type: 'boolean' } });
  const infer = async (id: string, path: string, summary: string): Promise<Json> => {
    const examples = await inferExamples(model, facts, path);
    return { post: inferOperation(id, summary, examples) };
  };
  return {
    '/v2': get(
      'v2Server',
      SERVICE,
      'Open Inference Protocol: the server',
      objectOf({
        name: { type: 'string' },
        version: { type: 'string' },
        extensions: listOf({ type: 'string' }),
      }),
    ),
    '/v2/health/live': get('v2Live', HEALTH, 'Open Inference Protocol: alive', objectOf({ live: { type: 'boolean' } })),
    '/v2/health/ready': get(
      'v2Ready',
      HEALTH,
      'Open Inference Protocol: ready',
      objectOf({ ready: { type: 'boolean' } }),
      loading,
    ),
    '/v2/models': get(
      'v2Models',
      SERVICE,
      'Open Inference Protocol: the models here',
      objectOf({ models: listOf({ type: 'string' }) }),
    ),
    [base]: get('v2Model', SERVICE, 'Open Inference Protocol: the tensors of the model', ref('ModelMetadata'), loading),
    [`${base}/ready`]: get('v2ModelReady', HEALTH, 'Open Inference Protocol: is the model ready', ready, loading),
    [`${base}/infer`]: await infer('v2Infer', `${base}/infer`, 'Open Inference Protocol V2'),
    [versioned]: get(
      'v2ModelVersion',
      SERVICE,
      'Open Inference Protocol: the tensors of this version',
      ref('ModelMetadata'),
      loading,
    ),
    [`${versioned}/ready`]: get(
      'v2VersionReady',
      HEALTH,
      'Open Inference Protocol: is this version ready',
      ready,
      loading,
    ),
    [`${versioned}/infer`]: await infer(
      'v2VersionInfer',
      `${versioned}/infer`,
      'Open Inference Protocol V2, of this version only',
    ),
    '/v2/repository/index': {
      post: operation({
        id: 'v2Repository',
        tag: SERVICE,
        summary: 'Open Inference Protocol: what is loaded',
        responses: {
          200: json(
            'The one model.',
            listOf(
              objectOf({
                name: { type: 'string' },
                version: { type: 'string' },
                state: { type: 'string' },
                reason: { type: 'string' },
              }),
            ),
          ),
        },
      }),
    },
  };
}

const BINARY =
  'Tensors may also come as bytes behind the JSON (the binary tensor data extension): the header ' +
  '`Inference-Header-Content-Length` says how long the JSON is, and `parameters.binary_data_size` of each tensor how many ' +
  'bytes, little-endian, are its own. `parameters.binary_data` of an output, or `binary_data_output` of the request, asks ' +
  'for an answer of that form.';

function inferOperation(id: string, summary: string, examples: Awaited<ReturnType<typeof inferExamples>>): Json {
  return operation({
    id,
    tag: PREDICT,
    summary,
    description: BINARY,
    more: {
      parameters: [
        ...requestId.parameters,
        {
          name: 'Inference-Header-Content-Length',
          in: 'header',
          required: false,
          description: 'Bytes of JSON, where tensors follow as bytes.',
          schema: { type: 'integer', minimum: 0 },
        },
      ],
      requestBody: requestBody(ref('InferRequest'), examples, {
        'application/octet-stream': bytes('The JSON of a request, and behind it the bytes of its tensors.'),
      }),
    },
    responses: {
      200: withHeaderLength(
        predicted(ref('InferResponse'), examples, {
          'application/octet-stream': bytes('The JSON of an answer, and behind it the bytes of its tensors.'),
        }),
      ),
      ...refusals('Error', { ...SHARED_REFUSALS, 400: 'What is wrong with the body, and where.' }),
    },
  });
}

const bytes = (description: string): Json => ({
  schema: { type: 'string', contentMediaType: 'application/octet-stream', description },
});

const withHeaderLength = (answer: Json): Json => ({
  ...answer,
  headers: {
    ...(answer['headers'] as Json),
    'Inference-Header-Content-Length': {
      description: 'Bytes of JSON, where tensors follow as bytes.',
      schema: { type: 'integer', minimum: 0 },
    },
  },
});

/** A GET that answers JSON; `refused` in the form of its protocol. */
function get(
  id: string,
  tag: string,
  summary: string,
  schema: Json,
  refused: Readonly<Record<string, string>> = {},
): Json {
  return {
    get: operation({ id, tag, summary, responses: { 200: json('OK', schema), ...refusals('Error', refused) } }),
  };
}

const async = {
  name: 'Prefer',
  in: 'header',
  required: false,
  description: '`respond-async`: answered at once with 202.',
  schema: { type: 'string' },
};

function service(): Json {
  const version = { type: ['string', 'integer'], description: 'A number, a stage, `latest`, or `@` and an alias.' };
  const versionBody = { schema: objectOf({ version }), examples: {} };
  return {
    '/model/version': {
      get: operation({
        id: 'modelVersion',
        tag: SERVICE,
        summary: 'Which version answers',
        responses: { 200: json('OK', ref('Version')), ...refusals('DetailError', loading) },
      }),
      post: operation({
        id: 'switchVersion',
        tag: SERVICE,
        summary: 'Switch to another version',
        description: 'Changes the InferenceService, for all replicas and for good; answered once they all have it.',
        more: {
          parameters: [async],
          requestBody: requestBody(versionBody.schema, {
            number: {
              summary: 'A version',
              contentType: 'application/json',
              body: { version: '2' },
              answer: undefined,
            },
            stage: {
              summary: 'A stage',
              contentType: 'application/json',
              body: { version: 'Production' },
              answer: undefined,
            },
          }),
        },
        responses: {
          200: json('Every replica answers with it.', ref('Version')),
          202: json('It rolls out.', { type: 'object' }),
          ...refusals('DetailError', {
            403: 'This service lets no client switch its version.',
            404: 'There is no such version.',
            409: 'The version does not answer, or the field belongs to somebody else.',
            422: 'What is wrong with the body.',
            503: 'The operator does not answer.',
          }),
        },
      }),
    },
    '/train': {
      post: operation({
        id: 'train',
        tag: SERVICE,
        summary: "Start a run of the service's TrainingJob",
        more: {
          parameters: [
            async,
            {
              name: 'Idempotency-Key',
              in: 'header',
              required: false,
              description: 'The same key again is the same run.',
              schema: { type: 'string', maxLength: 255 },
            },
          ],
          requestBody: {
            required: false,
            content: {
              'application/json': {
                schema: { type: 'object', description: 'Parameters of the algorithm.' },
                examples: { defaults: { summary: 'As the TrainingJob says', value: {} } },
              },
            },
          },
        },
        responses: {
          200: json('The run has ended.', ref('Run')),
          202: json('It goes on.', ref('Run')),
          ...refusals('DetailError', {
            403: 'This service starts no runs.',
            404: 'The TrainingJob is not there.',
            422: 'What is wrong with the parameters.',
            429: 'Too many clients wait for runs.',
            503: 'The operator does not answer.',
          }),
        },
      }),
    },
    '/train/{run}': {
      get: operation({
        id: 'run',
        tag: SERVICE,
        summary: 'How a run goes',
        more: { parameters: [{ name: 'run', in: 'path', required: true, schema: { type: 'string' } }] },
        responses: {
          200: json('The run has ended.', ref('Run')),
          202: json('It goes on.', ref('Run')),
          ...refusals('DetailError', {
            403: 'This service starts no runs.',
            404: 'There is no such run.',
            503: 'The operator does not answer.',
          }),
        },
      }),
    },
    '/version': {
      get: operation({
        id: 'version',
        tag: SERVICE,
        summary: 'The version of the server',
        responses: { 200: text('OK') },
      }),
    },
    '/': {
      get: operation({
        id: 'links',
        tag: SERVICE,
        summary: 'Where to read on',
        description: 'A browser is sent to `/docs`.',
        responses: {
          200: json(
            'OK',
            objectOf({ docs: { type: 'string' }, openapi: { type: 'string' }, health: { type: 'string' } }),
          ),
          302: { description: 'To the page.' },
        },
      }),
    },
    '/openapi.json': {
      get: operation({
        id: 'openapi',
        tag: SERVICE,
        summary: 'This document',
        responses: { 200: json('OK', { type: 'object' }), ...refusals('DetailError', loading) },
      }),
    },
    '/docs': {
      get: operation({
        id: 'docs',
        tag: SERVICE,
        summary: 'This document as a page',
        responses: { 200: text('OK', 'text/html') },
      }),
    },
  };
}

function health(): Json {
  const status = objectOf({ status: { type: 'string' } });
  const ready = { 200: json('Yes', status), 503: json('Not now', status) };
  return {
    '/health': {
      get: operation({
        id: 'health',
        tag: HEALTH,
        summary: 'What is served, by what, and how it is',
        responses: { 200: json('The model is loaded.', ref('Health')), 503: json('It is not.', ref('Health')) },
      }),
    },
    '/livez': {
      get: operation({
        id: 'livez',
        tag: HEALTH,
        summary: 'Is the process alive',
        responses: { 200: json('Yes', status) },
      }),
    },
    '/readyz': {
      get: operation({ id: 'readyz', tag: HEALTH, summary: 'May requests be sent here', responses: ready }),
    },
    '/ping': {
      get: operation({
        id: 'ping',
        tag: HEALTH,
        summary: "MLflow's question whether the model is ready",
        responses: { 200: text('Yes', 'application/json'), 503: text('Not now', 'application/json') },
      }),
    },
    '/metrics': {
      get: operation({ id: 'metrics', tag: HEALTH, summary: 'Metrics for Prometheus', responses: { 200: text('OK') } }),
    },
  };
}
