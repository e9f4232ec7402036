/**
 * What it takes to load a forest as our writer writes it, against skl2onnx's export of the very same trees: memory and
 * time of a fresh process each, with the settings of the serving image, and whether both answer the same.
 * Usage: node bench/training/load-memory.ts [rows] [trees] [min_samples_leaf]
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { openSession } from '../../serving-image/src/model/session.ts';
import type { Tree, TreeEnsemble } from '../../trainer-image/src/model.ts';
import { encodeModel } from '../../trainer-image/src/onnx/encode-model.ts';
import { python } from '../../trainer-image/test/python/venv.ts';

/** As the Dockerfile sets them. */
const IMAGE_ENV = { NODE_OPTIONS: '--max-semi-space-size=2', MALLOC_TRIM_THRESHOLD_: '131072' };
const COLUMNS = 30;
const ROWS = 1024;

interface Case {
  readonly name: string;
  readonly task: 'classification' | 'regression';
  readonly classes: number;
}
const CASES: readonly Case[] = [
  { name: 'two classes', task: 'classification', classes: 2 },
  { name: 'five classes', task: 'classification', classes: 5 },
  { name: 'regression', task: 'regression', classes: 1 },
];

interface Figures {
  readonly mib: number;
  readonly peakMib: number;
  readonly loadMs: number;
  readonly oneRowMicros: number;
  readonly manyRowsMs: number;
  readonly worstDifference: number;
}

function bytesIn(path: string): ArrayBuffer {
  const buffer = readFileSync(path);
  return buffer.buffer.slice(buffer.byteOffset, buffer.byteOffset + buffer.length) as ArrayBuffer;
}

function forestIn(folder: string, { task, classes }: Case): TreeEnsemble {
  const read = (name: string): ArrayBuffer => bytesIn(join(folder, `${name}.bin`));
  const { sizes, width } = JSON.parse(readFileSync(join(folder, 'forest.json'), 'utf8')) as {
    sizes: number[];
    width: number;
  };
  const [feature, threshold] = [new Int32Array(read('feature')), new Float32Array(read('threshold'))];
  const [left, right, values] = [
    new Int32Array(read('left')),
    new Int32Array(read('right')),
    new Float32Array(read('values')),
  ];
  let from = 0;
  const trees = sizes.map((size): Tree => {
    const [start, end] = [from, from + size];
    from = end;
    return {
      feature: feature.subarray(start, end),
      threshold: threshold.subarray(start, end),
      left: left.subarray(start, end),
      right: right.subarray(start, end),
      missingLeft: new Uint8Array(size),
      values: values.subarray(start * width, end * width),
      width,
      output: 0,
      gain: new Float32Array(size),
    };
  });
  const base = new Float64Array(classes);
  return { kind: 'trees', task, outputs: classes, trees, aggregate: 'mean', base, link: 'identity' };
}

/** In a process of its own: `rss` before and after. */
async function measure(path: string, folder: string): Promise<void> {
  const status = (key: string): number =>
    Number(new RegExp(`${key}:\\s+(\\d+)`).exec(readFileSync('/proc/self/status', 'utf8'))?.[1]) / 1024;
  const small = await openSession({ path: join(folder, 'small.onnx'), threads: 1 });
  const before = status('VmRSS');
  const start = performance.now();
  const session = await openSession({ path, threads: 1 });
  const loadMs = performance.now() - start;
  const [mib, peakMib] = [status('VmRSS') - before, status('VmHWM') - before];
  const rows = new Float32Array(bytesIn(join(folder, 'rows.bin')));
  const expected = new Float32Array(bytesIn(join(folder, 'expected.bin')));
  const run = async (count: number) =>
    session.run([{ type: 'float32', dims: [count, COLUMNS], data: rows.subarray(0, count * COLUMNS) }]);
  const timed = async (count: number, times: number): Promise<number> => {
    await run(count);
    const begin = performance.now();
    for (let i = 0; i < times; i++) await run(count);
    return (performance.now() - begin) / times;
  };
  const oneRowMicros = (await timed(1, 2000)) * 1000;
  const manyRowsMs = await timed(ROWS, 5);
  const got = (await run(ROWS)).at(-1)?.data as Float32Array;
  const worstDifference = expected.reduce(
    (worst, value, i) => Math.max(worst, Math.abs(value - (got[i] as number))),
    0,
  );
  await session.release();
  await small.release();
  const figures: Figures = { mib, peakMib, loadMs, oneRowMicros, manyRowsMs, worstDifference };
  console.log(JSON.stringify(figures));
}

function measured(path: string, folder: string): Figures {
  const { status, stdout, stderr } = spawnSync(process.execPath, [import.meta.filename, 'measure', path, folder], {
    encoding: 'utf8',
    env: { ...process.env, ...IMAGE_ENV },
  });
  if (status !== 0) throw new Error(`measuring ${path}: ${stderr}`);
  return JSON.parse(stdout);
}

function compare(one: Case, root: string, sizes: readonly string[]): Record<string, unknown>[] {
  const folder = join(root, one.name.replace(' ', '-'));
  mkdirSync(folder);
  const interpreter = python(join(import.meta.dirname, '../../serving-image/test/python/requirements.txt'));
  const [rows = '', trees = '', leaf = ''] = sizes;
  const { status, stderr } = spawnSync(interpreter, [
    ...[join(import.meta.dirname, 'forest.py'), folder, one.task],
    ...[rows, String(COLUMNS), String(one.classes), trees, leaf],
  ]);
  if (status !== 0) throw new Error(String(stderr));
  const features = Array.from({ length: COLUMNS }, (_, i) => ({
    ...{ kind: 'number' as const, name: `x${i}`, missing: 0 },
    values: new Float32Array(1),
  }));
  const encodings = features.map((_, feature) => ({ feature, kind: 'number' as const, impute: 'keep' as const }));
  const model = forestIn(folder, one);
  const start = performance.now();
  const ours = encodeModel({ model, features, encodings });
  const writeMs = performance.now() - start;
  writeFileSync(join(folder, 'ours.onnx'), ours);
  const line = { kind: 'linear-regressor' as const, coefficients: new Float64Array(COLUMNS), intercept: 0 };
  writeFileSync(join(folder, 'small.onnx'), encodeModel({ model: line, features, encodings }));
  const nodes = model.trees.reduce((sum, { feature }) => sum + feature.length, 0);
  const table = ['skl2onnx', 'ours'].map((name) => {
    const path = join(folder, `${name}.onnx`);
    return { name, fileMib: statSync(path).size / 2 ** 20, ...measured(path, folder) };
  });
  const [theirs, mine] = table as [(typeof table)[0], (typeof table)[0]];
  const rounded = table.map((row) =>
    Object.fromEntries(Object.entries(row).map(([k, v]) => [k, typeof v === 'number' ? Number(v.toPrecision(3)) : v])),
  );
  console.log(`\n${one.name}: ${nodes} nodes, written in ${Math.round(writeMs)} ms`);
  console.table(rounded);
  const ratio = (key: 'mib' | 'peakMib' | 'oneRowMicros' | 'manyRowsMs') =>
    Number((mine[key] / theirs[key]).toFixed(2));
  console.log({
    memory: ratio('mib'),
    peak: ratio('peakMib'),
    oneRow: ratio('oneRowMicros'),
    [`rows${ROWS}`]: ratio('manyRowsMs'),
  });
  rmSync(folder, { recursive: true });
  return rounded;
}

if (process.argv[2] === 'measure') {
  await measure(process.argv[3] as string, process.argv[4] as string);
} else {
  const [rows = '100000', trees = '100', leaf = '5'] = process.argv.slice(2);
  const root = mkdtempSync(join(tmpdir(), 'slipway-forest-'));
  try {
    console.log(`forests of ${trees} trees on ${rows} x ${COLUMNS}, min_samples_leaf ${leaf}; node ${process.version}`);
    console.log(`${cpus().length} × ${cpus()[0]?.model}`);
    for (const one of CASES) compare(one, root, [rows, trees, leaf]);
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}
