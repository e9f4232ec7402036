/** `/api/v1/namespaces/{namespace}/…`: what the registry knows, read only. */
import type { RegistryReader } from '@slipway/database';
import { type Request, type Response, Router } from 'express';
import { z } from 'zod';
import { ApiError } from '../errors.ts';
import type { Admit } from '../http/exchange.ts';
import { paged, pageOf } from './page.ts';

const MAX_INT = 2 ** 31 - 1;
const integer = z.int().min(0).max(MAX_INT);
const numberInPath = (pattern: RegExp) =>
  z
    .string()
    .regex(pattern)
    .transform(Number)
    .refine((n) => n <= MAX_INT);

const parts = {
  namespace: [z.string().regex(/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/), 'the name of a Kubernetes namespace'],
  experimentId: [numberInPath(/^\d{1,10}$/), 'a number'],
  runId: [z.string().regex(/^[0-9a-f]{32}$/), '32 lower-case hex characters'],
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is refused here
  model: [z.string().regex(/^[^/:\u0000-\u001f\u007f]{1,256}$/), 'the name of a model'],
  version: [numberInPath(/^[1-9]\d{0,9}$/), 'a number from 1'],
} as const;

type Part = keyof typeof parts;
type PartOf<P extends Part> = z.infer<(typeof parts)[P][0]>;

/** A part of the path, checked. */
function part<P extends Part>(request: Request, name: P): PartOf<P> {
  const [schema, expected] = parts[name];
  const parsed = schema.safeParse(request.params[name]);
  if (!parsed.success) throw new ApiError('INVALID_PARAMETER_VALUE', `${name} in the path: expected ${expected}`);
  return parsed.data as PartOf<P>;
}

const missing = (message: string): ApiError => new ApiError('RESOURCE_DOES_NOT_EXIST', message);

function experimentRoutes(reader: RegistryReader): Router {
  const routes = Router({ mergeParams: true });

  routes.get('/experiments', async (request, response) => {
    const page = pageOf(request.query, integer);
    const { rows, ...next } = await paged(
      page,
      (p) => reader.experiments(part(request, 'namespace'), p),
      (row) => Number(row.experimentId),
    );
    response.json({ experiments: rows, ...next });
  });

  routes.get('/experiments/:experimentId/runs', async (request, response) => {
    const [namespace, id] = [part(request, 'namespace'), part(request, 'experimentId')];
    const page = pageOf(request.query, z.string().regex(/^[0-9a-f]{32}$/));
    if (!(await reader.hasExperiment(namespace, id)))
      throw missing(`No experiment with id=${id} exists in namespace ${namespace}`);
    const { rows, ...next } = await paged(
      page,
      (p) => reader.runs(namespace, id, p),
      (row) => row.runId,
    );
    response.json({ runs: rows, ...next });
  });

  routes.get('/runs/:runId', async (request, response) => {
    const [namespace, runId] = [part(request, 'namespace'), part(request, 'runId')];
    const run = await reader.run(namespace, runId);
    if (!run) throw missing(`Run with id=${runId} not found in namespace ${namespace}`);
    response.json(run);
  });
  return routes;
}

/** The year 0 is none to Postgres. */
const Moment = z.iso.datetime({ offset: true }).regex(/^(?!0000)/);

/** Where the versions of a model stood at the moment that `at` names. */
async function stateAt(reader: RegistryReader, request: Request): Promise<object> {
  const [namespace, model] = [part(request, 'namespace'), part(request, 'model')];
  const at = Moment.safeParse(request.query['at']);
  if (!at.success)
    throw new ApiError('INVALID_PARAMETER_VALUE', 'at: expected a time such as 2026-01-31T12:00:00Z (RFC 3339)');
  const state = await reader.stateAt(namespace, model, at.data);
  if (!state) throw missing(`Registered Model with name=${model} not found in namespace ${namespace}`);
  return { at: at.data, ...state };
}

function modelRoutes(reader: RegistryReader): Router {
  const routes = Router({ mergeParams: true });

  const existing = async (request: Request): Promise<{ namespace: string; model: string }> => {
    const [namespace, model] = [part(request, 'namespace'), part(request, 'model')];
    if (!(await reader.model(namespace, model)))
      throw missing(`Registered Model with name=${model} not found in namespace ${namespace}`);
    return { namespace, model };
  };

  routes.get('/models', async (request, response) => {
    const page = pageOf(request.query, z.string().max(250));
    const { rows, ...next } = await paged(
      page,
      (p) => reader.models(part(request, 'namespace'), p),
      (row) => row.name,
    );
    response.json({ models: rows, ...next });
  });

  routes.get('/models/:model', async (request, response) => {
    const { namespace, model } = await existing(request);
    response.json(await reader.model(namespace, model));
  });

  routes.get('/models/:model/versions', async (request, response) => {
    const page = pageOf(request.query, integer);
    const { namespace, model } = await existing(request);
    const { rows, ...next } = await paged(
      page,
      (p) => reader.versions(namespace, model, p),
      (row) => row.version,
    );
    response.json({ versions: rows, ...next });
  });

  routes.get('/models/:model/versions/:version', async (request, response) => {
    const [namespace, model, version] = [part(request, 'namespace'), part(request, 'model'), part(request, 'version')];
    const row = await reader.version(namespace, model, version);
    if (!row) throw missing(`Model Version (name=${model}, version=${version}) not found in namespace ${namespace}`);
    response.json(row);
  });

  routes.get('/models/:model/history', async (request, response) => {
    if (request.query['at'] !== undefined) return void response.json(await stateAt(reader, request));
    const page = pageOf(request.query, z.string().regex(/^\d{1,19}$/));
    const [namespace, model] = [part(request, 'namespace'), part(request, 'model')];
    const { rows, ...next } = await paged(
      page,
      (p) => reader.history(namespace, model, p),
      (row) => row.id,
    );
    // A model that was deleted keeps its history; one without any must at least be there.
    if (rows.length === 0) await existing(request);
    response.json({ events: rows.map(({ id: _, ...event }) => event), ...next });
  });
  return routes;
}

/** Nothing of a namespace is read before `admit` has let the request in. */
export function readApi(reader: RegistryReader, admit: Admit): Router {
  const api = Router();
  const inNamespace = '/namespaces/:namespace';
  api.use(inNamespace, async (request: Request, _response: Response, next) => {
    await admit({ request, namespace: part(request, 'namespace') }, 'read');
    next();
  });
  api.use(inNamespace, experimentRoutes(reader), modelRoutes(reader));
  return api;
}
