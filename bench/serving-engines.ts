/** What a row costs compiled and in the runtime, with one thread: `node bench/serving-engines.ts`. Prints, asserts nothing. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { AlgorithmName } from '@slipway/contract';
import { compileModel } from '../serving-image/src/model/compiled/compile.ts';
import { proofRows, seeded } from '../serving-image/src/model/compiled/proof-rows.ts';
import { openSession } from '../serving-image/src/model/session.ts';
import { iris } from '../serving-image/test/models.ts';
import { FLOAT, ML, model, node, tensorValue } from '../serving-image/test/onnx.ts';
import { readTable } from '../trainer-image/src/data/table.ts';
import { train } from '../trainer-image/src/train/train.ts';

const random = seeded(1);

/** Full trees: a node's children are at twice its place and one further. */
function forest(trees: number, depth: number, features: number): Buffer {
  const size = 2 ** (depth + 1) - 1;
  const inner = 2 ** depth - 1;
  const each = (value: (node: number, tree: number) => number): number[] =>
    Array.from({ length: trees * size }, (_, i) => value(i % size, Math.floor(i / size)));
  const leaves = Array.from({ length: trees * (size - inner) }, (_, i) => i);
  const attributes = {
    n_targets: { int: 1 },
    nodes_treeids: { ints: each((_, tree) => tree) },
    nodes_nodeids: { ints: each((at) => at) },
    nodes_featureids: { ints: each(() => Math.floor(random() * features)) },
    nodes_values: { floats: each(() => random() * 2 - 1) },
    nodes_modes: { strings: each((at) => at).map((at) => (at < inner ? 'BRANCH_LEQ' : 'LEAF')) },
    nodes_truenodeids: { ints: each((at) => (at < inner ? 2 * at + 1 : 0)) },
    nodes_falsenodeids: { ints: each((at) => (at < inner ? 2 * at + 2 : 0)) },
    target_treeids: { ints: leaves.map((i) => Math.floor(i / (size - inner))) },
    target_nodeids: { ints: leaves.map((i) => inner + (i % (size - inner))) },
    target_ids: { ints: leaves.map(() => 0) },
    target_weights: { floats: leaves.map(() => random()) },
  };
  return model({
    nodes: [node({ op: 'TreeEnsembleRegressor', domain: ML, inputs: ['x'], outputs: ['y'], attributes })],
    inputs: [tensorValue('x', FLOAT, ['N', features])],
    outputs: [tensorValue('y', FLOAT, ['N', 1])],
  });
}

/** What our own trainer makes of its sample data. */
async function trained(file: string, name: AlgorithmName, target: string): Promise<Buffer> {
  const path = join(import.meta.dirname, '../trainer-image/data', file);
  const table = await readTable(path, { name, target }, { maxCategories: 255 });
  const few = name === 'random-forest' ? { n_estimators: '100', max_depth: '6' } : {};
  return Buffer.from(train(table, name, few, { log: () => undefined, onProgress: () => undefined }).onnx);
}

type Case = readonly [name: string, onnx: () => Buffer | Promise<Buffer>];

const MODELS: readonly Case[] = [
  ['logistic regression, 4 features', () => iris.onnx],
  ['100 trees of depth 6, 10 features', () => forest(100, 6, 10)],
  ['500 trees of depth 10, 30 features', () => forest(500, 10, 30)],
  ['trained: forest of three species', () => trained('iris.csv', 'random-forest', 'species')],
  ['trained: boosting of three species', () => trained('iris.csv', 'gradient-boosting', 'species')],
  ['trained: ridge with a category', () => trained('abalone.csv', 'ridge', 'rings')],
  ['trained: linear regression with a category', () => trained('abalone.csv', 'linear-regression', 'rings')],
  ['trained: forest with a category', () => trained('abalone.csv', 'random-forest', 'rings')],
  ['trained: boosting with a category', () => trained('abalone.csv', 'gradient-boosting', 'rings')],
];

/** The shortest of runs for a third of a second, in microseconds for a row. */
async function microsPerRow(run: () => unknown, rows: number): Promise<number> {
  let best = Number.POSITIVE_INFINITY;
  for (const until = performance.now() + 333; performance.now() < until; ) {
    const times = rows === 1 ? 50 : 1;
    const started = performance.now();
    for (let i = 0; i < times; i++) await run();
    best = Math.min(best, (performance.now() - started) / times);
  }
  return (best * 1000) / rows;
}

/** As above, without waiting for what is there at once. */
function microsPerRowNow(run: () => unknown, rows: number): number {
  let best = Number.POSITIVE_INFINITY;
  for (const until = performance.now() + 333; performance.now() < until; ) {
    const times = rows === 1 ? 200 : 1;
    const started = performance.now();
    for (let i = 0; i < times; i++) run();
    best = Math.min(best, (performance.now() - started) / times);
  }
  return (best * 1000) / rows;
}

const folder = mkdtempSync(join(tmpdir(), 'slipway-engines-'));
try {
  for (const [name, make] of MODELS) {
    const onnx = await make();
    const path = join(folder, 'model.onnx');
    writeFileSync(path, onnx);
    const loading = performance.now();
    const { plan, points } = compileModel(onnx);
    const compiledIn = performance.now() - loading;
    const session = await openSession({ path, threads: 1 });
    console.log(`${name} (compiled in ${compiledIn.toFixed(0)} ms); microseconds per row`);
    for (const rows of [1, 32, 1024]) {
      const inputs = proofRows({ inputs: session.inputs, rules: [], points, given: [] }, rows);
      const here = microsPerRowNow(() => plan.run(inputs), rows);
      const there = await microsPerRow(() => session.run(inputs), rows);
      const shown = [here, there].map((micros) => micros.toFixed(2).padStart(9));
      console.log(
        `  ${String(rows).padStart(5)} rows: compiled ${shown[0]}  onnxruntime ${shown[1]}  ${(there / here).toFixed(1)}x`,
      );
    }
    await session.release();
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
