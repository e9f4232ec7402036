/** What the operators of a graph say about themselves: their names and, if they classify, their classes. */
import { delimited, each, textOf } from './fields.ts';
import { domainName } from './operators.ts';
import { type Bytes, type Field, int64At, packedInt64s } from './wire.ts';

export interface NodeNames {
  /** With its domain: `ai.onnx.ml.ZipMap`. */
  readonly operator: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
}

/** Reads a node of a graph. */
export function namesOf(bytes: Bytes, node: Field): NodeNames {
  const inputs: string[] = [];
  const outputs: string[] = [];
  let operator = '';
  let domain = '';
  each(bytes, delimited(node), {
    1: (field) => inputs.push(textOf(bytes, field)),
    2: (field) => outputs.push(textOf(bytes, field)),
    4: (field) => {
      operator = textOf(bytes, field);
    },
    7: (field) => {
      domain = textOf(bytes, field);
    },
  });
  return { operator: `${domainName(domain)}.${operator}`, inputs, outputs };
}

/** A model's classes in the order of its probabilities; `areNames` when the label it gives is one of these texts. */
export interface ClassList {
  readonly areNames: boolean;
  readonly labels: readonly string[];
}

/** The classes a node lists in an attribute, whatever the attribute is called. */
export function classesOf(bytes: Bytes, node: Field): ClassList | undefined {
  let classes: ClassList | undefined;
  each(bytes, delimited(node), {
    5: (attribute) => {
      classes = classesIn(bytes, attribute) ?? classes;
    },
  });
  return classes;
}

function classesIn(bytes: Bytes, attribute: Field): ClassList | undefined {
  const name = nameOf(bytes, attribute);
  if (!/^classlabels_(?:strings|ints|int64s)$/.test(name)) return undefined;
  const labels = listIn(bytes, attribute);
  return labels.length === 0 ? undefined : { areNames: name.endsWith('strings'), labels };
}

/** The attribute's list of whole numbers or texts, as texts. */
function listIn(bytes: Bytes, attribute: Field): string[] {
  const values: string[] = [];
  each(bytes, attribute, {
    8: (field) => values.push(...integers(bytes, field)),
    9: (field) => values.push(textOf(bytes, field)),
  });
  return values;
}

function nameOf(bytes: Bytes, attribute: Field): string {
  let name = '';
  each(bytes, delimited(attribute), {
    // The name comes first; the weights of a forest behind it need not be walked through.
    1: (field) => {
      name = textOf(bytes, field);
      return false;
    },
  });
  return name;
}

const VARINT = 0;
const integers = (bytes: Bytes, { wire, start, end }: Field): string[] =>
  wire === VARINT ? [String(int64At(bytes, start, end))] : packedInt64s(bytes, start, end).map(String);

/** The classes of the whole model: undefined where no operator lists any, or where they do not agree. */
export function classesOfModel(bytes: Bytes): ClassList | undefined {
  const lists = new Map<string, ClassList>();
  const node = (field: Field): void => {
    const classes = classesOf(bytes, field);
    if (classes) lists.set(JSON.stringify(classes), classes);
  };
  const graph = (field: Field): void => each(bytes, delimited(field), { 1: node });
  each(bytes, { start: 0, end: bytes.size }, { 7: graph });
  const [only, another] = lists.values();
  return another === undefined ? only : undefined;
}

/** The texts a one-hot encoder knows. */
export interface Categories {
  readonly known: readonly string[];
  /** The runtime fails on any other text. */
  readonly areAll: boolean;
}

/** Operators whose output holds texts of their first input and no others. */
const CARRIERS = new Set(['Gather', 'Identity', 'Reshape', 'Squeeze', 'Flatten'].map((name) => `ai.onnx.${name}`));

/** By name of a tensor, one of the graph's inputs among them: the categories of the one-hot encoder that it ends in. */
export function categoriesByTensor(bytes: Bytes): ReadonlyMap<string, Categories> {
  const found = new Map<string, Categories>();
  const origins = new Map<string, string>();
  const node = (field: Field): void => {
    const { operator, inputs, outputs } = namesOf(bytes, field);
    const [from, to] = [inputs[0], outputs[0]];
    if (from === undefined || to === undefined) return;
    const origin = origins.get(from) ?? from;
    if (CARRIERS.has(operator)) origins.set(to, origin);
    if (operator !== 'ai.onnx.ml.OneHotEncoder') return;
    const categories = categoriesOf(bytes, field);
    // Two encoders of one tensor work on parts of it: neither speaks for the whole.
    found.set(origin, found.has(origin) ? { known: [], areAll: false } : categories);
  };
  each(bytes, { start: 0, end: bytes.size }, { 7: (graph) => each(bytes, delimited(graph), { 1: node }) });
  return found;
}

function categoriesOf(bytes: Bytes, node: Field): Categories {
  let known: string[] = [];
  let areAll = false;
  each(bytes, node, {
    5: (attribute) => {
      const name = nameOf(bytes, attribute);
      if (name === 'cats_strings') known = listIn(bytes, attribute);
      if (name !== 'zeros') return;
      each(bytes, attribute, {
        3: ({ value }) => {
          areAll = value === 0;
        },
      });
    },
  });
  return { known, areAll };
}
