/** What the process leaves and holds beside answering. */
import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { temporaryFolder } from './folder.ts';
import { iris, irisRow } from './models.ts';
import { type Served, serve } from './program.ts';

const isLinux = process.platform === 'linux';
const holdsRuntime = async ({ child }: Served): Promise<boolean> =>
  (await readFile(`/proc/${child.pid}/maps`, 'utf8')).includes('libonnxruntime');

async function childrenOf({ child }: Served): Promise<string> {
  const text = await readFile(`/proc/${child.pid}/task/${child.pid}/children`, 'utf8');
  return text.trim();
}

test('the runtime tells nobody that it is used: it keeps no database of that in the home folder', async (t) => {
  const home = await temporaryFolder(t);
  const server = await serve(t, iris, { HOME: home, SERVE_SETTINGS: JSON.stringify({ engine: 'onnxruntime' }) });
  assert.deepEqual(await readdir(home), []);
  if (isLinux) assert.equal(await holdsRuntime(server), true);
});

test('a compiled model is proven elsewhere: its server holds neither the runtime nor a process', {
  skip: !isLinux,
}, async (t) => {
  const server = await serve(t, iris);
  assert.equal(await holdsRuntime(server), false);
  while ((await childrenOf(server)) !== '') await new Promise((resolve) => setImmediate(resolve));
});

test('thirty megabytes of rows that the server is allowed to take are answered', async (t) => {
  const rows = 200_000;
  const server = await serve(t, iris, { MAX_BODY_BYTES: String(64 * 2 ** 20), MAX_ROWS: String(rows) });
  const row = JSON.stringify(irisRow([5.1, 3.5, 1.4, 0.2]));
  const body = `{"samples":[${new Array(rows).fill(row.padEnd(160)).join()}]}`;
  assert.ok(body.length > 30e6);
  const answer = await fetch(`${server.url}/predict`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body,
  });
  assert.equal(answer.status, 200);
  const { class_id: ids } = (await answer.json()) as { class_id: number[] };
  assert.equal(ids.length, rows);
});
