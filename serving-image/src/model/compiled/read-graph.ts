/** From an ONNX file in memory to a graph. */
import { delimited, each, textOf } from '../onnx/fields.ts';
import { namesOf } from '../onnx/nodes.ts';
import { domainName } from '../onnx/operators.ts';
import { type Bytes, bufferBytes, type Field } from '../onnx/wire.ts';
import type { Tensor } from '../tensor.ts';
import type { Attribute, Graph, GraphInput, GraphNode } from './graph.ts';
import { NotCompiledError } from './not-compiled.ts';
import { readAttribute, readTensor, tensorType } from './read-values.ts';

/** More nodes than any linear model or forest is exported with. */
const MAX_NODES = 2000;

/** Throws MalformedError for what is no model, NotCompiledError for what the compiler does not look at. */
export function readGraph(file: Buffer): Graph {
  const bytes = bufferBytes(file);
  const graphs: Field[] = [];
  const versions = new Map<string, number>();
  each(
    bytes,
    { start: 0, end: bytes.size },
    {
      7: (field) => graphs.push(delimited(field)),
      8: (field) => {
        const { domain, version } = operatorSet(bytes, field);
        versions.set(domain, version);
      },
    },
  );
  const [graph, another] = graphs;
  if (!graph || another) throw new NotCompiledError('it has not exactly one graph');
  return readOne(file, bytes, graph, versions);
}

function operatorSet(bytes: Bytes, at: Field): { domain: string; version: number } {
  let [domain, version] = ['', 0];
  each(bytes, delimited(at), {
    1: (field) => {
      domain = textOf(bytes, field);
    },
    2: (field) => {
      version = field.value;
    },
  });
  return { domain: domainName(domain), version };
}

function readOne(file: Buffer, bytes: Bytes, at: Field, versions: ReadonlyMap<string, number>): Graph {
  const nodes: GraphNode[] = [];
  const constants = new Map<string, Tensor>();
  const inputs: GraphInput[] = [];
  const outputs: string[] = [];
  each(bytes, at, {
    1: (field) => {
      if (nodes.length === MAX_NODES) throw new NotCompiledError(`it has more than ${MAX_NODES} nodes`);
      nodes.push(readNode(file, bytes, delimited(field), versions));
    },
    5: (field) => {
      const { name, tensor } = readTensor(file, delimited(field));
      constants.set(name, tensor);
    },
    11: (field) => inputs.push(readInput(bytes, delimited(field))),
    12: (field) =>
      each(bytes, delimited(field), {
        1: (name) => outputs.push(textOf(bytes, name)),
      }),
    15: () => {
      throw new NotCompiledError('it has sparse tensors');
    },
  });
  const fed = inputs.filter(({ name }) => !constants.has(name));
  return {
    inputs: fed,
    outputs,
    constants,
    nodes: ordered(nodes, [...fed.map(({ name }) => name), ...constants.keys()]),
  };
}

function readNode(file: Buffer, bytes: Bytes, at: Field, versions: ReadonlyMap<string, number>): GraphNode {
  const attributes = new Map<string, Attribute>();
  each(bytes, at, {
    5: (field) => {
      const { name, value } = readAttribute(file, delimited(field));
      attributes.set(name, value);
    },
  });
  const names = namesOf(bytes, at);
  const domain = names.operator.slice(0, names.operator.lastIndexOf('.'));
  return { ...names, version: versions.get(domain) ?? 1, attributes };
}

/** Value info → type → tensor → element type and shape → dimensions, which have a size or a name. */
function readInput(bytes: Bytes, at: Field): GraphInput {
  let name = '';
  let type = 0;
  let dims: number[] | undefined;
  const dimension = (field: Field): void => {
    let size = -1;
    each(bytes, delimited(field), {
      1: ({ value }) => {
        size = value;
      },
    });
    dims?.push(size);
  };
  const tensor = (field: Field): void =>
    each(bytes, delimited(field), {
      1: ({ value }) => {
        type = value;
      },
      2: (shape) => {
        dims = [];
        each(bytes, delimited(shape), { 1: dimension });
      },
    });
  each(bytes, at, {
    1: (field) => {
      name = textOf(bytes, field);
    },
    2: (field) => each(bytes, delimited(field), { 1: tensor }),
  });
  return { name, type: tensorType(type), dims };
}

/** The nodes so that each comes after those whose outputs it takes. */
function ordered(nodes: readonly GraphNode[], given: readonly string[]): readonly GraphNode[] {
  const known = new Set(['', ...given]);
  const done: GraphNode[] = [];
  let rest = nodes;
  while (rest.length > 0) {
    const waiting: GraphNode[] = [];
    for (const node of rest) {
      if (!node.inputs.every((input) => known.has(input))) {
        waiting.push(node);
        continue;
      }
      done.push(node);
      for (const output of node.outputs) known.add(output);
    }
    if (waiting.length === rest.length) throw new NotCompiledError('a node takes what nothing gives');
    rest = waiting;
  }
  return done;
}
