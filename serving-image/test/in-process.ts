/** The server with its model inside the test's own process: quick to start, the same as the program in all it answers. */
import { once } from 'node:events';
import type { Server } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import type { TestContext } from 'node:test';
import { pino } from 'pino';
import { type AppOptions, createApp } from '../src/http/app.ts';
import { createMetrics, type Metrics } from '../src/http/metrics.ts';
import type { ServerOptions } from '../src/http/options.ts';
import { createModelServer } from '../src/http/server.ts';
import { inspectFile, loadModel } from '../src/model/load.ts';
import { type ServingLimits, serveModel } from '../src/model/served-model.ts';
import type { AnsweredEvent } from '../src/protocols/answered.ts';
import { PROTOCOLS } from '../src/protocols/protocols.ts';
import type { ServerState } from '../src/request/state.ts';
import { filesOf, type ModelFolder, modelFolder } from './folder.ts';
import type { TestModel } from './models.ts';

export interface InProcess {
  readonly url: string;
  readonly port: number;
  readonly server: Server;
  readonly state: ServerState;
  readonly folder: ModelFolder;
  readonly metrics: Metrics;
  readonly events: AnsweredEvent[];
  /** Each run of the model: how many requests shared it. */
  readonly runs: number[];
}

export interface InProcessOptions extends Partial<ServerOptions> {
  readonly limits?: Partial<ServingLimits>;
  /** onnxruntime when absent. */
  readonly engine?: 'compiled' | 'onnxruntime';
  /** Made once the model is there. */
  readonly routes?: (state: ServerState, folder: ModelFolder) => AppOptions['routes'];
}

/** Serves the model at a port of its own, until the test ends. */
export async function serveHere(
  t: Pick<TestContext, 'after'>,
  given: TestModel | ModelFolder,
  { limits, engine = 'onnxruntime', routes, ...options }: InProcessOptions = {},
): Promise<InProcess> {
  const folder = 'dir' in given ? given : await modelFolder(t, filesOf(given));
  const identity = { name: 'iris', version: '2', digest: folder.digest };
  const state: ServerState = { identity, uptime: () => process.uptime(), model: undefined, isDraining: false };
  await inspectFile(folder.dir, folder.files);
  const loaded = await loadModel(folder.dir, folder.files, 1, { engine });
  const metrics = createMetrics(state);
  const runs: number[] = [];
  const onRun = (requests: number, rows: number): void => {
    runs.push(requests);
    metrics.ran(requests, rows);
  };
  state.model = serveModel(identity, loaded, { maxRows: 4096, maxQueued: 1024, onRun, ...limits });
  const events: AnsweredEvent[] = [];
  const log = pino({ level: 'silent' });
  const server = createModelServer({
    state,
    protocols: PROTOCOLS,
    app: createApp({ state, metrics, log, routes: routes?.(state, folder) ?? [] }),
    metrics,
    log,
    maxBodyBytes: 8 * 1024 * 1024,
    requestTimeoutMs: 10_000,
    onAnswered: (event) => void events.push(event),
    ...options,
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(async () => {
    server.close();
    server.closeAllConnections();
    await state.model?.release();
  });
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}`, port, server, state, folder, metrics, events, runs };
}

/** A connection that says exactly what it is told. */
export interface Wire {
  readonly socket: Socket;
  /** All that has come so far. */
  readonly received: () => string;
  /** Resolves when what has come contains so many answers; rejects when the connection ends before. */
  readonly answers: (count: number) => Promise<string>;
  readonly closed: Promise<void>;
}

export async function wire(t: Pick<TestContext, 'after'>, port: number): Promise<Wire> {
  const socket = connect({ port, host: '127.0.0.1' });
  t.after(() => socket.destroy());
  await once(socket, 'connect');
  let text = '';
  let noted = Promise.withResolvers<void>();
  const note = (): void => {
    noted.resolve();
    noted = Promise.withResolvers();
  };
  socket.on('data', (chunk) => {
    text += chunk.toString('latin1');
    note();
  });
  socket.on('error', note);
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
  socket.once('close', note);
  const answers = async (count: number): Promise<string> => {
    for (;;) {
      const parts = text.split('HTTP/1.1 ').slice(1);
      const last = parts[count - 1];
      const length = Number(/content-length: (\d+)/i.exec(last ?? '')?.[1]);
      if (last && (last.split('\r\n\r\n')[1]?.length ?? -1) >= length) return text;
      if (socket.destroyed) throw new Error(`the connection ended after: ${text}`);
      await noted.promise;
    }
  };
  return { socket, received: () => text, answers, closed };
}
