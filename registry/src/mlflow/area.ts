/** MLflow's REST API: finds the endpoint for a path, lets the caller in, hands it the parameters, sends what it returns. */
import { ApiError } from '../errors.ts';
import { jsonObjectOf } from '../http/body.ts';
import { type Admit, type Area, type Exchange, sendJson } from '../http/exchange.ts';
import type { Endpoint } from './endpoint.ts';

const BASE = /^\/(?:ajax-)?api\/(2\.0|3\.0)\/mlflow\/(.*?)\/?$/;

interface Found {
  readonly endpoint: Endpoint;
  readonly inPath: Readonly<Record<string, string>>;
}

interface Pattern {
  readonly endpoint: Endpoint;
  readonly expression: RegExp;
}

/** `logged-models/{model_id}/tags` as an expression whose groups are the names. */
const patternOf = (endpoint: Endpoint): Pattern => ({
  endpoint,
  expression: new RegExp(`^${endpoint.path.replace(/\{(\w+)\}/g, '(?<$1>[^/]+)')}$`),
});

/** Endpoints by `METHOD api path`; those with names in the path are tried one by one. */
function index(endpoints: readonly Endpoint[]): (api: string, method: string, path: string) => Found | undefined {
  const fixed = new Map<string, Endpoint>();
  const patterns: Pattern[] = [];
  for (const endpoint of endpoints) {
    if (endpoint.path.includes('{')) patterns.push(patternOf(endpoint));
    else fixed.set(`${endpoint.method} ${endpoint.api ?? '2.0'} ${endpoint.path}`, endpoint);
  }
  return (api, method, path) => {
    const endpoint = fixed.get(`${method} ${api} ${path}`);
    if (endpoint) return { endpoint, inPath: {} };
    for (const pattern of patterns) {
      const match =
        pattern.endpoint.method === method && (pattern.endpoint.api ?? '2.0') === api && pattern.expression.exec(path);
      if (match) return { endpoint: pattern.endpoint, inPath: { ...match.groups } };
    }
    return undefined;
  };
}

/** A query string as parameters: a key that repeats is a list. */
function queryParameters(query: string): Record<string, unknown> {
  // Without a prototype: `constructor` and `__proto__` are keys like any other.
  const parameters: Record<string, unknown> = Object.create(null);
  for (const [key, value] of new URLSearchParams(query)) {
    const before = parameters[key];
    parameters[key] = before === undefined ? value : Array.isArray(before) ? [...before, value] : [before, value];
  }
  return parameters;
}

const parametersOf = ({ request, query }: Exchange): Record<string, unknown> | Promise<Record<string, unknown>> =>
  request.method === 'GET' ? queryParameters(query) : jsonObjectOf(request);

/** The area below `/api/2.0/mlflow`, `/api/3.0/mlflow` and the same with `ajax-api`. */
export function mlflowArea(endpoints: readonly Endpoint[], admit: Admit): Area {
  const find = index(endpoints);
  return {
    owns: (path) => BASE.test(path),
    async answer(exchange) {
      const [, api = '', path = ''] = BASE.exec(exchange.path) ?? [];
      const found = find(api, exchange.request.method ?? '', decodeSegments(path));
      if (!found)
        throw new ApiError('ENDPOINT_NOT_FOUND', `There is no ${exchange.request.method} endpoint of this name.`);
      const { endpoint, inPath } = found;
      exchange.route = `/api/${api}/mlflow/${endpoint.path}`;
      const caller = await admit(exchange, endpoint.access);
      const parameters = { ...(await parametersOf(exchange)), ...inPath };
      sendJson(exchange.response, 200, await endpoint.answer({ namespace: exchange.namespace, caller }, parameters));
    },
  };
}

function decodeSegments(path: string): string {
  try {
    return path.includes('%') ? decodeURIComponent(path) : path;
  } catch {
    throw new ApiError('BAD_REQUEST', 'The path is not valid percent-encoding.');
  }
}
