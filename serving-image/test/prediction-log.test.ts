/** The log of predictions of the real program. */
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import { closeSync, constants, openSync, readSync } from 'node:fs';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { Agent, request } from 'node:http';
import { join } from 'node:path';
import { test } from 'node:test';
import { filesOf, modelFolder, temporaryFolder } from './folder.ts';
import { iris, irisRow } from './models.ts';
import { MAIN, serve, serveEnv } from './program.ts';

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const SETOSA = irisRow([5.1, 3.5, 1.4, 0.2]);

const predict = (url: string, body: unknown, headers: Record<string, string> = {}) =>
  fetch(`${url}/predict`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
  });
const linesIn = (text: string) =>
  text
    .split('\n')
    .filter((line) => line.includes('"module":"slipway.serving"'))
    .map((line) => JSON.parse(line));

test('every answered request has a line on standard output and in the files for shipping, the last ones too', async (t) => {
  const dir = await temporaryFolder(t);
  const keys = await temporaryFolder(t);
  await writeFile(join(keys, 'hash-key'), 'the key of team-a');
  const settings = { predictionLog: { ship: true, redact: ['petal_width', 'petal_witdh'], hash: ['sepal_width'] } };
  const env = { SERVE_SETTINGS: JSON.stringify(settings), PREDICTION_LOG_DIR: dir, PREDICTION_KEYS_DIR: keys };
  const server = await serve(t, iris, env);
  const warning = await server.logged(
    'spec.predictionLog names features that the model does not have; nothing is hidden for them',
  );
  assert.deepEqual(warning['features'], ['petal_witdh']);
  const answered = await predict(
    server.url,
    { samples: [SETOSA] },
    { 'x-request-id': 'mine', traceparent: `00-${TRACE}-00f067aa0ba902b7-01` },
  );
  assert.equal(answered.status, 200);
  assert.match(answered.headers.get('traceparent') ?? '', new RegExp(`^00-${TRACE}-[0-9a-f]{16}-01$`));
  const refused = await predict(server.url, { samples: [{ ...SETOSA, petal_length: 'a private remark' }] });
  assert.equal(refused.status, 422);
  const metrics = await (await fetch(`${server.url}/metrics`)).text();
  assert.match(metrics, /^slipway_prediction_log_lines_total\{[^}]*\} 2$/m);
  for (const sink of ['stdout', 'store'])
    assert.match(metrics, new RegExp(`^slipway_prediction_log_dropped_total\\{sink="${sink}"[^}]*\\} 0$`, 'm'));
  server.child.kill('SIGTERM');
  assert.equal((await server.ended).code, 0);

  const printed = linesIn(server.log());
  const [success, error] = printed;
  assert.equal(printed.length, 2);
  assert.deepEqual([success.request_id, success.trace_id, success.status], ['mine', TRACE, 'success']);
  // The same in every server that is given this key.
  const digest = createHmac('sha256', 'the key of team-a').update('sepal_width\x003.5').digest('hex').slice(0, 32);
  assert.deepEqual(success.input, [{ sepal_length: 5.1, sepal_width: digest, petal_length: 1.4 }]);
  assert.equal(success.prediction[0].label, 'setosa');
  assert.deepEqual([success.model_version, success.artifact_sha256], ['2', server.folder.digest]);
  assert.deepEqual([error.level, error.status, error.input], ['warning', 'error', null]);
  assert.match(error.error_message, /number/i);
  assert.ok(!JSON.stringify(error).includes('private remark'));
  assert.equal(error.trace_id, refused.headers.get('traceparent')?.split('-')[1]);

  const files = await Promise.all((await readdir(dir)).map((name) => readFile(join(dir, name), 'utf8')));
  assert.deepEqual(linesIn(files.join('')), printed);
});

test('a standard output that nobody reads slows no answer, and the process ends as ever', async (t) => {
  const path = join(await temporaryFolder(t), 'pipe');
  execFileSync('mkfifo', [path]);
  const reader = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  const stdout = openSync(path, constants.O_WRONLY);
  t.after(() => closeSync(reader));
  const folder = await modelFolder(t, filesOf(iris));
  const cwd = await temporaryFolder(t);
  const child = spawn(process.execPath, [MAIN, 'serve'], { cwd, env: serveEnv(folder), stdio: ['ignore', stdout, 2] });
  closeSync(stdout);
  t.after(() => child.kill('SIGKILL'));
  const buffer = Buffer.alloc(65536);
  let log = '';
  while (!log.includes('"message":"ready"')) {
    try {
      log += buffer.toString('utf8', 0, readSync(reader, buffer));
    } catch {}
    assert.equal(child.exitCode, null, log);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  const port = Number(/"port":(\d+)/.exec(log)?.[1]);

  // From here on nobody reads: a pipe holds 64 KiB, some hundred lines.
  const agent = new Agent({ keepAlive: true, maxSockets: 4 });
  t.after(() => agent.destroy());
  const body = JSON.stringify({ samples: Array(20).fill(SETOSA) });
  const ask = async (): Promise<number | undefined> => {
    const asked = request({ port, path: '/predict', method: 'POST', agent, timeout: 2000 });
    asked.setHeader('content-type', 'application/json').end(body);
    const [response] = await once(asked, 'response');
    await response.resume().toArray();
    return response.statusCode;
  };
  for (let i = 0; i < 100; i++) {
    const statuses = await Promise.all(Array.from({ length: 8 }, ask));
    assert.deepEqual(statuses, Array(8).fill(200));
  }
  child.kill('SIGTERM');
  const [code] = await once(child, 'exit');
  assert.equal(code, 0);
});
