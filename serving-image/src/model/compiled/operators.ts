/** The operators that are compiled, by name and domain. */
import { ANY_VALUES, binary, cast, clip, compare, isNan, logic, not, sum, unary, where } from './elementwise.ts';
import {
  arrayFeatureExtractor,
  featureVectorizer,
  imputer,
  labelEncoder,
  normalizer,
  oneHotEncoder,
  scaler,
} from './features.ts';
import type { MakeKernel } from './kernel.ts';
import { gemm, linearClassifier, linearRegressor, matMul } from './linear.ts';
import { argBest, L1, L2, LEAST, MEAN, MOST, PRODUCT, reduce, SQUARES, SUM, softmax } from './reduce.ts';
import {
  concat,
  constant,
  constantOfShape,
  flatten,
  gather,
  identity,
  reshape,
  shape,
  slice,
  split,
  squeeze,
  transpose,
  unsqueeze,
} from './shapes.ts';
import { treeClassifier, treeEnsemble, treeRegressor } from './trees.ts';

const STANDARD: Readonly<Record<string, MakeKernel>> = {
  Abs: unary(Math.abs),
  Add: binary((a, b) => a + b),
  And: logic((a, b) => a & b),
  ArgMax: argBest((value, best) => value > best),
  ArgMin: argBest((value, best) => value < best),
  Cast: cast,
  Clip: clip,
  Concat: concat,
  Constant: constant,
  ConstantOfShape: constantOfShape,
  Div: binary((a, b) => a / b, new Set(['float32', 'float64'])),
  Equal: compare((a, b) => a === b, ANY_VALUES),
  Exp: unary(Math.exp),
  Flatten: flatten,
  Gather: gather,
  Gemm: gemm,
  Greater: compare((a, b) => a > b),
  GreaterOrEqual: compare((a, b) => a >= b),
  Identity: identity,
  IsNaN: isNan,
  Less: compare((a, b) => a < b),
  LessOrEqual: compare((a, b) => a <= b),
  Log: unary(Math.log),
  MatMul: matMul,
  Mul: binary((a, b) => a * b),
  Neg: unary((value) => -value),
  Not: not,
  Or: logic((a, b) => a | b),
  Reciprocal: unary((value) => 1 / value),
  ReduceL1: reduce(L1),
  ReduceL2: reduce(L2),
  ReduceMax: reduce(MOST),
  ReduceMean: reduce(MEAN),
  ReduceMin: reduce(LEAST),
  ReduceProd: reduce(PRODUCT),
  ReduceSum: reduce(SUM),
  ReduceSumSquare: reduce(SQUARES),
  Relu: unary((value) => Math.max(value, 0)),
  Reshape: reshape,
  Shape: shape,
  Sigmoid: unary((value) => 1 / (1 + Math.exp(-value))),
  Slice: slice,
  Softmax: softmax,
  Split: split,
  Sqrt: unary(Math.sqrt),
  Squeeze: squeeze,
  Sub: binary((a, b) => a - b),
  Sum: sum,
  Tanh: unary(Math.tanh),
  Transpose: transpose,
  Unsqueeze: unsqueeze,
  Where: where,
};

const CLASSICAL: Readonly<Record<string, MakeKernel>> = {
  ArrayFeatureExtractor: arrayFeatureExtractor,
  FeatureVectorizer: featureVectorizer,
  Imputer: imputer,
  LabelEncoder: labelEncoder,
  LinearClassifier: linearClassifier,
  LinearRegressor: linearRegressor,
  Normalizer: normalizer,
  OneHotEncoder: oneHotEncoder,
  Scaler: scaler,
  TreeEnsemble: treeEnsemble,
  TreeEnsembleClassifier: treeClassifier,
  TreeEnsembleRegressor: treeRegressor,
};

/** Undefined for an operator that is not compiled. */
export function makerOf(operator: string): MakeKernel | undefined {
  const dot = operator.lastIndexOf('.');
  const [domain, name] = [operator.slice(0, dot), operator.slice(dot + 1)];
  const operators = domain === 'ai.onnx' ? STANDARD : domain === 'ai.onnx.ml' ? CLASSICAL : {};
  return Object.hasOwn(operators, name) ? operators[name] : undefined;
}
