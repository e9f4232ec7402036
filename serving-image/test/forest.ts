/** Forests of any size, in the form converters write them: every number a field of its own. */
import { bytes, concat, FLOAT, int, ML, model, tensorValue, text } from './onnx.ts';

const INT = 2;
const FLOATS = 6;
const INTS = 7;
const STRINGS = 8;

/** The most bytes one number takes, its tag among them. */
const MOST = 8;

function repeated(count: number, write: (out: Buffer, at: number, i: number) => number): Uint8Array {
  const out = Buffer.allocUnsafe(count * MOST + 64);
  let at = 0;
  for (let i = 0; i < count; i++) at = write(out, at, i);
  return out.subarray(0, at);
}

function varint(out: Buffer, from: number, value: number): number {
  let [at, rest] = [from, value];
  for (; rest >= 0x80; rest >>>= 7) out[at++] = (rest & 0x7f) | 0x80;
  out[at++] = rest;
  return at;
}

const attribute = (name: string, type: number, content: Uint8Array): Uint8Array =>
  bytes(5, concat(text(1, name), content, int(20, type)));

const ints = (name: string, count: number, value: (i: number) => number): Uint8Array =>
  attribute(
    name,
    INTS,
    repeated(count, (out, at, i) => {
      out[at] = 8 * 8;
      return varint(out, at + 1, value(i));
    }),
  );

const floats = (name: string, count: number, value: (i: number) => number): Uint8Array =>
  attribute(
    name,
    FLOATS,
    repeated(count, (out, at, i) => {
      out[at] = 7 * 8 + 5;
      return out.writeFloatLE(value(i), at + 1);
    }),
  );

function modes(count: number, isLeaf: (i: number) => boolean): Uint8Array {
  const [leaf, branch] = [text(9, 'LEAF'), text(9, 'BRANCH_LEQ')];
  return attribute(
    'nodes_modes',
    STRINGS,
    Buffer.concat(Array.from({ length: count }, (_, i) => (isLeaf(i) ? leaf : branch))),
  );
}

/** A regressor: `trees` complete trees of this depth over four features, whose leaves weigh 1 / trees each. */
export function forest(trees: number, depth: number): Buffer {
  const perTree = 2 ** (depth + 1) - 1;
  const leaves = 2 ** depth;
  const count = trees * perTree;
  const within = (i: number): number => i % perTree;
  const isLeaf = (i: number): boolean => within(i) >= leaves - 1;
  const leafTree = (i: number): number => Math.floor(i / leaves);
  const tree = concat(
    text(1, 'features'),
    text(2, 'y'),
    text(4, 'TreeEnsembleRegressor'),
    text(7, ML),
    ints('nodes_treeids', count, (i) => Math.floor(i / perTree)),
    ints('nodes_nodeids', count, within),
    ints('nodes_featureids', count, (i) => i % 4),
    floats('nodes_values', count, (i) => Math.sin(i)),
    ints('nodes_truenodeids', count, (i) => (isLeaf(i) ? 0 : 2 * within(i) + 1)),
    ints('nodes_falsenodeids', count, (i) => (isLeaf(i) ? 0 : 2 * within(i) + 2)),
    modes(count, isLeaf),
    ints('target_treeids', trees * leaves, leafTree),
    ints('target_nodeids', trees * leaves, (i) => leaves - 1 + (i % leaves)),
    ints('target_ids', trees * leaves, () => 0),
    floats('target_weights', trees * leaves, () => 1 / trees),
    bytes(5, concat(text(1, 'n_targets'), int(3, 1), int(20, INT))),
  );
  return model({
    nodes: [tree],
    inputs: [tensorValue('features', FLOAT, ['N', 4])],
    outputs: [tensorValue('y', FLOAT, ['N', 1])],
  });
}
