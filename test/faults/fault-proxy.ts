/**
 * A proxy between the code under test and the real API server. It passes everything on until a test says otherwise, and
 * counts every request. It listens on loopback without TLS and adds the kubeconfig's credentials itself.
 */
import http from 'node:http';
import https from 'node:https';
import type { AddressInfo } from 'node:net';
import { KubeConfig } from '../../operator/src/kube/kubeconfig.ts';

export interface SeenRequest {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly watch: boolean;
  readonly at: number;
}

/**
 * Instead of passing a request on: answer like this, cut the connection, end a good answer at once, say nothing, or ask
 * for something else.
 */
export type Fault =
  | { readonly status: number; readonly headers?: Readonly<Record<string, string>>; readonly body?: unknown }
  | { readonly reset: true }
  | { readonly end: true }
  | { readonly silent: true }
  | { readonly query: Readonly<Record<string, string>> };

export interface FaultProxy {
  /** For the code under test: a kubeconfig whose cluster is this proxy. */
  readonly config: KubeConfig;
  readonly requests: readonly SeenRequest[];
  /** Asked for every request; undefined passes it on. */
  fault: (request: SeenRequest) => Fault | undefined;
  /** From now on the watches that are open stay open and carry nothing: half-open connections. New ones work. */
  freeze(): void;
  /** Cuts the watches that are open. */
  cut(): void;
  /** Puts text into the watches that are open. */
  inject(text: string): void;
  /** Watches that are open now. */
  open(): number;
  /** Connections that were ever made to the proxy. */
  connections(): number;
  close(): Promise<void>;
}

interface OpenWatch {
  readonly response: http.ServerResponse;
  frozen: boolean;
}

/** What `kubectl` would do with a Status. */
export const status = (code: number, reason: string, headers: Readonly<Record<string, string>> = {}): Fault => ({
  status: code,
  headers,
  body: { kind: 'Status', apiVersion: 'v1', status: 'Failure', code, reason, message: `injected ${reason}` },
});

export async function startFaultProxy(upstream: KubeConfig): Promise<FaultProxy> {
  const cluster = upstream.getCurrentCluster();
  if (!cluster) throw new Error('KUBECONFIG names no cluster: eval "$(make -s env)"');
  const target = new URL(cluster.server);
  const requests: SeenRequest[] = [];
  const watches = new Set<OpenWatch>();
  const agent = new https.Agent({ keepAlive: true });

  function refuse(fault: Fault, response: http.ServerResponse): void {
    if ('reset' in fault) response.socket?.resetAndDestroy();
    else if ('end' in fault) response.writeHead(200).end();
    else if ('status' in fault) {
      response.writeHead(fault.status, { 'content-type': 'application/json', ...fault.headers });
      response.end(JSON.stringify(fault.body ?? {}));
    }
  }

  function relay(answer: http.IncomingMessage, response: http.ServerResponse, watch: boolean): void {
    response.writeHead(answer.statusCode ?? 502, answer.headers);
    const entry: OpenWatch = { response, frozen: false };
    if (watch) {
      response.flushHeaders();
      watches.add(entry);
    }
    answer.on('data', (chunk) => entry.frozen || response.write(chunk));
    answer.on('end', () => entry.frozen || response.end());
    answer.on('error', () => response.destroy());
    response.on('close', () => {
      watches.delete(entry);
      answer.destroy();
    });
  }

  async function pass(seen: SeenRequest, request: http.IncomingMessage, response: http.ServerResponse) {
    const options: https.RequestOptions = {};
    await upstream.applyToHTTPSOptions(options);
    const { agent: _unused, headers, ...credentials } = options;
    const onward = https.request({
      ...credentials,
      agent,
      host: target.hostname,
      port: target.port,
      method: seen.method,
      path: `${seen.path}?${seen.query}`,
      headers: { ...request.headers, ...(headers as object), host: target.host },
    });
    onward.on('response', (answer) => relay(answer, response, seen.watch));
    onward.on('error', () => response.destroy());
    response.on('close', () => onward.destroy());
    request.pipe(onward);
  }

  const server = http.createServer((request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? '/', 'http://proxy');
    const seen: SeenRequest = {
      method: request.method ?? 'GET',
      path: pathname,
      query: searchParams,
      watch: searchParams.get('watch') === 'true',
      at: performance.now(),
    };
    requests.push(seen);
    const fault = proxy.fault(seen);
    if (fault && !('query' in fault)) return refuse(fault, response);
    for (const [name, value] of Object.entries(fault?.query ?? {})) searchParams.set(name, value);
    pass(seen, request, response).catch(() => response.destroy());
  });
  let connections = 0;
  server.on('connection', () => {
    connections += 1;
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));

  const config = new KubeConfig();
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  config.loadFromClusterAndUser({ name: 'proxy', server: url, skipTLSVerify: true }, { name: 'test' });

  const proxy: FaultProxy = {
    config,
    requests,
    fault: () => undefined,
    freeze() {
      for (const watch of watches) watch.frozen = true;
    },
    cut() {
      for (const { response } of watches) response.socket?.resetAndDestroy();
    },
    inject(text) {
      for (const { response } of watches) response.write(text);
    },
    open: () => watches.size,
    connections: () => connections,
    async close() {
      server.closeAllConnections();
      agent.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return proxy;
}
