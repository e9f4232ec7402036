/** Heads are alike: a client that asks a thousand times sends the same one a thousand times, or one of a few. */
import type { Route } from '../options.ts';
import { type PlainHead, readHead } from './head.ts';

/** A head for a protocol, and what it asks for. */
export interface KnownHead extends PlainHead {
  readonly route: Route;
}

/** Undefined: it is node:http that has to answer. */
export type FindHead = (head: string) => KnownHead | undefined;

const MOST_HEADS = 512;
const LONG_HEAD = 1024;

/** `routeOf` says where a URL leads to. */
export function createKnownHeads(routeOf: (url: string) => Route): FindHead {
  const known = new Map<string, KnownHead>();
  return (text) => {
    const found = known.get(text);
    if (found) return found;
    const head = readHead(text);
    if (!head) return undefined;
    const route = routeOf(head.url);
    if (!route.protocol || !isUsual(head, route.protocol.contentTypes)) return undefined;
    const made = { ...head, route };
    if (text.length <= LONG_HEAD && isRepeated(head)) {
      if (known.size >= MOST_HEADS) known.clear();
      known.set(text, made);
    }
    return made;
  };
}

const isUsual = ({ headers }: PlainHead, contentTypes: readonly string[]): boolean =>
  headers['content-type'] !== undefined && headers['content-type'] === contentTypes[0];

/** A head with a name of its own will not come again. */
const isRepeated = ({ headers }: PlainHead): boolean =>
  headers['x-request-id'] === undefined && headers['traceparent'] === undefined;
