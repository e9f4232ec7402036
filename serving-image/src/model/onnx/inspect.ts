/**
 * What must hold of an ONNX file before the runtime may see it. The runtime would follow external data out of the
 * model's folder and would run an endless loop; a file that asks for either is refused here, by our own reader.
 */
import { FailureError } from '../../failure.ts';
import { delimited, each, textOf } from './fields.ts';
import { domainName, NEWEST_IR, NEWEST_OPSET, operatorProblem } from './operators.ts';
import { type Bytes, type Field, MalformedError } from './wire.ts';

export interface ModelSummary {
  readonly irVersion: number;
  readonly opsets: ReadonlyMap<string, number>;
  readonly nodes: number;
}

const MAX_BYTES = 2 ** 31 - 1;
const MAX_NODES = 100_000;
const MAX_TENSORS = 100_000;
const DATA_LOCATION_EXTERNAL = 1;

/** Throws FailureError (InvalidModel, UnsupportedOperator) naming what is wrong. Reads weights nowhere. */
export function inspectModel(bytes: Bytes): ModelSummary {
  if (bytes.size === 0) throw invalid('the file is empty; expected an ONNX model');
  if (bytes.size > MAX_BYTES) throw invalid(`the file has ${bytes.size} bytes; an ONNX model may have ${MAX_BYTES}`);
  try {
    return inspect(bytes);
  } catch (error) {
    if (error instanceof MalformedError) throw invalid(`not a complete ONNX model: ${error.message}`);
    throw error;
  }
}

const invalid = (message: string): FailureError => new FailureError('InvalidModel', message);

function inspect(bytes: Bytes): ModelSummary {
  const opsets = new Map<string, number>();
  const counts = { nodes: 0, tensors: 0, graphs: 0 };
  let irVersion = 0;
  const tensor = (field: Field): void => {
    if (++counts.tensors > MAX_TENSORS) throw invalid(`more than ${MAX_TENSORS} tensors`);
    inspectTensor(bytes, field);
  };
  const graph = (field: Field): void =>
    each(bytes, delimited(field), {
      1: (node) => {
        if (++counts.nodes > MAX_NODES) throw invalid(`more than ${MAX_NODES} nodes`);
        inspectNode(bytes, node, counts.nodes, tensor);
      },
      5: tensor,
      15: (sparse) => each(bytes, delimited(sparse), { 1: tensor, 2: tensor }),
    });
  each(
    bytes,
    { start: 0, end: bytes.size },
    {
      1: (field) => {
        irVersion = field.value;
      },
      7: (field) => {
        counts.graphs++;
        graph(field);
      },
      8: (field) => {
        const { domain, version } = opsetOf(bytes, field);
        opsets.set(domain, version);
      },
      20: () => {
        throw invalid('it carries training information; export the model for inference');
      },
      25: () => {
        throw new FailureError(
          'UnsupportedOperator',
          'it defines functions of its own; export the model with its functions inlined',
        );
      },
    },
  );
  checkVersions(irVersion, opsets);
  if (counts.graphs === 0) throw invalid('it has no graph; expected an ONNX model');
  return { irVersion, opsets, nodes: counts.nodes };
}

function checkVersions(irVersion: number, opsets: ReadonlyMap<string, number>): void {
  if (irVersion < 1) throw invalid('it has no IR version; expected an ONNX model');
  if (irVersion > NEWEST_IR) throw invalid(`IR version ${irVersion}; expected at most ${NEWEST_IR}`);
  if (opsets.size === 0) throw invalid('it imports no operator set; expected an ONNX model');
  for (const [domain, newest] of Object.entries(NEWEST_OPSET)) {
    const version = opsets.get(domain);
    if (version !== undefined && version > newest) {
      throw invalid(`opset ${version} of ${domain}; expected at most ${newest}: export with target_opset=${newest}`);
    }
  }
}

function opsetOf(bytes: Bytes, at: Field): { domain: string; version: number } {
  let domain = '';
  let version = 0;
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

function inspectNode(bytes: Bytes, at: Field, index: number, tensor: (field: Field) => void): void {
  let name = '';
  let operator = '';
  let domain = '';
  let hasSubgraph = false;
  each(bytes, delimited(at), {
    3: (field) => {
      name = textOf(bytes, field);
    },
    4: (field) => {
      operator = textOf(bytes, field);
    },
    7: (field) => {
      domain = textOf(bytes, field);
    },
    5: (field) => {
      hasSubgraph = inspectAttribute(bytes, field, tensor) || hasSubgraph;
    },
  });
  const problem =
    operatorProblem(domain, operator) ??
    (hasSubgraph ? 'it carries a graph of its own, which is not served' : undefined);
  if (problem === undefined) return;
  const where = name === '' ? `node ${index}` : `node ${JSON.stringify(name.slice(0, 128))}`;
  const what = `${domainName(domain)}.${operator}`.slice(0, 256);
  throw new FailureError('UnsupportedOperator', `${where} uses operator ${what}: ${problem}`);
}

/** True when the attribute holds a graph. */
function inspectAttribute(bytes: Bytes, at: Field, tensor: (field: Field) => void): boolean {
  let hasSubgraph = false;
  const graph = (): void => {
    hasSubgraph = true;
  };
  const sparse = (field: Field): void => each(bytes, delimited(field), { 1: tensor, 2: tensor });
  each(bytes, delimited(at), { 5: tensor, 6: graph, 10: tensor, 11: graph, 22: sparse, 23: sparse });
  return hasSubgraph;
}

function inspectTensor(bytes: Bytes, at: Field): void {
  let name = '';
  let external = false;
  each(bytes, delimited(at), {
    8: (field) => {
      name = textOf(bytes, field);
    },
    13: () => {
      external = true;
    },
    14: (field) => {
      external = external || field.value >= DATA_LOCATION_EXTERNAL;
    },
  });
  if (!external) return;
  throw invalid(
    `tensor ${JSON.stringify(name.slice(0, 128))} keeps its data in another file; save the model with its weights ` +
      'inside (mlflow.onnx.log_model: save_as_external_data=False)',
  );
}
