/** A model of a gigabyte: served from its file, which is not read into memory. */
import assert from 'node:assert/strict';
import { statSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { artifactDigest } from '@slipway/contract';
import { measureFile } from '../src/model/artifact-check.ts';
import { valueOfRow, writeTableModel } from './big-model.ts';
import { temporaryFolder } from './folder.ts';
import { run, serveEnv } from './program.ts';

const ROWS = 1024 * 1024;
const WIDTH = 256;
const MB = 1024 * 1024;

/** The largest resident memory of the process so far, and what of it is not simply the file. */
async function memoryOf(pid: number): Promise<{ peakMB: number; ownMB: number }> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  const kilobytes = (name: string): number => Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(status)?.[1]);
  return { peakMB: kilobytes('VmHWM') / 1024, ownMB: kilobytes('RssAnon') / 1024 };
}

test('a gigabyte of weights: loaded, asked all over its table, in memory no larger than the file', async (t) => {
  const dir = await temporaryFolder(t);
  const path = join(dir, 'model.onnx');
  await writeTableModel(path, ROWS, WIDTH);
  const measured = await measureFile(path);
  assert.ok(measured && measured.size > 1024 * MB);
  const files = [{ path: 'model.onnx', ...measured }];
  const digest = artifactDigest(files);
  const artifact = { namespace: 'team-a', uri: 's3://slipway/team-a/1/r/artifacts/x/model', files, digest };
  writeFileSync(
    join(dir, 'signature.json'),
    JSON.stringify({ inputs: [{ name: 'id', type: 'int64' }], outputs: [{ name: 'row', type: 'float32' }] }),
  );

  const started = performance.now();
  const program = await run(t, 'serve', serveEnv({ dir, files, digest, artifact }));
  const { port } = await program.logged('listening');
  const probes: number[] = [];
  let isReady = false;
  const ready = program.logged('ready').finally(() => {
    isReady = true;
  });
  while (!isReady) {
    const begin = performance.now();
    await (await fetch(`http://127.0.0.1:${port}/livez`)).text();
    probes.push(performance.now() - begin);
  }
  await ready;
  const seconds = (performance.now() - started) / 1000;
  const loaded = await memoryOf(program.child.pid as number);

  const ids = Array.from({ length: 4096 }, (_, i) => (i * 257 * 997) % ROWS);
  const response = await fetch(`http://127.0.0.1:${port}/v2/models/iris/infer`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      inputs: [{ name: 'id', datatype: 'INT64', shape: [ids.length], data: ids }],
      parameters: { binary_data_output: true },
    }),
  });
  assert.equal(response.status, 200);
  const head = Number(response.headers.get('inference-header-content-length'));
  const rows = new Float32Array((await response.arrayBuffer()).slice(head));
  for (const [i, id] of ids.entries()) assert.equal(rows[i * WIDTH + (i % WIDTH)], valueOfRow(id), `row ${id}`);

  const asked = await memoryOf(program.child.pid as number);
  const fileMB = statSync(path).size / MB;
  t.diagnostic(
    `file ${fileMB.toFixed(0)} MB: ready after ${seconds.toFixed(1)} s (digest twice), slowest of ${probes.length} probes ` +
      `${Math.max(...probes).toFixed(0)} ms; peak ${loaded.peakMB.toFixed(0)} MB once loaded, ${asked.peakMB.toFixed(0)} MB ` +
      `after ${ids.length} rows, of which ${asked.ownMB.toFixed(0)} MB are not the file`,
  );
  assert.ok(asked.peakMB < fileMB + 250, `peak ${asked.peakMB} MB`);
  assert.ok(asked.ownMB < 250, `${asked.ownMB} MB besides the file`);
  assert.ok(Math.max(...probes) < 1000, `a probe took ${Math.max(...probes)} ms`);
  program.child.kill('SIGTERM');
  assert.deepEqual(await program.ended, { code: 0, signal: null });
});
