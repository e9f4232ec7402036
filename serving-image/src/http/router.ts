/** Where a request is sent to, by its URL. */
import type { Protocol } from '../protocols/protocol.ts';
import type { Route } from './options.ts';

/** So many different URLs are remembered: nearly every request has one of a few. */
const KNOWN_URLS = 256;
const LONG_URL = 256;

/** Cheap enough to be asked for every request. */
export function createRouter(protocols: readonly Protocol[]): (url: string) => Route {
  const known = new Map<string, Route>();
  return (url) => {
    const route = known.get(url);
    if (route) return route;
    const path = pathOf(url);
    const protocol = protocols.find(({ matches }) => matches(path));
    const found = {
      path,
      query: url.slice(path.length + 1),
      endpoint: protocol?.endpoint ?? endpointOf(path),
      protocol,
    };
    if (known.size < KNOWN_URLS && url.length < LONG_URL) known.set(url, found);
    return found;
  };
}

/** Path and query of a target with scheme and host before them, as it is sent to proxies; all others as they are. */
export function originForm(target: string): string {
  const [, rest] = /^https?:\/\/[^/?#]*(.*)$/i.exec(target) ?? [];
  if (rest === undefined) return target;
  return rest.startsWith('/') ? rest : `/${rest}`;
}

/** A URL without its query. */
export const pathOf = (url: string): string => {
  const query = url.indexOf('?');
  return query === -1 ? url : url.slice(0, query);
};

const PLAIN_ENDPOINTS = new Set(['/livez', '/readyz', '/health', '/metrics', '/ping', '/version', '/openapi.json']);
/** Endpoints that go on below their name. */
const FOLDERS = new Set(['v1', 'v2', 'model', 'train', 'docs', 'invocations', 'predict']);
/** A label from a fixed set, whatever the client asks for. */
function endpointOf(path: string): string {
  if (PLAIN_ENDPOINTS.has(path)) return path.slice(1);
  const [, first = ''] = path.split('/', 2);
  return FOLDERS.has(first) ? first : 'other';
}
