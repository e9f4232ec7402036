/** The scripts of examples/mlflow as a user runs them: what they print does not tell which server they talk to. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { type Both, CLIENTS, type Client, type Skipped, STARTING_MS, startBoth } from './both.ts';
import { differences } from './compare.ts';
import type { Json } from './driver.ts';
import { normalise } from './normalise.ts';
import type { MlflowServer } from './servers.ts';

const folder = join(import.meta.dirname, '../../examples/mlflow');
let both: Both | Skipped;
before(
  async () => {
    both = await startBoth();
  },
  { timeout: STARTING_MS },
);
after(async () => {
  if ('stop' in both) await both.stop();
});

async function printedBy(command: string, script: string, { python }: Client, server: MlflowServer): Promise<string> {
  const env = {
    PATH: `${dirname(python)}:${process.env['PATH']}`,
    HOME: process.env['HOME'] ?? '',
    MLFLOW_TRACKING_URI: server.url,
    MLFLOW_DISABLE_TELEMETRY: 'true',
    DO_NOT_TRACK: 'true',
    GIT_PYTHON_REFRESH: 'quiet',
    USER: 'somebody',
  };
  const { stdout } = await promisify(execFile)(command, [join(folder, script)], { env });
  return stdout;
}

/** Documents of JSON one after the other, on one line or on many. */
function documentsIn(text: string): readonly Json[] {
  const documents: Json[] = [];
  let open = '';
  for (const line of text.split('\n')) {
    open += `${line}\n`;
    try {
      documents.push(JSON.parse(open) as Json);
      open = '';
    } catch {
      // Not whole yet.
    }
  }
  assert.equal(open.trim(), '', 'all of it is JSON');
  return documents;
}

for (const [index, { version }] of CLIENTS.entries()) {
  test(`mlflow ${version}: the classic scripts print the same on both servers`, { timeout: 300_000 }, async (t) => {
    if ('skipped' in both) return t.skip(both.skipped);
    const { clients, ours, real } = both;
    const client = clients[index] as Client;
    for (const script of ['iris.py', 'iris_onnx.py']) {
      const [here, there] = await Promise.all(
        [ours, real].map(async (server) => normalise(await printedBy(client.python, script, client, server), server)),
      );
      assert.equal(here, there, script);
      assert.match(String(here), /is in Production.*is of species \d/s);
      t.diagnostic(`${script}\n${here}`);
    }
  });
}

test('the REST calls by curl find what the scripts logged', { timeout: 60_000 }, async (t) => {
  if ('skipped' in both) return t.skip(both.skipped);
  const { clients, ours, real } = both;
  const client = clients[0] as Client;
  const [here, there] = await Promise.all(
    [ours, real].map(async (server) => documentsIn(await printedBy('sh', 'rest.sh', client, server))),
  );
  assert.equal(here?.length, 3, 'three calls');
  const same = (documents: readonly Json[] | undefined, server: MlflowServer) => normalise(documents ?? [], server);
  assert.deepEqual(differences(same(here, ours), same(there, real)), []);
});
