import type { Encoding, FeatureColumn, FittedModel } from '../model.ts';
import { encodeFeatures, inputsFor } from './encode-features.ts';
import { createGraph, FLOAT, type Graph, INT64, type Value, type Versions } from './graph.ts';
import { addLinearClassifier, addLinearRegressor } from './linear.ts';
import { type OutputNames, outputNames } from './outputs.ts';
import { addTreeClassifier, addTreeRegressor } from './trees.ts';

export interface ModelToEncode {
  readonly model: FittedModel;
  /** With their values: linear models are centred and scaled by them, so that float32 loses no digits. */
  readonly features: readonly FeatureColumn[];
  /** Of the design the model was fitted to, in its order. */
  readonly encodings: readonly Encoding[];
}

/** The oldest that have what is used. */
const LINEAR: Versions = { ir: 8, opset: 17, ml: 3 };
const TREES: Versions = { ir: 10, opset: 17, ml: 5 };

/**
 * The model and the encoding of its features as an ONNX file; same model, same bytes. Inputs: `features` float [N,d] when
 * all features are numbers, else one input for every feature under its name, float or string [N,1]; NaN and "" stand for
 * missing values. Outputs: `label` int64 [N] and `probabilities` float [N,classes], or `prediction` float [N,1] (see
 * `outputNames`). Throws InvalidParameter for a model that is larger than ONNX can hold.
 */
export function encodeModel({ model, features, encodings }: ModelToEncode): Uint8Array {
  const inputs = inputsFor(features);
  const names = outputNames(features);
  const graph = createGraph([...inputs.map(({ name }) => name), ...Object.values(names)]);
  const design = encodeFeatures(graph, features, encodings);
  addModel(graph, { model, design, features, encodings }, names);
  return graph.encode(model.kind, inputs, outputsOf(model, names), model.kind === 'trees' ? TREES : LINEAR);
}

function addModel(graph: Graph, fitted: ModelToEncode & { readonly design: string }, names: OutputNames): void {
  const { model, design } = fitted;
  const classes = [names.label, names.probabilities] as const;
  if (model.kind === 'linear-classifier') addLinearClassifier(graph, { ...fitted, model }, classes);
  else if (model.kind === 'linear-regressor') addLinearRegressor(graph, { ...fitted, model }, names.prediction);
  else if (model.task === 'classification') addTreeClassifier(graph, design, model, classes);
  else addTreeRegressor(graph, design, model, names.prediction);
}

/** 0: the model predicts a quantity. */
function classesOf(model: FittedModel): number {
  if (model.kind === 'linear-classifier') return model.classes;
  if (model.kind === 'linear-regressor' || model.task === 'regression') return 0;
  return Math.max(2, model.outputs);
}

function outputsOf(model: FittedModel, { label, probabilities, prediction }: OutputNames): readonly Value[] {
  const classes = classesOf(model);
  if (classes === 0) return [{ name: prediction, type: FLOAT, width: 1 }];
  return [
    { name: label, type: INT64 },
    { name: probabilities, type: FLOAT, width: classes },
  ];
}
