/** A tracking server elsewhere, which is a real `mlflow server`; and our own registry, which has to look like one. */
import assert from 'node:assert/strict';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, test } from 'node:test';
import { type Both, STARTING_MS, startBoth } from '../../test/conformance/both.ts';
import type { Log } from '../src/log.ts';
import { type ExternalRun, tellExternal } from '../src/publish/external.ts';

let both: Both;
before(
  async () => {
    const started = await startBoth();
    if ('skipped' in started) throw new Error(started.skipped);
    both = started;
  },
  { timeout: STARTING_MS },
);
after(() => both?.stop());

const run = (over: Partial<ExternalRun> = {}): ExternalRun => ({
  experiment: `flowers of ${Math.random()}`,
  runKey: `uid-${Math.random()}/g1`,
  trainingJob: 'iris',
  startTime: 1_700_000_000_000,
  endTime: 1_700_000_060_000,
  params: Object.fromEntries(Array.from({ length: 130 }, (_, i) => [`p${i}`, String(i)])),
  metrics: Array.from({ length: 1500 }, (_, step) => ({ key: 'loss', value: 1 / (step + 1), step, timestamp: 5 })),
  ...over,
});

async function told(uri: string, asked: ExternalRun, patienceMs = 30_000): Promise<string[]> {
  const lines: string[] = [];
  const log: Log = (level, message, fields = {}) => void lines.push(`${level} ${message} ${JSON.stringify(fields)}`);
  await tellExternal(uri, asked, log, patienceMs);
  return lines;
}

interface RunJson {
  readonly info: { status: string; end_time: number; start_time: number; run_name: string };
  readonly data: {
    metrics: { key: string; value: number }[];
    params: unknown[];
    tags: { key: string; value: string }[];
  };
}

/** The runs of an experiment as the server shows them. */
async function runsIn(uri: string, experiment: string): Promise<readonly RunJson[]> {
  const api = `${uri}/api/2.0/mlflow`;
  const name = new URLSearchParams({ experiment_name: experiment });
  const found = (await (await fetch(`${api}/experiments/get-by-name?${name}`)).json()) as {
    experiment: { experiment_id: string };
  };
  const body = JSON.stringify({ experiment_ids: [found.experiment.experiment_id] });
  const headers = { 'content-type': 'application/json' };
  const answer = await fetch(`${api}/runs/search`, { method: 'POST', headers, body });
  return ((await answer.json()) as { runs?: RunJson[] }).runs ?? [];
}

for (const [name, uri] of [
  ['a real mlflow server', () => both.real.url],
  ['our registry', () => `${both.ours.url}/n/elsewhere`],
] as const) {
  test(`${name} is told once, however often the run is published`, async () => {
    const asked = run();
    for (let attempt = 0; attempt < 2; attempt++) {
      assert.match((await told(`${uri()}/`, asked)).join('\n'), /^info the tracking server elsewhere was told/);
    }
    const runs = await runsIn(uri(), asked.experiment);
    assert.equal(runs.length, 1);
    const [{ info, data } = assert.fail()] = runs;
    assert.deepEqual(
      [info.status, info.start_time, info.end_time, info.run_name],
      ['FINISHED', asked.startTime, asked.endTime, 'iris'],
    );
    assert.equal(data.params.length, 130);
    assert.deepEqual(
      data.metrics.map(({ key, value }) => [key, value]),
      [['loss', 1 / 1500]],
    );
    assert.equal(data.tags.find(({ key }) => key === 'slipway.runKey')?.value, asked.runKey);
  });

  test(`${name}: another run of the same experiment is another run there`, async () => {
    const experiment = `shared ${Math.random()}`;
    await told(uri(), run({ experiment, metrics: [], params: {} }));
    await told(uri(), run({ experiment, metrics: [], params: {} }));
    assert.equal((await runsIn(uri(), experiment)).length, 2);
  });

  test(`${name}: what it refuses is told in the log and ends nothing`, async () => {
    const lines = await told(uri(), run({ metrics: [], params: { 'no;name': '1' } }));
    assert.match(lines.join('\n'), /^warn the tracking server elsewhere was not told of all.*log-batch answered 400/);
  });
}

/** A server of its own that answers with `listener`. */
async function withServer(listener: RequestListener, work: (uri: string) => Promise<void>): Promise<void> {
  const server = createServer(listener);
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  try {
    await work(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  } finally {
    server.close();
    server.closeAllConnections();
  }
}

for (const [what, listener] of [
  ['says nothing', () => {}],
  ['fails', (_request, response) => void response.writeHead(503).end()],
  [
    'never stops answering',
    (_request, response) => {
      const chunk = Buffer.alloc(65_536, 32);
      const write = () => {
        while (response.write(chunk));
      };
      response.on('drain', write);
      write();
    },
  ],
  ['leads elsewhere', (_request, response) => void response.writeHead(302, { location: '/elsewhere' }).end()],
  ['answers with a page', (_request, response) => void response.end('<html>')],
] as readonly [string, RequestListener][]) {
  test(`a server that ${what} is given up, and nothing fails`, async () => {
    await withServer(listener, async (uri) => {
      assert.match(
        (await told(uri, run(), 1500)).join('\n'),
        /^warn the tracking server elsewhere was not told of all/,
      );
    });
  });
}

test('a server that is not there is given up too', async () => {
  let gone = '';
  await withServer(
    () => {},
    async (uri) => {
      gone = uri;
    },
  );
  assert.match((await told(gone, run(), 500)).join('\n'), /^warn .*ECONNREFUSED/);
});
