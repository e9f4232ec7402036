/**
 * Our side of bench/training.ts. Usage: node --expose-gc slipway.ts <folder> <case as JSON>
 * Fits once, and again for each line it reads; prints figures as JSON.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fitGradientBoosting } from '../../trainer-image/src/learn/gradient-boosting.ts';
import { fitLinearRegression } from '../../trainer-image/src/learn/linear-regression.ts';
import { fitLogisticRegression } from '../../trainer-image/src/learn/logistic-regression.ts';
import { predictProbabilities, predictValues } from '../../trainer-image/src/learn/predict.ts';
import { fitRandomForest } from '../../trainer-image/src/learn/random-forest.ts';
import type { Design, FittedModel } from '../../trainer-image/src/model.ts';
import { type Case, type Figures, WARM_ROWS } from './cases.ts';

interface Data {
  readonly design: Design;
  readonly target: Int32Array | Float64Array;
}

function read(folder: string, { data, columns, classes }: Case): Data {
  const bytes = (name: string): ArrayBuffer => new Uint8Array(readFileSync(join(folder, name))).buffer;
  const x = new Float32Array(bytes(`${data}.x`));
  const y = new Float64Array(bytes(`${data}.y`));
  const rows = x.length / columns;
  return {
    design: {
      rows,
      columns: Array.from({ length: columns }, (_, j) => x.subarray(j * rows, (j + 1) * rows)),
      encodings: Array.from({ length: columns }, (_, feature) => ({ feature, kind: 'number', impute: 0 })),
    },
    target: classes > 0 ? Int32Array.from(y) : y,
  };
}

const slice = ({ design, target }: Data, from: number, to: number): Data => ({
  design: { ...design, rows: to - from, columns: design.columns.map((column) => column.slice(from, to)) },
  target: target.slice(from, to),
});

function fit({ design, target }: Data, { algorithm, classes, trees }: Case): FittedModel {
  const task = classes > 0 ? 'classification' : 'regression';
  switch (algorithm) {
    case 'logistic-regression': {
      const options = { C: 1, maxIterations: 1000, tolerance: 1e-8, fitIntercept: true, classWeight: null };
      return fitLogisticRegression(design, target as Int32Array, classes, options);
    }
    case 'linear-regression':
      return fitLinearRegression(design, target as Float64Array, { alpha: 0, fitIntercept: true });
    case 'ridge':
      return fitLinearRegression(design, target as Float64Array, { alpha: 1, fitIntercept: true });
    case 'random-forest': {
      const limits = { maxDepth: null, minSamplesSplit: 2, minSamplesLeaf: 1, maxFeatures: 'auto' } as const;
      const drawn = { bootstrap: true, classWeight: null, seed: 42 };
      return fitRandomForest(design, target, { task, classes, nEstimators: trees, ...limits, ...drawn });
    }
    case 'gradient-boosting': {
      const limits = { maxLeafNodes: 31, maxDepth: null, minSamplesLeaf: 20, l2: 0, maxBins: 255 };
      const stop = { earlyStopping: false, validationFraction: 0.1, nIterNoChange: 10, tol: 1e-7, seed: 42 };
      return fitGradientBoosting(design, target, {
        ...{ task, classes, learningRate: 0.1, maxIterations: trees },
        ...limits,
        ...stop,
      });
    }
  }
}

function scoreOf(model: FittedModel, { design, target }: Data, classes: number): number {
  if (classes > 0) {
    const p = predictProbabilities(model, design);
    const isRight = (id: number, row: number): boolean => {
      const own = p.subarray(row * classes, (row + 1) * classes);
      return own.indexOf(Math.max(...own)) === id;
    };
    return Array.from(target).filter(isRight).length / target.length;
  }
  const predicted = predictValues(model, design);
  const mean = (target as Float64Array).reduce((sum, y) => sum + y, 0) / target.length;
  let [left, all] = [0, 0];
  target.forEach((y, row) => {
    left += (y - (predicted[row] as number)) ** 2;
    all += (y - mean) ** 2;
  });
  return 1 - left / all;
}

const held = (field: string): number =>
  1024 * Number(new RegExp(`${field}:\\s+(\\d+)`).exec(readFileSync('/proc/self/status', 'utf8'))?.[1]);

function measure(train: Data, validation: Data, which: Case): Figures {
  globalThis.gc?.();
  // Makes the kernel forget the peak so far.
  writeFileSync('/proc/self/clear_refs', '5');
  const before = held('VmRSS');
  const start = process.cpuUsage();
  const model = fit(train, which);
  const { user, system } = process.cpuUsage(start);
  const memory = held('VmHWM') - before;
  return { seconds: (user + system) / 1e6, memory, score: scoreOf(model, validation, which.classes) };
}

const [folder, text] = process.argv.slice(2) as [string, string];
const which = JSON.parse(text) as Case;
const data = read(folder, which);
const train = slice(data, 0, which.rows);
const validation = slice(data, which.rows, data.design.rows);
fit(slice(data, 0, WARM_ROWS), which);
console.log(JSON.stringify(measure(train, validation, which)));
for await (const _ of createInterface({ input: process.stdin })) {
  console.log(JSON.stringify(measure(train, validation, which)));
}
