/** Where a graph's answers change: the numbers its trees compare a column of its inputs with, and the texts it knows. */
import { elementCount } from '../tensor.ts';
import type { Graph, GraphNode } from './graph.ts';
import { attributeOf, intOf } from './kernel.ts';

/** A column of an input, as it is or after `(value - offset) * scale`. */
interface Origin {
  readonly input: number;
  readonly column: number;
  readonly offset: number;
  readonly scale: number;
}

type Columns = readonly (Origin | undefined)[];

/** By input and column. */
export interface Points {
  readonly numbers: ReadonlyMap<string, readonly number[]>;
  readonly texts: ReadonlyMap<number, readonly string[]>;
  /** Columns with other values than these the runtime fails on. */
  readonly strict: ReadonlySet<string>;
}

export const pointKey = (input: number, column: number): string => `${input}/${column}`;

/** Most of a column's points that are kept, taken evenly from all of them. */
const MOST_POINTS = 200;
/** Most of an ensemble's thresholds that are looked at. */
const MOST_THRESHOLDS = 50_000;

/** What can be followed back to the inputs; anything else is left out. */
export function pointsOf(graph: Graph): Points {
  const columns = new Map<string, Columns>();
  graph.inputs.forEach(({ name, dims }, input) => {
    const width = dims === undefined ? 0 : elementCount(dims.slice(1).map((size) => Math.max(1, size)));
    columns.set(
      name,
      Array.from({ length: width }, (_, column) => ({ input, column, offset: 0, scale: 1 })),
    );
  });
  const numbers = new Map<string, Set<number>>();
  const texts = new Map<number, readonly string[]>();
  const strict = new Set<string>();
  for (const node of graph.nodes) {
    const from = columns.get(node.inputs[0] ?? '') ?? [];
    for (const output of node.outputs) columns.set(output, passedOn(node, graph, columns, from));
    note(node, from, { numbers, texts, strict });
  }
  return {
    texts,
    strict,
    numbers: new Map([...numbers].map(([key, points]) => [key, thinned([...points].sort((a, b) => a - b))])),
  };
}

function thinned(points: readonly number[]): readonly number[] {
  const step = Math.max(1, points.length / MOST_POINTS);
  return Array.from({ length: Math.min(points.length, MOST_POINTS) }, (_, i) => points[Math.floor(i * step)] as number);
}

const CARRIERS = new Set(['Cast', 'Identity', 'Imputer', 'Reshape', 'Flatten', 'Squeeze']);

/** What the first output holds of the inputs' columns. */
function passedOn(node: GraphNode, graph: Graph, known: ReadonlyMap<string, Columns>, from: Columns): Columns {
  const name = node.operator.slice(node.operator.lastIndexOf('.') + 1);
  if (CARRIERS.has(name)) return from;
  if (name === 'Concat' || name === 'FeatureVectorizer') return node.inputs.flatMap((input) => known.get(input) ?? []);
  if (name === 'Gather' || name === 'ArrayFeatureExtractor') {
    const indices = graph.constants.get(node.inputs[1] ?? '');
    return indices ? Array.from(indices.data as BigInt64Array, (index) => from[Number(index)]) : [];
  }
  if (name === 'Scaler') return from.map((origin, i) => origin && scaled(origin, node, i));
  if (name === 'OneHotEncoder') return new Array(categoriesOf(node).length).fill(undefined);
  return [];
}

function scaled(origin: Origin, node: GraphNode, column: number): Origin | undefined {
  const [offsets, scales] = [attributeOf(node, 'offset').floats, attributeOf(node, 'scale').floats];
  const offset = offsets?.[offsets.length === 1 ? 0 : column];
  const scale = scales?.[scales.length === 1 ? 0 : column];
  if (offset === undefined || !scale) return undefined;
  return { ...origin, offset: origin.offset + offset / origin.scale, scale: origin.scale * scale };
}

const categoriesOf = (node: GraphNode): readonly (string | number)[] =>
  attributeOf(node, 'cats_strings').texts ??
  attributeOf(node, 'keys_strings').texts ??
  Array.from(attributeOf(node, 'cats_int64s').ints ?? attributeOf(node, 'keys_int64s').ints ?? []);

interface Notes {
  readonly numbers: Map<string, Set<number>>;
  readonly texts: Map<number, readonly string[]>;
  readonly strict: Set<string>;
}

function note(node: GraphNode, from: Columns, notes: Notes): void {
  if (/\.TreeEnsemble/.test(node.operator)) noteThresholds(node, from, notes);
  else if (node.operator.endsWith('.Scaler')) {
    // What values there are is said by what makes them small: their middle and their spread.
    from.forEach((origin, i) => {
      const own = origin && scaled(origin, node, i);
      for (const step of own ? [-2, -1, 0, 1, 2] : []) add(notes, own, step);
    });
  } else if (/\.(OneHotEncoder|LabelEncoder)$/.test(node.operator)) noteCategories(node, from, notes);
}

function add({ numbers }: Notes, origin: Origin | undefined, value: number): void {
  if (!origin || !Number.isFinite(value)) return;
  const key = pointKey(origin.input, origin.column);
  if (!numbers.has(key)) numbers.set(key, new Set());
  numbers.get(key)?.add(value / origin.scale + origin.offset);
}

function noteThresholds(node: GraphNode, from: Columns, notes: Notes): void {
  const features = attributeOf(node, 'nodes_featureids').ints ?? [];
  const tensor = attributeOf(node, 'nodes_splits').tensor ?? attributeOf(node, 'nodes_values_as_tensor').tensor;
  const values = (tensor?.data as Float32Array | undefined) ?? attributeOf(node, 'nodes_values').floats ?? [];
  const step = Math.max(1, Math.floor(features.length / MOST_THRESHOLDS));
  for (let i = 0; i < features.length; i += step) add(notes, from[features[i] as number], values[i] as number);
}

function noteCategories(node: GraphNode, from: Columns, notes: Notes): void {
  const isStrict = node.operator.endsWith('.OneHotEncoder') && intOf(node, 'zeros', 1) === 0;
  for (const origin of isStrict ? from : []) {
    if (origin) notes.strict.add(pointKey(origin.input, origin.column));
  }
  const [origin] = from;
  for (const category of categoriesOf(node)) {
    if (typeof category === 'number') add(notes, origin, category);
    else if (origin) notes.texts.set(origin.input, [...(notes.texts.get(origin.input) ?? []), category]);
  }
}
