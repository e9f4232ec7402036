/** The same requests to `mlflow models serve` with a scikit-learn model and to ours with its ONNX form. */
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { python } from '../../trainer-image/test/python/venv.ts';
import { modelFolder } from './folder.ts';
import { type InProcess, serveHere } from './in-process.ts';

/** The packages of the real server that the registry is compared with too. */
const REQUIREMENTS = join(import.meta.dirname, '../../test/conformance/python/requirements-new.txt');

const cleanups: (() => unknown)[] = [];
after(async () => {
  for (const cleanup of cleanups.reverse()) await cleanup();
});

const COLUMNS = ['sepal_length', 'sepal_width', 'petal_length', 'petal_width'];
const FLOWERS = [
  [5.1, 3.5, 1.4, 0.2],
  [6.0, 2.7, 5.1, 1.6],
  [7.7, 3.8, 6.7, 2.2],
  [5.9, 3.0, 4.2, 1.5],
];
const record = (flower: readonly unknown[]) => Object.fromEntries(COLUMNS.map((name, i) => [name, flower[i]]));
const records = FLOWERS.map(record);
const columns = Object.fromEntries(COLUMNS.map((name, i) => [name, FLOWERS.map((flower) => flower[i])]));
const split = (names: unknown, data: unknown) => ({ dataframe_split: { columns: names, data } });
const csv = [COLUMNS, ...FLOWERS].join('\n');

interface Request {
  readonly name: string;
  readonly body: unknown;
  readonly type?: string;
  /** Why ours answers otherwise, and with which status. */
  readonly onPurpose?: readonly [status: number, why: string];
}

const WIDTH = 'values by position fit named columns when the width matches';
const EMPTY = 'no rows are no fault: there is nothing to predict';

const REQUESTS: readonly Request[] = [
  { name: 'dataframe_split', body: split(COLUMNS, FLOWERS) },
  {
    name: 'dataframe_split with an index',
    body: { dataframe_split: { index: [3, 4, 5, 6], columns: COLUMNS, data: FLOWERS } },
  },
  {
    name: 'dataframe_split in reverse',
    body: split(
      COLUMNS.toReversed(),
      FLOWERS.map((flower) => flower.toReversed()),
    ),
  },
  {
    name: 'dataframe_split with one column more',
    body: split(
      [...COLUMNS, 'x'],
      FLOWERS.map((flower) => [...flower, 'a']),
    ),
  },
  { name: 'dataframe_records', body: { dataframe_records: records } },
  {
    name: 'dataframe_records with one key more',
    body: { dataframe_records: records.map((row) => ({ x: 1, ...row })) },
  },
  { name: 'instances by name', body: { instances: records } },
  { name: 'inputs by column', body: { inputs: columns } },
  { name: 'params nobody knows', body: { dataframe_records: records, params: { temperature: 0.5 } } },
  { name: 'fields beside the rows', body: { dataframe_records: records, signature_name: 'x' } },
  { name: 'whole numbers', body: { dataframe_records: [record([5, 3, 1, 0]), record([6, 3, 5, 2])] } },
  { name: 'a table as text', body: csv, type: 'text/csv' },
  { name: 'a table as text, charset given', body: csv, type: 'text/csv; charset=utf-8' },
  {
    name: 'a table as text with an index',
    body: csv
      .split('\n')
      .map((line, i) => `${i || ''},${line}`)
      .join('\n'),
    type: 'text/csv',
  },
  { name: 'JSON, charset given', body: { dataframe_records: records }, type: 'application/json; charset=UTF-8' },
  { name: 'inputs by position', body: { inputs: FLOWERS }, onPurpose: [200, WIDTH] },
  { name: 'instances by position', body: { instances: FLOWERS }, onPurpose: [200, WIDTH] },
  { name: 'dataframe_split without names', body: { dataframe_split: { data: FLOWERS } }, onPurpose: [200, WIDTH] },
  { name: 'inputs by name', body: { inputs: records } },
  { name: 'no instances', body: { instances: [] }, onPurpose: [200, EMPTY] },
  { name: 'no records', body: { dataframe_records: [] }, onPurpose: [200, EMPTY] },
  { name: 'a table without rows', body: split(COLUMNS, []), onPurpose: [200, EMPTY] },
  { name: 'a header alone', body: `${COLUMNS}\n`, type: 'text/csv', onPurpose: [200, EMPTY] },
  { name: 'a missing column', body: split(COLUMNS.slice(1), [[1, 2, 3]]) },
  {
    name: 'a record without a value',
    body: { dataframe_records: [records[0], { ...records[1], petal_width: undefined }] },
  },
  { name: 'null', body: { dataframe_records: [record([5, null, 1, 1])] } },
  { name: 'an empty cell', body: `${COLUMNS}\n1,2,,4`, type: 'text/csv' },
  { name: 'a word for a number', body: { dataframe_records: [record([5, 'x', 1, 1])] } },
  { name: 'a word in a table of numbers', body: `${COLUMNS}\n1,2,x,4`, type: 'text/csv' },
  { name: 'too narrow', body: { inputs: [[1, 2, 3]] } },
  { name: 'two forms', body: { inputs: FLOWERS, instances: FLOWERS } },
  { name: 'no form', body: { samples: records } },
  { name: 'a list', body: FLOWERS },
  { name: 'a text', body: '"iris"' },
  { name: 'half a document', body: '{"inputs": [' },
  { name: 'plain text', body: 'hello', type: 'text/plain' },
  { name: 'another charset', body: { dataframe_records: records }, type: 'application/json; charset=latin-1' },
];

describe('beside mlflow models serve', () => {
  let theirs: string;
  let ours: InProcess;

  before(async () => {
    const root = mkdtempSync(join(tmpdir(), 'slipway-invocations-'));
    cleanups.push(() => rmSync(root, { recursive: true, force: true }));
    const interpreter = python(REQUIREMENTS);
    const script = join(import.meta.dirname, 'python/save_iris.py');
    const saved = spawnSync(interpreter, [script, root], { encoding: 'utf8' });
    assert.equal(saved.status, 0, saved.stderr);
    theirs = await serveWithMLflow(interpreter, join(root, 'sklearn'));
    const files = readdirSync(join(root, 'onnx')).map(
      (file) => [file, readFileSync(join(root, 'onnx', file))] as const,
    );
    const context = { after: (fn: () => unknown) => void cleanups.push(fn) };
    ours = await serveHere(context, await modelFolder(context, Object.fromEntries(files)));
  });

  for (const { name, body, type = 'application/json', onPurpose } of REQUESTS) {
    test(`${name}${onPurpose ? `: otherwise, because ${onPurpose[1]}` : ''}`, async () => {
      const init = { method: 'POST', headers: { 'content-type': type }, body: textOf(body) };
      const [real, own] = await Promise.all([answerOf(theirs, init), answerOf(ours.url, init)]);
      if (onPurpose) {
        assert.equal(own.status, onPurpose[0], JSON.stringify(own));
        assert.notEqual(real.status, own.status, 'mlflow answers the same by now: no longer a difference');
        return;
      }
      assert.equal(own.status, real.status, JSON.stringify({ own, real }));
      assert.equal(own.mediaType, real.mediaType);
      assert.deepEqual(own.predictions, real.predictions);
      assert.equal(own.hasErrorCode, real.hasErrorCode);
    });
  }

  test('values by position are answered as the same values by name', async () => {
    const ask = async (body: unknown) =>
      (
        await answerOf(ours.url, {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: textOf(body),
        })
      ).predictions;
    assert.deepEqual(await ask({ inputs: FLOWERS }), await ask({ dataframe_records: records }));
  });

  test('GET answers as there: ping, and no GET of invocations', async () => {
    for (const path of ['/ping', '/invocations']) {
      const [real, own] = await Promise.all([fetch(`${theirs}${path}`), fetch(`${ours.url}${path}`)]);
      assert.equal(own.status, real.status, path);
      assert.equal(await own.text(), await real.text(), path);
    }
  });
});

const textOf = (body: unknown): string => (typeof body === 'string' ? body : JSON.stringify(body));

async function answerOf(url: string, init: RequestInit) {
  const response = await fetch(`${url}/invocations`, init);
  const text = await response.text();
  const mediaType = response.headers.get('content-type')?.split(';')[0];
  const json = mediaType === 'application/json' ? JSON.parse(text) : {};
  return {
    status: response.status,
    mediaType,
    predictions: json.predictions,
    hasErrorCode: 'error_code' in json,
    text,
  };
}

/** The real server, on loopback; it goes when the tests end. */
async function serveWithMLflow(interpreter: string, model: string): Promise<string> {
  const port = await freePort();
  const args = [
    '-m',
    'mlflow',
    'models',
    'serve',
    '-m',
    model,
    '--env-manager',
    'local',
    '-h',
    '127.0.0.1',
    '-p',
    `${port}`,
  ];
  const env = {
    ...process.env,
    PATH: `${dirname(interpreter)}${delimiter}${process.env['PATH']}`,
    MLFLOW_DISABLE_TELEMETRY: 'true',
    DO_NOT_TRACK: 'true',
  };
  // A group of its own: the command starts the server as its child.
  const child = spawn(interpreter, args, { env, detached: true, stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '';
  child.stderr.on('data', (chunk: Buffer) => {
    said = (said + chunk.toString()).slice(-4000);
  });
  const ended = once(child, 'close').then(() => {
    throw new Error(`mlflow models serve ended: ${said}`);
  });
  ended.catch(() => {});
  cleanups.push(() => {
    try {
      process.kill(-(child.pid as number), 'SIGKILL');
    } catch {
      // It has ended by itself.
    }
  });
  const url = `http://127.0.0.1:${port}`;
  const deadline = Date.now() + 120_000;
  while (!(await isUp(url))) {
    if (Date.now() > deadline) throw new Error(`mlflow models serve does not answer: ${said}`);
    await Promise.race([sleep(250), ended]);
  }
  return url;
}

const isUp = (url: string): Promise<boolean> =>
  fetch(`${url}/ping`).then(
    ({ ok }) => ok,
    () => false,
  );

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address() as { port: number };
  probe.close();
  await once(probe, 'close');
  return port;
}
