/** The server with its model inside the test's own process: quick to start, the same as the program in all it answers. */
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import type { TestContext } from 'node:test';
import { pino } from 'pino';
import { type AppOptions, createApp } from '../src/http/app.ts';
import { createMetrics } from '../src/http/metrics.ts';
import { createModelServer } from '../src/http/server.ts';
import { inspectFile, loadModel } from '../src/model/load.ts';
import { serveModel } from '../src/model/served-model.ts';
import { PROTOCOLS } from '../src/protocols/protocols.ts';
import type { ServerState } from '../src/request/state.ts';
import { filesOf, type ModelFolder, modelFolder } from './folder.ts';
import type { TestModel } from './models.ts';

export interface InProcess {
  readonly url: string;
  readonly state: ServerState;
  readonly folder: ModelFolder;
}

type Options = Partial<Omit<AppOptions, 'routes'>> & {
  readonly maxRows?: number;
  /** Made once the model is there. */
  readonly routes?: (state: ServerState, folder: ModelFolder) => AppOptions['routes'];
};

/** Serves the model at a port of its own, until the test ends. */
export async function serveHere(
  t: Pick<TestContext, 'after'>,
  given: TestModel | ModelFolder,
  { maxRows = 4096, routes, ...more }: Options = {},
): Promise<InProcess> {
  const folder = 'dir' in given ? given : await modelFolder(t, filesOf(given));
  const identity = { name: 'iris', version: '2', digest: folder.digest };
  const state: ServerState = { identity, uptime: () => process.uptime(), model: undefined, isDraining: false };
  await inspectFile(folder.dir, folder.files);
  const loaded = await loadModel(folder.dir, folder.files, 1);
  state.model = serveModel(identity, loaded, { maxRows, maxQueued: 1024 });
  const metrics = createMetrics(state);
  const log = pino({ level: 'silent' });
  const app = createApp({ state, metrics, log, ...more, routes: routes?.(state, folder) ?? [] });
  const limits = { maxBodyBytes: 8 * 1024 * 1024, requestTimeoutMs: 10_000 };
  const server = createModelServer({ state, protocols: PROTOCOLS, app, metrics, log, ...limits });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(async () => {
    server.closeAllConnections();
    server.close();
    await state.model?.release();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, state, folder };
}
