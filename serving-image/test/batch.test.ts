/** Batches against a real model server and a store in memory. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { type TestContext, test } from 'node:test';
import { ObjectStoreError } from '@slipway/object-store';
import { type BatchStore, batch } from '../src/batch/batch.ts';
import { featureSelector } from '../src/batch/features.ts';
import { batchOptions } from '../src/batch/options.ts';
import { readRows } from '../src/batch/rows.ts';
import { runBatch } from '../src/batch/run-batch.ts';
import { type BatchService, batchService } from '../src/batch/service.ts';
import type { Logger } from '../src/log.ts';
import { serveHere } from './in-process.ts';
import { iris, irisScores } from './models.ts';
import { memoryStore } from './store.ts';

const NAMES = ['sepal length (cm)', 'sepal_width', 'petal_length', 'petal_width'];
const silent = { info() {}, warn() {} };
const instantly = { sleep: async () => {}, random: () => 0 };

/** Flowers that differ in every row, as a CSV file with a column the model does not know. */
const flower = (i: number): number[] => [4 + (i % 40) / 10, 2 + (i % 23) / 10, 1 + (i % 59) / 10, 0.1 + (i % 25) / 10];
const csvOf = (count: number): Buffer =>
  Buffer.from(
    [`id,${NAMES.join(',')}`, ...Array.from({ length: count }, (_, i) => [`n${i}`, ...flower(i)].join(','))].join('\n'),
  );

function storeOf(objects: Record<string, Buffer>) {
  const memory = memoryStore(objects);
  const puts: string[] = [];
  const infoOf = (key: string) => {
    const bytes = memory.objects.get(key);
    const etag = bytes && createHash('md5').update(bytes).digest('hex');
    return bytes && { key, size: bytes.length, etag: etag as string, lastModified: new Date(0) };
  };
  const store: BatchStore = {
    ...memory,
    put: async (key, body) => {
      puts.push(key);
      memory.objects.set(key, body as Buffer);
    },
    putNew: async (key, bytes) => {
      if (memory.objects.has(key)) return false;
      puts.push(key);
      memory.objects.set(key, bytes);
      return true;
    },
    info: async (key) => infoOf(key),
    open: async (key, range) => {
      const bytes = memory.objects.get(key) as Buffer;
      const body = Readable.from([bytes.subarray(range?.start, range && range.end + 1)]);
      return { ...(infoOf(key) as NonNullable<ReturnType<typeof infoOf>>), body };
    },
  };
  return { store, puts, memory };
}

const OUT = 'team-a/batch/1';
const argumentsFor = (more: readonly string[] = []): string[] => [
  ...['--service', 'http://iris', '--input', 's3://slipway/team-a/flowers.csv', '--output', `s3://slipway/${OUT}`],
  ...['--chunk-rows', '10', ...more],
];

async function world(t: TestContext, rows: number, input?: Buffer) {
  const { url } = await serveHere(t, iris);
  const told = storeOf({ 'team-a/flowers.csv': input ?? csvOf(rows) });
  const service = batchService({ url, log: silent });
  const run = (more: readonly string[] = [], by: BatchService = service) =>
    batch(batchOptions(argumentsFor(more)), {
      store: async () => told.store,
      service: by,
      log: silent,
      retry: instantly,
    });
  const part = (index: number, ending = 'jsonl'): string =>
    told.memory.objects.get(`${OUT}/part-0000${index}.${ending}`)?.toString() ?? '';
  const lines = (index: number): Record<string, unknown>[] =>
    part(index)
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
  return { run, part, lines, service, ...told };
}

test('every row is predicted as by itself, in its order, beside its own columns', async (t) => {
  const { run, lines } = await world(t, 35);
  const summary = await run();
  assert.deepEqual([summary.rows, summary.refused, summary.version, summary.model], [35, 0, '2', 'iris']);
  assert.deepEqual(
    summary.chunks.map(({ rows }) => rows),
    [10, 10, 10, 5],
  );
  const answered = [0, 1, 2, 3].flatMap(lines);
  answered.forEach((line, i) => {
    assert.equal(line['id'], `n${i}`);
    assert.equal(line['prediction'], irisScores(flower(i)).id);
    assert.equal(line['sepal length (cm)'], flower(i)[0], 'a number of the CSV file is one in JSON');
  });
  assert.equal(typeof answered[0]?.['label'], 'string');
});

test('a batch that is done does nothing, and asks nobody', async (t) => {
  const { run, puts } = await world(t, 12);
  const first = await run();
  const before = puts.length;
  const nobody: BatchService = { describe: () => assert.fail('asked'), predict: () => assert.fail('asked') };
  assert.deepEqual(await run([], nobody), first);
  assert.equal(puts.length, before);
});

test('an output that holds another batch, or nobody knows what, is left as it is', async (t) => {
  const { run, memory, service } = await world(t, 12);
  await run();
  const done = new Map(memory.objects);
  await assert.rejects(run(['--probabilities']), { message: /begun with probabilities false, now it is true/ });
  memory.objects.set('team-a/flowers.csv', csvOf(13));
  await assert.rejects(run(), { reason: 'InvalidConfiguration', message: /begun with etag.*give another --output/ });
  memory.objects.delete('team-a/flowers.csv');
  assert.equal((await run()).rows, 12, 'an input that is gone since was read all the same');
  memory.objects.set('team-a/flowers.csv', csvOf(12));
  const later: BatchService = { ...service, describe: async () => ({ ...(await service.describe()), version: '3' }) };
  assert.equal((await run([], later)).version, '2', 'a batch that is done does not depend on what is served now');
  for (const file of ['_SUCCESS.json', '_plan.json'])
    for (const text of ['{"version":', '{}']) {
      memory.objects.clear();
      for (const [key, bytes] of done) memory.objects.set(key, bytes);
      if (file === '_plan.json') memory.objects.delete(`${OUT}/_SUCCESS.json`);
      memory.objects.set(`${OUT}/${file}`, Buffer.from(text));
      await assert.rejects(run(), { reason: 'InvalidConfiguration', message: new RegExp(`${file} in the output`) });
    }
});

test('an input that is replaced between planning and reading ends the batch before a row of it is predicted', async (t) => {
  const { run, memory, service, puts } = await world(t, 30);
  const replaced: BatchService = {
    ...service,
    predict: async () => assert.fail('asked'),
  };
  const put = memory.objects.set.bind(memory.objects);
  memory.objects.set = (key, bytes) => {
    if (key.endsWith('_plan.json')) put('team-a/flowers.csv', csvOf(31));
    return put(key, bytes);
  };
  await assert.rejects(run([], replaced), {
    reason: 'InvalidConfiguration',
    message: /flowers\.csv was replaced since/,
  });
  assert.deepEqual(puts, [`${OUT}/_plan.json`]);
});

test('of two that begin one output at once the second goes by what the first wrote', async (t) => {
  const { run, memory, service, store } = await world(t, 12);
  const { putNew } = store;
  const first = { model: 'iris', version: '9', digest: 'd'.repeat(64) };
  const begun = { ...first, input: 's3://slipway/team-a/flowers.csv', size: csvOf(12).length, format: 'csv' };
  // Between the look and the write another one has begun, while another version was served.
  store.putNew = async (key, bytes) => {
    const other = JSON.stringify({ ...JSON.parse(bytes.toString()), ...begun });
    memory.objects.set(key, Buffer.from(other));
    return putNew(key, bytes);
  };
  await assert.rejects(run([], { ...service, predict: async () => assert.fail('asked') }), {
    reason: 'InvalidConfiguration',
    message: /begun with version 9, now it is 2/,
  });
  assert.equal(JSON.parse(memory.objects.get(`${OUT}/_plan.json`)?.toString() ?? '').version, '9');
});

test('a credential that ends while the input is read is followed by the renewed one', async (t) => {
  const { service, store, memory } = await world(t, 0);
  memory.objects.set(
    'team-a/p.parquet',
    await readFile(join(import.meta.dirname, '../../trainer-image/src/data/testing/snappy.parquet')),
  );
  let opened = 0;
  // Each credential opens one thing and no more.
  const renewed = async (): Promise<BatchStore> => {
    let isOver = false;
    return {
      ...store,
      open: async (key, range) => {
        if (isOver) throw new ObjectStoreError('Denied', 'the token has expired');
        isOver = true;
        opened++;
        return store.open(key, range);
      },
    };
  };
  const told = { ...service, describe: async () => ({ ...(await service.describe()), features: [] }) };
  const options = batchOptions(argumentsFor(['--input', 's3://slipway/team-a/p.parquet']));
  const parts = { store: renewed, service: told, log: silent, retry: instantly };
  // It gets as far as the rows, of which this model has no column.
  await assert.rejects(batch(options, parts), { reason: 'FeatureNotFound' });
  assert.ok(opened > 1);
});

test('a key file that is not there is named', async () => {
  const args = argumentsFor(['--api-key-file', '/nowhere/key']);
  await assert.rejects(runBatch(args, silent as unknown as Logger), {
    reason: 'InvalidConfiguration',
    message: /--api-key-file cannot be read \(ENOENT\)/,
  });
});

test('a column of the input that the answer has too is named, and neither is lost', async (t) => {
  for (const name of ['error', 'label', 'prediction']) {
    const { run, puts } = await world(t, 0, Buffer.from(`${name},${NAMES.join(',')}\nx,5.1,3.5,1.4,0.2\n`));
    await assert.rejects(run(), { reason: 'InvalidCell', message: new RegExp(`the input has a column ${name},`) });
    assert.deepEqual(puts, [`${OUT}/_plan.json`]);
  }
});

test('a service that lets nobody in, is none, or sends elsewhere is told in a sentence, and shown the credential as it is now', async (t) => {
  const heard: string[] = [];
  let answer = (_: ServerResponse): void => {};
  const server = createServer((request, response) => {
    heard.push(`${request.url} ${request.headers.authorization}`);
    answer(response);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close().closeAllConnections());
  const { port } = server.address() as AddressInfo;
  const keys = ['first', 'first', 'renewed'];
  const credential = async () => keys.shift() ?? '';
  const service = batchService({ url: `http://127.0.0.1:${port}`, credential, log: silent });
  const says = (message: RegExp) => assert.rejects(service.describe(), { reason: 'InvalidConfiguration', message });
  answer = (response) => void response.writeHead(401).end('{"detail":"Credentials are missing"}');
  await says(/answered 401: .*Credentials are missing.*--api-key-file has to name a file/);
  answer = (response) => void response.end('<html>');
  await says(/answered 200/);
  answer = (response) => void response.writeHead(307, { location: '/stolen' }).end();
  await says(/answered 307/);
  assert.deepEqual(
    heard,
    ['first', 'first', 'renewed'].map((key) => `/v2/models Bearer ${key}`),
  );
});

test('wherever a try dies, the next one goes on: every chunk is stored once and none is lost', async (t) => {
  const whole = await world(t, 45);
  const expected = await whole.run();
  for (let dies = 1; dies <= 5; dies++) {
    const { run, puts, memory, service } = await world(t, 45);
    let asked = 0;
    const dying: BatchService = {
      describe: service.describe,
      predict: async (rows, probabilities) => {
        if (++asked === dies) throw new Error('the pod is killed');
        return service.predict(rows, probabilities);
      },
    };
    await assert.rejects(run([], dying), /the pod is killed/);
    assert.equal(memory.objects.has(`${OUT}/_SUCCESS.json`), false);
    assert.deepEqual(await run(), expected);
    const parts = puts.filter((key) => key.includes('part-'));
    assert.equal(new Set(parts).size, parts.length, `killed at question ${dies}: ${parts}`);
    for (const [key, bytes] of whole.memory.objects) assert.deepEqual(memory.objects.get(key), bytes, key);
  }
});

test('another version than the batch began with ends it, and finishes nothing', async (t) => {
  const { run, service, memory } = await world(t, 30);
  let asked = 0;
  const switching: BatchService = {
    describe: service.describe,
    predict: async (rows, probabilities) => {
      const answer = await service.predict(rows, probabilities);
      return ++asked > 1 && 'outcomes' in answer ? { ...answer, version: '3' } : answer;
    },
  };
  await assert.rejects(run(['--concurrency', '1'], switching), {
    reason: 'InvalidConfiguration',
    message: /version 3 answers now.*begun with version 2/,
  });
  const later: BatchService = { ...service, describe: async () => ({ ...(await service.describe()), version: '3' }) };
  await assert.rejects(run([], later), { message: /begun with version 2, now it is 3.*serve version 2 again/ });
  assert.equal(memory.objects.has(`${OUT}/_SUCCESS.json`), false);
  assert.equal((await run()).rows, 30, 'served again, it is finished');
});

test('an input that changed, or another size of chunk, is another batch', async (t) => {
  const { run, memory, service } = await world(t, 30);
  const dying: BatchService = { ...service, predict: async () => assert.fail('killed') };
  await assert.rejects(run([], dying));
  await assert.rejects(run(['--chunk-rows', '20']), { message: /begun with chunkRows 10, now it is 20/ });
  memory.objects.set('team-a/flowers.csv', csvOf(31));
  await assert.rejects(run(), { reason: 'InvalidConfiguration', message: /begun with etag/ });
});

test('a row the model refuses is written with the reason; too many end the batch', async (t) => {
  const bad = `${csvOf(8)}\nn8,5.1,many,1.4,0.2\nn9,5.1,,1.4,0.2\nn10,5.1,3.5,1.4,0.2\n`;
  const { run, lines } = await world(t, 0, Buffer.from(bad));
  const summary = await run();
  assert.deepEqual([summary.rows, summary.refused], [11, 2]);
  const answered = [...lines(0), ...lines(1)];
  assert.match(String(answered[8]?.['error']), /sepal_width: Input should be a valid number, got string/);
  assert.match(String(answered[9]?.['error']), /sepal_width: Input should be a valid number, got null/);
  assert.equal(answered[10]?.['prediction'], 0);
  const strict = await world(t, 0, Buffer.from(bad));
  await assert.rejects(strict.run(['--max-refused', '1']), { reason: 'InvalidCell', message: /more than 1 rows/ });
});

test('a CSV answer can be put together, quotes what needs it, and is counted again by a later try', async (t) => {
  const input = Buffer.from(
    `note,${NAMES.join(',')}\n"a, ""b""\nc",5.1,3.5,1.4,0.2\nplain,6.9,x,5.4,2.1\nplain,6.9,3.1,5.4,2.1\n`,
  );
  const { run, part, memory } = await world(t, 0, input);
  const flags = ['--output-format', 'csv', '--probabilities'];
  const first = await run(flags);
  assert.match(part(0, 'csv'), /^note,sepal length \(cm\),.*,prediction,label,probabilities,error\n"a, ""b""\nc",5.1,/);
  assert.match(part(0, 'csv'), /,setosa,"[[{]/);
  memory.objects.delete(`${OUT}/_SUCCESS.json`);
  assert.deepEqual(await run(flags), first);
});

test('JSON Lines and Parquet are read as CSV is', async (t) => {
  const objects = Array.from({ length: 4 }, (_, i) => Object.fromEntries(NAMES.map((name, k) => [name, flower(i)[k]])));
  const { run, lines, memory } = await world(t, 0);
  memory.objects.set('team-a/flowers.jsonl', Buffer.from(`${objects.map((o) => JSON.stringify(o)).join('\n\n')}\n`));
  const { rows } = await run(['--input', 's3://slipway/team-a/flowers.jsonl']);
  assert.equal(rows, 4);
  assert.deepEqual(
    lines(0).map((line) => line['prediction']),
    objects.map((_, i) => irisScores(flower(i)).id),
  );
  const folder = join(import.meta.dirname, '../../trainer-image/src/data/testing');
  for (const compression of ['snappy', 'zstd', 'gzip', 'brotli']) {
    const bytes = await readFile(join(folder, `${compression}.parquet`));
    const { store } = storeOf({ table: bytes });
    const table: unknown[] = [];
    for await (const row of readRows({ store, key: 'table', size: bytes.length, format: 'parquet' })) table.push(row);
    assert.equal(table.length, 6);
    assert.deepEqual(table[0], { size: 1.5, count: 1, colour: 'red', open: true, class: 'a' });
  }
});

test('of a Parquet file no part is fetched twice, however few rows are decoded at a time', async () => {
  const folder = join(import.meta.dirname, '../../trainer-image/src/data/testing');
  const bytes = await readFile(join(folder, 'snappy.parquet'));
  const { store } = storeOf({ table: bytes });
  const ranges: string[] = [];
  const open: BatchStore['open'] = (key, range) => {
    ranges.push(`${range?.start}-${range?.end}`);
    return store.open(key, range);
  };
  const input = { store: { ...store, open }, key: 'table', size: bytes.length, format: 'parquet' } as const;
  const colours: unknown[] = [];
  for await (const { colour } of readRows({ ...input, rowsAtOnce: 2 })) colours.push(colour);
  assert.equal(colours.length, 6);
  assert.deepEqual(ranges, [...new Set(ranges)]);
});

test('an integer of a CSV file keeps every digit on its way to the model and into the output', () => {
  const select = featureSelector([{ name: 'count', type: 'int64' }], { count: '1' }, true);
  const row = { id: '007', count: '9007199254740993' };
  assert.equal(JSON.stringify(select(row)), '{"count":9007199254740993}');
  assert.equal(JSON.stringify(select.typed(row)), '{"id":"007","count":9007199254740993}');
});

const unreadable: [what: string, name: string, text: string, says: RegExp][] = [
  ['a line that is no JSON', 'x.jsonl', '{"a":1}\n{"a":', /line 2: expected a JSON object, got no JSON/],
  ['a line that is no object', 'x.jsonl', '[1]', /line 1: expected a JSON object, got a list/],
  ['a record with too many cells', 'x.csv', `${NAMES.join(',')}\n1,2,3,4,5`, /line 2: no record of the CSV file/],
  ['a column that is named twice', 'x.csv', 'a,a\n1,2', /column "a" is named twice/],
  ['no Parquet file', 'x.parquet', 'hello, this is a text', /no Parquet file/],
  ['no column of the model', 'x.csv', 'a,b\n1,2', /no column of the model: it takes sepal_length/],
  ['an ending that tells nothing', 'x.txt', 'a', /say --format csv, jsonl or parquet/],
];
for (const [what, name, text, says] of unreadable) {
  test(`${what} is told in a sentence`, async (t) => {
    const { run, memory } = await world(t, 0);
    memory.objects.set(name, Buffer.from(text));
    await assert.rejects(run(['--input', `s3://slipway/${name}`]), (error: Error) => {
      assert.equal(error.name, 'FailureError');
      assert.match(error.message, says);
      return true;
    });
  });
}

test('a store that is away is waited for; another bucket and a missing input are named', async (t) => {
  const { run, memory } = await world(t, 20);
  memory.failures.push(new ObjectStoreError('Unavailable', 'away'), new ObjectStoreError('Unavailable', 'away'));
  assert.equal((await run()).rows, 20);
  await assert.rejects(run(['--input', 's3://other/x.csv', '--output', 's3://slipway/team-a/2']), {
    reason: 'InputUriNotAllowed',
  });
  await assert.rejects(run(['--input', 's3://slipway/x.csv', '--output', 's3://slipway/team-a/3']), {
    reason: 'InputNotFound',
  });
});

test('flags that are wrong are named with what was expected', () => {
  const refused = (more: readonly string[]) => {
    try {
      batchOptions(argumentsFor(more));
    } catch (error) {
      return (error as Error).message;
    }
    return 'taken';
  };
  assert.match(refused(['--chunk-rows', '0']), /--chunk-rows/);
  assert.match(refused(['--input', 'file:///etc/passwd']), /--input: expected s3:/);
  assert.match(refused(['--format', 'xml']), /--format/);
  assert.match(refused(['--rows', '3']), /--rows.*batch takes --service, --input/);
});
