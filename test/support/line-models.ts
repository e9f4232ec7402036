/** Models of one column `x` that give `k·x`, so that an answer to x = 1 names its version; good ones and bad ones. */
import { FLOAT, floatTensor, INT64, model, node, tensorValue } from '../../serving-image/test/onnx.ts';
import { get, waitForCondition } from './conditions.ts';
import { eventually } from './eventually.ts';
import { apply } from './kubectl.ts';
import { withObjectStore } from './object-storage.ts';

/** `[1, count]`, the shape that Expand repeats a column to. */
function widthTensor(count: number): Uint8Array {
  const raw = Buffer.from(BigInt64Array.from([1n, BigInt(count)]).buffer);
  // dims, data_type, name, raw_data
  return Buffer.concat([
    Buffer.from([8, 2, 16, INT64, 66, 5]),
    Buffer.from('width'),
    Buffer.from([74, raw.length]),
    raw,
  ]);
}

const x = tensorValue('x', FLOAT, ['N', 1]);
const y = tensorValue('y', FLOAT, ['N', 1]);
const factor = (k: number) => floatTensor('k', [1, 1], [k]);
const times = node({ op: 'Mul', inputs: ['x', 'k'], outputs: ['line'] });

/** y = k·x. */
export const line = (k: number): Buffer =>
  model({
    nodes: [node({ op: 'Mul', inputs: ['x', 'k'], outputs: ['y'] })],
    inputs: [x],
    outputs: [y],
    initializers: [factor(k)],
  });

/** `k·x`, and beside it `count` numbers made from `from`, run through `rounds` sines, that change nothing of the answer. */
const laborious = (k: number, from: 'x' | 'mean', count: number, rounds: number): Buffer =>
  model({
    nodes: [
      times,
      node({ op: 'ReduceMean', inputs: ['x'], outputs: ['mean'], attributes: { axes: { ints: [0, 1] } } }),
      node({ op: 'Expand', inputs: [from, 'width'], outputs: ['s0'] }),
      ...Array.from({ length: rounds }, (_, i) => node({ op: 'Sin', inputs: [`s${i}`], outputs: [`s${i + 1}`] })),
      node({ op: 'ReduceMax', inputs: [`s${rounds}`], outputs: ['top'], attributes: { axes: { ints: [1] } } }),
      node({ op: 'Mul', inputs: ['top', 'none'], outputs: ['nothing'] }),
      node({ op: 'Add', inputs: ['line', 'nothing'], outputs: ['y'] }),
    ],
    inputs: [x],
    outputs: [y],
    initializers: [factor(k), floatTensor('none', [1, 1], [0]), widthTensor(count)],
  });

/** The same line by a model that takes its time: some tenths of a second of CPU for every run. */
export const slowLine = (k: number): Buffer => laborious(k, 'mean', 2_000_000, 20);

/** The same line by a model that needs some 400 MB whatever it is asked. */
export const hungryLine = (k: number): Buffer => laborious(k, 'mean', 50_000_000, 1);

/** The same line by a model that needs 2 MB for every row: harmless until somebody sends many. */
export const hungryRowsLine = (k: number): Buffer => laborious(k, 'x', 250_000, 1);

/** A model with an operator that is not served. */
export const loopingLine = (k: number): Buffer =>
  model({
    nodes: [
      node({ op: 'Loop', inputs: ['', ''], outputs: ['never'], attributes: { body: { graph: Buffer.alloc(0) } } }),
      node({ op: 'Mul', inputs: ['x', 'k'], outputs: ['y'] }),
    ],
    inputs: [x],
    outputs: [y],
    initializers: [factor(k)],
  });

/** Where the bytes of a model brought under that name are. */
export const broughtUri = (namespace: string, name: string): string => `s3://slipway/${namespace}/brought/${name}`;

/** Brings a model as a version of `line`; returns its number. It need not have been proven yet. */
export async function bring(namespace: string, name: string, onnx: Buffer): Promise<number> {
  const key = `${namespace}/brought/${name}/model.onnx`;
  await withObjectStore((store) => store.put(key, onnx, onnx.length));
  const metadata = { name: `line-${name}` };
  const spec = { model: 'line', source: { uri: broughtUri(namespace, name) } };
  apply(namespace, JSON.stringify({ apiVersion: 'slipway.dev/v1alpha1', kind: 'ModelVersion', metadata, spec }));
  return eventually(() => {
    const version: unknown = get(namespace, `mv/line-${name}`).status?.version;
    if (typeof version !== 'number') throw new Error(`line-${name} has no number yet`);
    return version;
  }, 30_000);
}

/** Brings a good model, waits until it is proven, and returns its number. */
export async function bringProven(namespace: string, name: string, onnx: Buffer): Promise<number> {
  const version = await bring(namespace, name, onnx);
  await waitForCondition(namespace, `mv/line-${name}`, { type: 'Ready', status: 'True' });
  return version ?? (get(namespace, `mv/line-${name}`).status.version as number);
}
