/** What of a graph takes long to make kernels from is made once, as plain data that one thread can hand to another. */
import type { Tensor, TensorType } from '../tensor.ts';
import { newEnsemble, oldEnsemble } from './ensemble.ts';
import type { Attribute, Graph, GraphNode } from './graph.ts';
import { intOf } from './kernel.ts';
import { tensorType } from './read-values.ts';
import { axesOf } from './shapes.ts';
import type { Ensemble } from './tree-ensemble.ts';

/**
 * The graph with its trees laid out for walking, their attributes left out, and tables that trees look rows up in
 * made part of them. Throws NotCompiledError for trees that are not compiled.
 */
export function prepare(graph: Graph): Graph {
  const types = typesOf(graph);
  const nodes = graph.nodes.map((node) => withTrees(node, types.get(node.inputs[0] ?? '') === 'float64'));
  return withTables({ ...graph, nodes });
}

/** Memory that changes hands with a prepared graph. */
export function memoryOf({ nodes }: Graph): ArrayBuffer[] {
  const buffers = new Set<ArrayBuffer>();
  for (const { trees } of nodes) {
    if (!trees) continue;
    const { layout, votes } = trees;
    const arrays = [layout.links, layout.values, layout.roots];
    if (votes.kind === 'dense') arrays.push(votes.table);
    if (votes.kind === 'sparse') arrays.push(votes.from, votes.targets, votes.weights);
    for (const { buffer } of arrays) buffers.add(buffer as ArrayBuffer);
  }
  return [...buffers];
}

const FLOATING = new Set(['FeatureVectorizer', 'Normalizer', 'OneHotEncoder', 'Scaler']);

/**
 * The type of every tensor, as far as it can be told without computing. Trees that were laid out for another type than
 * comes are noticed when they are asked.
 */
function typesOf({ inputs, constants, nodes }: Graph): ReadonlyMap<string, TensorType> {
  const types = new Map<string, TensorType>(inputs.map(({ name, type }) => [name, type]));
  for (const [name, { type }] of constants) types.set(name, type);
  for (const node of nodes) {
    const name = node.operator.slice(node.operator.lastIndexOf('.') + 1);
    const from = types.get(node.inputs[name === 'Where' ? 1 : 0] ?? '');
    const type: TensorType | undefined =
      name === 'Cast' ? tensorType(intOf(node, 'to', 0)) : FLOATING.has(name) ? 'float32' : from;
    if (type !== undefined) for (const output of node.outputs) types.set(output, type);
  }
  return types;
}

/** The lists that trees are made of. */
const OF_TREES = /^(?:nodes_|class_|target_|leaf_|tree_roots|membership_|base_values)/;

function withTrees(node: GraphNode, isDouble: boolean): GraphNode {
  const trees = ensembleOf(node, isDouble);
  if (!trees) return node;
  const attributes = new Map<string, Attribute>();
  for (const [name, value] of node.attributes) if (!OF_TREES.test(name)) attributes.set(name, value);
  return { ...node, attributes, trees };
}

function ensembleOf(node: GraphNode, isDouble: boolean): Ensemble | undefined {
  if (node.operator === 'ai.onnx.ml.TreeEnsemble') return newEnsemble(node, isDouble);
  if (node.operator === 'ai.onnx.ml.TreeEnsembleRegressor') return oldEnsemble(node, 'target', isDouble);
  if (node.operator === 'ai.onnx.ml.TreeEnsembleClassifier') return oldEnsemble(node, 'class', isDouble);
  return undefined;
}

/** Trees that each tell the row of a table, and the table's rows averaged or added: as trees whose leaves hold the rows. */
function withTables(graph: Graph): Graph {
  const fused = new Map<GraphNode, GraphNode>();
  const gone = new Set<GraphNode>();
  for (const node of graph.nodes) {
    const found = node.trees && lookUp(graph, node, node.trees);
    if (!found) continue;
    fused.set(node, { ...node, outputs: found.last.outputs, trees: found.trees });
    for (const step of found.steps) gone.add(step);
  }
  if (fused.size === 0) return graph;
  return { ...graph, nodes: graph.nodes.filter((node) => !gone.has(node)).map((node) => fused.get(node) ?? node) };
}

interface LookUp {
  readonly trees: Ensemble;
  readonly steps: readonly GraphNode[];
  readonly last: GraphNode;
}

function lookUp(graph: Graph, node: GraphNode, trees: Ensemble): LookUp | undefined {
  const cast = onlyReader(graph, node);
  const gather = cast?.operator === 'ai.onnx.Cast' ? onlyReader(graph, cast, 1) : undefined;
  const last = gather?.operator === 'ai.onnx.Gather' ? onlyReader(graph, gather) : undefined;
  if (!cast || !gather || !last) return undefined;
  const table = graph.constants.get(gather.inputs[0] ?? '');
  const aggregate = AGGREGATED_BY[last.operator];
  if (!aggregate || !isAlongTrees(graph, last) || intOf(gather, 'axis', 0) !== 0) return undefined;
  if (!table || !tellRows(trees, table) || !/^int(?:32|64)$/.test(tensorType(intOf(cast, 'to', 0)))) return undefined;
  const rows = table.data as Float32Array;
  return {
    // In double precision, for the runtime forms these sums in an order of its own.
    trees: {
      ...trees,
      targets: table.dims[1] as number,
      aggregate,
      isDouble: true,
      votes: { kind: 'dense', table: rows.slice() },
    },
    steps: [cast, gather, last],
    last,
  };
}

const AGGREGATED_BY: Readonly<Record<string, 'AVERAGE' | 'SUM'>> = {
  'ai.onnx.ReduceMean': 'AVERAGE',
  'ai.onnx.ReduceSum': 'SUM',
};

/** The one node that takes the node's output, and takes it as this input; undefined where others do as well. */
function onlyReader({ nodes, outputs }: Graph, { outputs: [name] }: GraphNode, input = 0): GraphNode | undefined {
  if (name === undefined || outputs.includes(name)) return undefined;
  const [reader, another] = nodes.filter(({ inputs }) => inputs.includes(name));
  return another === undefined && reader?.inputs[input] === name ? reader : undefined;
}

function isAlongTrees({ constants }: Graph, node: GraphNode): boolean {
  const axes = node.inputs[1] ? constants.get(node.inputs[1]) : undefined;
  if (node.inputs[1] && !axes) return false;
  const along = axesOf(node, [undefined, axes]);
  return along?.length === 1 && along[0] === 1 && intOf(node, 'keepdims', 1) === 0;
}

/** Every tree adds one number to a target of its own: the number of a row that the table has. */
function tellRows({ layout, votes, aggregate, transform, base, isDouble, targets }: Ensemble, table: Tensor): boolean {
  if (votes.kind !== 'single' || aggregate !== 'SUM' || transform !== 'NONE' || base.length > 0 || isDouble)
    return false;
  if (table.type !== 'float32' || table.dims.length !== 2 || targets !== layout.roots.length) return false;
  if (votes.targetOf.some((target, tree) => target !== tree) || layout.values instanceof Float64Array) return false;
  const rows = table.dims[0] as number;
  return layout.values.every(
    (row, slot) => layout.links[slot] !== 0 || (Number.isInteger(row) && row >= 0 && row < rows),
  );
}
