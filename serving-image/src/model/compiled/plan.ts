/** From a graph to a function: one kernel after the other, with room for what lies between them kept for the next run. */
import { allocate, type Tensor, type TensorData, type TensorType } from '../tensor.ts';
import type { Graph, GraphInput, GraphNode } from './graph.ts';
import type { Kernel, MakeKernel, Room } from './kernel.ts';
import { NotCompiledError } from './not-compiled.ts';
import { makerOf } from './operators.ts';

/** A graph that can be computed here. `run` throws for what the runtime fails on as well. */
export interface Plan {
  readonly inputs: readonly GraphInput[];
  /** In the order of the graph's outputs. The tensors are the caller's. */
  run(inputs: readonly Tensor[]): readonly Tensor[];
  /** What kind of model it is, for people. */
  readonly kind: string;
}

interface Step {
  readonly kernel: Kernel;
  readonly inputs: Int32Array;
  readonly outputs: Int32Array;
  readonly room: Room;
}

/** Throws NotCompiledError for a graph that is left to the runtime, and why. */
export function planGraph(graph: Graph): Plan {
  const slots = new Slots();
  for (const { name } of graph.inputs) slots.add(name);
  const constants = new Map<number, Tensor>();
  for (const [name, tensor] of graph.constants) constants.set(slots.add(name), tensor);
  const steps: Step[] = [];
  const used = usedNodes(graph);
  const owned = ownedNames(graph, used);
  for (const node of used) {
    const inputs = Int32Array.from(node.inputs, (name) => slots.of(name));
    const kernel = makerFor(node)(node, (index) => constants.get(inputs[index] ?? -1));
    const outputs = Int32Array.from(node.outputs, (name) => slots.add(name));
    if (inputs.every((slot) => slot === -1 || constants.has(slot))) {
      const results = kernel(
        Array.from(inputs, (slot) => constants.get(slot)),
        allocate,
      );
      outputs.forEach((slot, i) => void constants.set(slot, results[i] as Tensor));
      continue;
    }
    const room = node.outputs.some((name) => owned.has(name)) ? allocate : scratch();
    steps.push({ kernel, inputs, outputs, room });
  }
  return { inputs: graph.inputs, kind: kindOf(used), run: runner(graph, steps, { slots, constants }) };
}

class Slots {
  private readonly byName = new Map<string, number>();

  add(name: string): number {
    const slot = this.byName.size;
    if (this.byName.has(name)) throw new NotCompiledError('two nodes give the same tensor');
    this.byName.set(name, slot);
    return slot;
  }

  /** -1 for an input that is left out. */
  of(name: string): number {
    return name === '' ? -1 : (this.byName.get(name) ?? -1);
  }

  get count(): number {
    return this.byName.size;
  }
}

function makerFor({ operator }: GraphNode): MakeKernel {
  const maker = makerOf(operator);
  if (!maker) throw new NotCompiledError(`operator ${operator.slice(0, 128)} is not compiled`);
  return maker;
}

/** Without what no output comes from. */
function usedNodes({ nodes, outputs }: Graph): readonly GraphNode[] {
  const wanted = new Set(outputs);
  const used: GraphNode[] = [];
  for (const node of nodes.toReversed()) {
    if (!node.outputs.some((name) => wanted.has(name))) continue;
    for (const name of node.inputs) wanted.add(name);
    used.push(node);
  }
  return used.reverse();
}

/** Operators whose results may share the memory of their first input. */
const SHARING = new Set(
  ['Cast', 'Flatten', 'Identity', 'Reshape', 'Squeeze', 'Transpose', 'Unsqueeze']
    .map((name) => `ai.onnx.${name}`)
    .concat(
      [
        'ReduceSum',
        'ReduceMean',
        'ReduceL1',
        'ReduceL2',
        'ReduceMax',
        'ReduceMin',
        'ReduceProd',
        'ReduceSumSquare',
      ].map((name) => `ai.onnx.${name}`),
    ),
);

/** What outputs are, or share their memory with: it goes to the caller and is not used again. */
function ownedNames({ outputs }: Graph, nodes: readonly GraphNode[]): ReadonlySet<string> {
  const owned = new Set(outputs);
  for (const node of nodes.toReversed()) {
    if (!SHARING.has(node.operator) || !node.outputs.some((name) => owned.has(name))) continue;
    if (node.inputs[0] !== undefined) owned.add(node.inputs[0]);
  }
  return owned;
}

/** Larger results are not kept between runs. */
const MOST_KEPT = 64 * 1024;

/** The same room for every run that needs as much as the last one. */
function scratch(): Room {
  const kept: { type?: TensorType; data?: TensorData }[] = [];
  return (type, length) => {
    if (length > MOST_KEPT) return allocate(type, length);
    // A kernel asks for its results in the same order every time; the type tells them apart.
    const found = kept.find((one) => one.type === type && one.data?.length === length);
    if (found?.data) return found.data;
    const data = allocate(type, length);
    const same = kept.find((one) => one.type === type);
    if (same) same.data = data;
    else kept.push({ type, data });
    return data;
  };
}

interface Memory {
  readonly slots: Slots;
  readonly constants: ReadonlyMap<number, Tensor>;
}

function runner({ inputs, outputs }: Graph, steps: readonly Step[], { slots, constants }: Memory): Plan['run'] {
  const values: (Tensor | undefined)[] = new Array(slots.count).fill(undefined);
  for (const [slot, tensor] of constants) values[slot] = tensor;
  const results = outputs.map((name) => slots.of(name));
  if (results.includes(-1)) throw new NotCompiledError('an output comes from nowhere');
  const shared = results.map((slot) => constants.get(slot));
  const prepared = steps.map((step) => ({ ...step, args: new Array<Tensor | undefined>(step.inputs.length) }));
  // Lists that are made once, and loops in place of functions: this is most of what a small model costs.
  return (given) => {
    for (let i = 0; i < inputs.length; i++) values[i] = given[i];
    for (let step = 0; step < prepared.length; step++) take(prepared[step] as PreparedStep, values);
    const all: Tensor[] = [];
    for (let i = 0; i < results.length; i++) {
      all.push(ownTensor(values[results[i] as number] as Tensor, given, shared[i]));
    }
    return all;
  };
}

interface PreparedStep extends Step {
  /** Filled anew for every run; no kernel keeps it. */
  readonly args: (Tensor | undefined)[];
}

function take({ kernel, inputs, outputs, room, args }: PreparedStep, values: (Tensor | undefined)[]): void {
  for (let i = 0; i < inputs.length; i++) {
    const slot = inputs[i] as number;
    args[i] = slot === -1 ? undefined : values[slot];
  }
  const got = kernel(args, room);
  for (let i = 0; i < outputs.length; i++) values[outputs[i] as number] = got[i];
}

/** A copy of what is the request's or the model's own. */
function ownTensor(tensor: Tensor, given: readonly Tensor[], constant: Tensor | undefined): Tensor {
  let isShared = tensor === constant;
  for (let i = 0; i < given.length; i++) if (given[i]?.data === tensor.data) isShared = true;
  return isShared ? { ...tensor, data: tensor.data.slice() as TensorData } : tensor;
}

const KINDS: readonly [RegExp, string][] = [
  [/TreeEnsembleClassifier$/, 'tree classifier'],
  [/TreeEnsembleRegressor$/, 'tree regressor'],
  [/TreeEnsemble$/, 'tree ensemble'],
  [/LinearClassifier$/, 'linear classifier'],
  [/LinearRegressor$/, 'linear regressor'],
  [/MatMul$|Gemm$/, 'products of tables'],
];

function kindOf(nodes: readonly GraphNode[]): string {
  const found = KINDS.find(([pattern]) => nodes.some(({ operator }) => pattern.test(operator)));
  if (!found) throw new NotCompiledError('it is neither linear nor made of trees');
  return found[1];
}
