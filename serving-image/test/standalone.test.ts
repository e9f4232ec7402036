/** `slipway-serving --model model.onnx`: a server without a cluster. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { describe, type TestContext, test } from 'node:test';
import { artifactDigest } from '@slipway/contract';
import { FailureError } from '../src/failure.ts';
import { standaloneConfig } from '../src/standalone.ts';
import { HELP, type StandaloneOptions, standaloneOptions } from '../src/standalone-options.ts';
import { fileEntry, filesOf, temporaryFolder } from './folder.ts';
import { iris, irisRow } from './models.ts';
import { MAIN } from './program.ts';

const FLOWER = [5.1, 3.5, 1.4, 0.2];

interface Alone {
  readonly child: ChildProcess;
  readonly ended: Promise<number | null>;
  readonly stderr: () => string;
}

/** The program with only these arguments, and no environment. */
async function start(t: TestContext, args: readonly string[]): Promise<Alone> {
  const child = spawn(process.execPath, [MAIN, ...args], { cwd: await temporaryFolder(t), env: {} });
  t.after(() => child.kill('SIGKILL'));
  let said = '';
  child.stderr.on('data', (chunk: Buffer) => {
    said += chunk.toString();
  });
  child.stdout.resume();
  return { child, ended: once(child, 'close').then(([code]) => code as number | null), stderr: () => said };
}

/** The address it says it serves at. */
async function addressOf({ child, ended, stderr }: Alone): Promise<string> {
  const lines = createInterface({ input: child.stderr as NonNullable<ChildProcess['stderr']> });
  void ended.then(() => lines.close());
  for await (const line of lines) {
    const url = /served at (http:\S+);/.exec(line)?.[1];
    if (url !== undefined) return url;
  }
  throw new Error(`ended without serving: ${stderr()}`);
}

test('a bare .onnx file is served in every protocol, with its page, and Ctrl-C ends it with 0', async (t) => {
  const folder = await temporaryFolder(t);
  const path = join(folder, 'iris.onnx');
  await writeFile(path, iris.onnx);
  const alone = await start(t, ['--model', path, '--port', '0']);
  const url = await addressOf(alone);
  assert.match(url, /^http:\/\/127\.0\.0\.1:\d+$/, 'this machine only, unless asked');
  const post = async (where: string, body: unknown, type = 'application/json'): Promise<unknown> => {
    const text = typeof body === 'string' ? body : JSON.stringify(body);
    const response = await fetch(`${url}${where}`, { method: 'POST', headers: { 'content-type': type }, body: text });
    const answer = await response.text();
    assert.equal(response.status, 200, `${where}: ${answer}`);
    return JSON.parse(answer);
  };
  const names = ['features_0', 'features_1', 'features_2', 'features_3'];
  const row = Object.fromEntries(names.map((name, i) => [name, FLOWER[i]]));
  const tensor = { name: 'features', shape: [1, 4], datatype: 'FP32', data: FLOWER };
  assert.deepEqual(await post('/predict', { samples: [row] }), { class_id: [0], class_label: ['0'] });
  assert.deepEqual(await post('/invocations', { inputs: [FLOWER] }), { predictions: [0] });
  assert.deepEqual(await post('/invocations', `${names}\n${FLOWER}\n`, 'text/csv'), { predictions: [0] });
  assert.deepEqual(await post('/v1/models/iris:predict', { instances: [FLOWER] }), { predictions: [0] });
  const inferred = (await post('/v2/models/iris/versions/1/infer', { inputs: [tensor] })) as {
    outputs: { data: unknown }[];
  };
  assert.deepEqual(inferred.outputs[0]?.data, [0]);
  for (const where of ['/docs', '/openapi.json', '/metrics', '/readyz', '/ping', '/v2/models/iris']) {
    assert.equal((await fetch(`${url}${where}`)).status, 200, where);
  }
  const health = (await (await fetch(`${url}/health`)).json()) as Record<string, unknown>;
  const { model_name, version, sha256, tracking } = health;
  const digest = artifactDigest([fileEntry('iris.onnx', iris.onnx)]);
  assert.deepEqual(
    { model_name, version, sha256, tracking },
    { model_name: 'iris', version: '1', sha256: digest, tracking: 'disabled' },
  );

  const refused = await fetch(`${url}/train`, { method: 'POST' });
  assert.equal(refused.status, 403);
  alone.child.kill('SIGINT');
  assert.equal(await alone.ended, 0);
});

test('a port that is taken, and an address that is not this machine’s, are said to be so', async (t) => {
  const taken = createServer();
  taken.listen(0, '127.0.0.1');
  await once(taken, 'listening');
  t.after(() => taken.close());
  const path = join(await temporaryFolder(t), 'iris.onnx');
  await writeFile(path, iris.onnx);
  const { port } = taken.address() as AddressInfo;
  const second = await start(t, ['--model', path, '--port', String(port)]);
  assert.notEqual(await second.ended, 0);
  assert.match(
    second.stderr(),
    new RegExp(
      `^slipway-serving: cannot listen at 127.0.0.1, port ${port} \\(EADDRINUSE\\): another program has it; choose`,
    ),
  );
  const elsewhere = await start(t, ['--model', path, '--port', '0', '--host', '192.0.2.1']);
  assert.notEqual(await elsewhere.ended, 0);
  assert.match(
    elsewhere.stderr(),
    /^slipway-serving: cannot listen at 192.0.2.1, .*\(EADDRNOTAVAIL\): choose an address/,
  );
});

test('an unknown option ends the program with the list of those there are', async (t) => {
  const alone = await start(t, ['--modle', 'x.onnx']);
  assert.notEqual(await alone.ended, 0);
  assert.match(
    alone.stderr(),
    /^slipway-serving: Unknown option '--modle'; the options are --model, --port, .*--help\n$/,
  );
});

describe('options', () => {
  test('what is not said has a default that is safe', () => {
    assert.deepEqual(standaloneOptions(['--model', 'm.onnx']), {
      model: 'm.onnx',
      host: '127.0.0.1',
      port: 8080,
      version: '1',
      isLogging: true,
      cors: [],
    } satisfies StandaloneOptions);
    assert.equal(standaloneOptions(['-m', 'm'], '0.0.0.0')?.host, '0.0.0.0', 'an image says where');
    assert.equal(standaloneOptions(['-m', 'm', '--host', '::1'], '0.0.0.0')?.host, '::1');
  });

  test('all of them are heard, and told by --help', () => {
    const args = '--model=m -p 0 --name a --version 7 --engine onnxruntime --cors https://a.example --cors * --no-log';
    assert.deepEqual(standaloneOptions(args.split(' ')), {
      model: 'm',
      host: '127.0.0.1',
      port: 0,
      name: 'a',
      version: '7',
      engine: 'onnxruntime',
      isLogging: false,
      cors: ['https://a.example', '*'],
    } satisfies StandaloneOptions);
    assert.equal(standaloneOptions(['--help']), undefined);
    for (const option of ['model', 'port', 'host', 'name', 'version', 'engine', 'cors', 'no-log', 'help']) {
      assert.match(HELP, new RegExp(`--${option}\\b`));
    }
  });

  for (const [args, message] of [
    [[], /^--model is missing/],
    [['--model', 'm', '--port', '70000'], /^--port: expected a number from 0 to 65535, got "70000"$/],
    [['--model', 'm', '--port', 'http'], /^--port/],
    [['--model', 'm', '--engine', 'fast'], /^--engine: expected auto, compiled, onnxruntime, got "fast"$/],
    [['--model', 'm', '--name', ''], /^--name: expected 1 to 256 characters$/],
    [
      ['--model', 'm', '--version', '2 \u2713'],
      /^--version: expected 1 to 256 characters of ASCII, because every answer/,
    ],
    [['--model', 'm', '--version', '2\r\nx: y'], /^--version: expected/],
    [
      ['--model', 'm', '--cors', 'app.example'],
      /^--cors: expected \* or an origin like https:\/\/app.example, got "app.ex/,
    ],
    [['--model', 'm', '--cors', 'https://app.example/'], /^--cors: expected/],
    [['--model'], /the options are --model/],
    [['model.onnx', '--no-log'], /the options are --model/],
  ] as const) {
    test(`${JSON.stringify(args)} is refused, naming what is wrong`, () => {
      assert.throws(
        () => standaloneOptions(args),
        (error: FailureError) => {
          assert.equal(error.reason, 'InvalidConfiguration');
          assert.match(error.message, message);
          return true;
        },
      );
    });
  }
});

describe('what is served', () => {
  const options = (model: string): StandaloneOptions => ({
    model,
    host: '127.0.0.1',
    port: 0,
    version: '1',
    isLogging: true,
    cors: [],
  });
  async function layOut(t: TestContext, files: Readonly<Record<string, Buffer | string>>): Promise<string> {
    const dir = join(await temporaryFolder(t), 'flowers');
    await mkdir(dir);
    for (const [name, content] of Object.entries(files)) await writeFile(join(dir, name), content);
    return dir;
  }
  const pathsOf = async (model: string) => {
    const { MODEL_ARTIFACT, MODEL_DIR, MODEL_NAME } = await standaloneConfig(options(model), {});
    return { paths: MODEL_ARTIFACT.files?.map(({ path }) => path), dir: MODEL_DIR, name: MODEL_NAME };
  };
  const MLMODEL = 'flavors:\n  onnx:\n    data: weights.onnx\n';

  test('a folder of ours, with what describes it and nothing else', async (t) => {
    const dir = await layOut(t, { ...filesOf(iris), 'notes.txt': 'mine', 'train.csv': 'a\n1\n' });
    assert.deepEqual(await pathsOf(dir), {
      paths: ['model.onnx', 'signature.json', 'examples.json'],
      dir,
      name: 'flowers',
    });
  });

  test('what a trainer wrote to its output folder', async (t) => {
    const { 'model.onnx': onnx = '', ...documents } = filesOf(iris);
    const dir = await layOut(t, { ...documents, 'metrics.json': '{}' });
    await mkdir(join(dir, 'model'));
    await writeFile(join(dir, 'model', 'model.onnx'), onnx);
    assert.deepEqual(await pathsOf(dir), {
      paths: ['model/model.onnx', 'signature.json', 'examples.json'],
      dir,
      name: 'flowers',
    });
    const url = await addressOf(await start(t, ['--model', dir, '--port', '0']));
    const { inputs } = (await (await fetch(`${url}/v2/models/flowers`)).json()) as { inputs: unknown[] };
    assert.equal(inputs.length, 1);
  });

  test('a folder of MLflow’s', async (t) => {
    const dir = await layOut(t, { 'weights.onnx': iris.onnx, MLmodel: MLMODEL, 'conda.yaml': '' });
    assert.deepEqual((await pathsOf(dir)).paths, ['weights.onnx', 'MLmodel']);
  });

  test('one file among several, with the signature beside it', async (t) => {
    const dir = await layOut(t, { ...filesOf(iris), 'other.onnx': iris.onnx });
    const { paths, name } = await pathsOf(join(dir, 'other.onnx'));
    assert.deepEqual([paths, name], [['other.onnx', 'signature.json', 'examples.json'], 'other']);
  });

  test('settings of the environment stand where the command line says nothing else', async (t) => {
    const dir = await layOut(t, filesOf(iris));
    const env = { SERVE_SETTINGS: '{"auth":{"apiKeys":true},"engine":"compiled"}', MAX_ROWS: '7', PORT: '1' };
    const given = await standaloneConfig({ ...options(dir), engine: 'onnxruntime', isLogging: false }, env);
    assert.equal(given.MAX_ROWS, 7);
    assert.equal(given.PORT, 0);
    const { auth, engine, predictionLog } = given.SERVE_SETTINGS;
    assert.deepEqual([auth?.apiKeys, engine, predictionLog.enabled], [true, 'onnxruntime', false]);
  });

  for (const [name, files, path, reason, message] of [
    ['nothing there', {}, 'model.onnx', 'ArtifactMissing', /model\.onnx is not there$/],
    ['a folder without a model', { 'model.pkl': 'x' }, '', 'FormatNotServable', /no ONNX model in the folder/],
    ['a folder with two', { 'a.onnx': 'x', 'b.onnx': 'y' }, '', 'InvalidModel', /a\.onnx, b\.onnx/],
    [
      'an MLmodel of another file',
      { 'a.onnx': 'x', MLmodel: MLMODEL },
      'a.onnx',
      'InvalidModel',
      /describes another file/,
    ],
    [
      'an MLmodel that names what is not there',
      { MLmodel: MLMODEL },
      '',
      'ArtifactMissing',
      /weights\.onnx is not there/,
    ],
  ] as const) {
    test(`${name}: refused with the reason`, async (t) => {
      const dir = await layOut(t, files);
      await assert.rejects(standaloneConfig(options(join(dir, path)), {}), (error: unknown) => {
        assert.ok(error instanceof FailureError);
        assert.equal(error.reason, reason);
        assert.match(error.message, message);
        return true;
      });
    });
  }

  for (const [name, file, content, words] of [
    ['a file of another kind', 'x.txt', 'text', /no ONNX model in the folder, which holds x\.txt/],
    ['a file that is no model', 'x.onnx', 'text', /model/],
  ] as const) {
    test(`${name} is refused before a port is opened`, async (t) => {
      const dir = await layOut(t, { [file]: content });
      const taken = createServer().listen(0, '127.0.0.1');
      t.after(() => taken.close());
      await once(taken, 'listening');
      // Whoever opened this one would say that it is taken.
      const port = String((taken.address() as AddressInfo).port);
      const alone = await start(t, ['--model', join(dir, file), '--port', port]);
      assert.notEqual(await alone.ended, 0);
      assert.match(alone.stderr(), words);
      assert.doesNotMatch(alone.stderr(), /listen/);
    });
  }

  test('rows of the examples beside the file are what /docs shows', async (t) => {
    const dir = await layOut(t, filesOf(iris));
    const alone = await start(t, ['--model', join(dir, 'model.onnx'), '--port', '0', '--no-log']);
    const url = await addressOf(alone);
    assert.ok((await (await fetch(`${url}/openapi.json`)).text()).includes(JSON.stringify(irisRow(FLOWER))));
  });
});
