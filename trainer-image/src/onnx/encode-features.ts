/** From the raw columns a client sends to the rows of numbers a learner saw: the part of the graph before the model. */
import type { Encoding, FeatureColumn } from '../model.ts';
import { attribute, FLOAT, type Graph, STRING, type Value } from './graph.ts';

/** The name of the one input of a model all of whose features are numbers. */
const MATRIX = 'features';

const isNumber = ({ kind }: FeatureColumn): boolean => kind === 'number';

/** One matrix when all features are numbers, else one column [N,1] for every feature under its own name. */
export const inputsFor = (features: readonly FeatureColumn[]): readonly Value[] =>
  features.every(isNumber)
    ? [{ name: MATRIX, type: FLOAT, width: features.length }]
    : features.map(({ kind, name }) => ({ name, type: kind === 'number' ? FLOAT : STRING, width: 1 }));

/** Adds what makes the design of the features; the name of its tensor, float [N, encodings]. */
export function encodeFeatures(
  graph: Graph,
  features: readonly FeatureColumn[],
  encodings: readonly Encoding[],
): string {
  const columns = features.every(isNumber)
    ? gather(graph, features.length, encodings)
    : concat(graph, features, encodings);
  return impute(graph, columns, features, encodings);
}

/** The matrix itself where the design takes its columns as they are. */
function gather(graph: Graph, width: number, encodings: readonly Encoding[]): string {
  const order = encodings.map(({ feature }) => feature);
  if (order.length === width && order.every((feature, i) => feature === i)) return MATRIX;
  const indices = graph.indices('columns', order);
  return graph.add('Gather', {
    inputs: [MATRIX, indices],
    outputs: [graph.fresh('chosen')],
    attributes: { axis: attribute.int(1) },
  });
}

/** Number columns and one-hot blocks side by side, in the order of the design. */
function concat(graph: Graph, features: readonly FeatureColumn[], encodings: readonly Encoding[]): string {
  const blocks: string[] = [];
  for (let from = 0; from < encodings.length; ) {
    const { feature, kind } = encodings[from] as Encoding;
    const name = features[feature]?.name as string;
    const categories: string[] = [];
    for (let encoding = encodings[from]; encoding?.kind === 'is' && encoding.feature === feature; ) {
      categories.push(encoding.category);
      encoding = encodings[from + categories.length];
    }
    blocks.push(kind === 'is' ? oneHot(graph, name, categories) : name);
    from += Math.max(1, categories.length);
  }
  return graph.add('Concat', {
    inputs: blocks,
    outputs: [graph.fresh('encoded')],
    attributes: { axis: attribute.int(1) },
  });
}

/** A text that is none of the categories, "" for a missing one among them, is zero everywhere. */
function oneHot(graph: Graph, input: string, categories: readonly string[]): string {
  const hot = graph.addMl('OneHotEncoder', {
    inputs: [input],
    outputs: [graph.fresh(`${input}_is`)],
    attributes: { cats_strings: attribute.strings(categories), zeros: attribute.int(1) },
  });
  // [N,1] became [N,1,categories].
  return graph.add('Flatten', {
    inputs: [hot],
    outputs: [graph.fresh(`${input}_columns`)],
    attributes: { axis: attribute.int(1) },
  });
}

/** NaN put in for NaN changes nothing: that is how a column is passed over. A feature that is never missing needs none. */
function impute(
  graph: Graph,
  columns: string,
  features: readonly FeatureColumn[],
  encodings: readonly Encoding[],
): string {
  const values = encodings.map((encoding) =>
    encoding.kind === 'number' && encoding.impute !== 'keep' && (features[encoding.feature]?.missing ?? 0) > 0
      ? encoding.impute
      : Number.NaN,
  );
  if (values.every(Number.isNaN)) return columns;
  return graph.addMl('Imputer', {
    inputs: [columns],
    outputs: [graph.fresh('imputed')],
    attributes: { imputed_value_floats: attribute.floats(values), replaced_value_float: attribute.float(Number.NaN) },
  });
}
