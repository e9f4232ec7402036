/** A server that answers everything it lets in, made in this process; what it predicts is not looked at. */
import { once } from 'node:events';
import { request as plainRequest, type Server } from 'node:http';
import { request as secureRequest } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { TestContext } from 'node:test';
import { ServeSettings } from '@slipway/contract';
import type { z } from 'zod';
import { openAccess } from '../src/http/access.ts';
import { createMetrics } from '../src/http/metrics.ts';
import { createModelServer } from '../src/http/server.ts';
import type { Logger } from '../src/log.ts';
import type { ServedModel } from '../src/model/served-model.ts';
import { PROTOCOLS } from '../src/protocols/protocols.ts';
import type { ServerState } from '../src/request/state.ts';

/** How often the tests' servers look at mounted files. */
export const EVERY_MS = 5;

export interface Heard {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: string;
}

export interface AccessServer {
  readonly server: Server;
  readonly port: number;
  /** All it logged, as JSON lines. */
  readonly log: () => string;
  readonly metrics: () => Promise<string>;
  ask(
    path: string,
    options?: {
      readonly method?: string;
      readonly headers?: Readonly<Record<string, string | string[]>>;
      readonly ca?: string;
      readonly maxVersion?: 'TLSv1.1' | 'TLSv1.2' | 'TLSv1.3';
      readonly ciphers?: string;
    },
  ): Promise<Heard>;
}

export interface Folders {
  readonly apiKeysDir?: string;
  readonly tokenKeysDir?: string;
  readonly tlsDir?: string;
}

/** Closed when the test ends. */
export async function accessServer(
  t: Pick<TestContext, 'after'>,
  settings: z.input<typeof ServeSettings>,
  folders: Folders,
): Promise<AccessServer> {
  const lines: string[] = [];
  const note = (fields: object, message: string): void => {
    const { err, ...rest } = fields as { err?: Error };
    lines.push(JSON.stringify({ ...rest, message, ...(err && { err: err.message }) }));
  };
  const log = { debug: note, info: note, warn: note, error: note } as unknown as Logger;
  const state: ServerState = {
    identity: { name: 'iris', version: '1', digest: 'd' },
    uptime: () => 0,
    model: { queued: () => 0 } as ServedModel,
    isDraining: false,
  };
  const metrics = createMetrics(state);
  const nowhere = '/nonexistent';
  const access = await openAccess({
    settings: ServeSettings.parse(settings),
    apiKeysDir: nowhere,
    tokenKeysDir: nowhere,
    tlsDir: nowhere,
    ...folders,
    requestTimeoutMs: 5_000,
    registry: metrics.registry,
    log,
    everyMs: EVERY_MS,
  });
  t.after(access.stop);
  const server = createModelServer({
    state,
    // As they are, but for what they answer.
    protocols: PROTOCOLS.map((protocol) => ({ ...protocol, answer: () => ({ body: '{"is":"let in"}' }) })),
    app: (_, response) => void response.end('{"is":"let in"}'),
    metrics,
    log,
    maxBodyBytes: 1024,
    requestTimeoutMs: 5_000,
    ...access.options,
  });
  access.follow(server);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  const { port } = server.address() as AddressInfo;
  return {
    server,
    port,
    log: () => lines.join('\n'),
    metrics: () => metrics.registry.metrics(),
    async ask(path, { method = 'POST', headers = {}, ca, ...tls } = {}) {
      const sender = ca === undefined ? plainRequest : secureRequest;
      const to = { host: '127.0.0.1', port, path, method, agent: false, ...(ca !== undefined && { ca }), ...tls };
      const request = sender({ ...to, headers: { 'content-type': 'application/json', ...headers } } as object);
      request.end(method === 'POST' ? '{}' : undefined);
      const [response] = await once(request, 'response');
      let body = '';
      for await (const chunk of response) body += chunk;
      return { status: response.statusCode as number, headers: response.headers, body };
    },
  };
}
