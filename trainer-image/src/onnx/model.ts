/** A linear classifier as an ONNX file: Scaler, then LinearClassifier with softmax. Field numbers are those of onnx.proto. */
import { bytes, bytesOf, floats, int, ints, message, type Part, text } from './wire.ts';

/** `(features - offset) * scale` is what the coefficients apply to: centred, so that float32 loses no digits. */
export interface LinearClassifier {
  readonly columns: number;
  readonly classes: number;
  readonly offset: Float64Array;
  readonly scale: Float64Array;
  /** One row for every class. */
  readonly coefficients: Float64Array;
  readonly intercepts: Float64Array;
}

const IR_VERSION = 8;
const OPSET = 17;
const ML_OPSET = 3;
const ML_DOMAIN = 'ai.onnx.ml';

const FLOAT = 1;
const INT64 = 7;

const attribute = {
  floats: (name: string, values: ArrayLike<number>) => message(text(1, name), floats(7, values), int(20, 6)),
  ints: (name: string, values: readonly number[]) => message(text(1, name), ints(8, values), int(20, 7)),
  int: (name: string, value: number) => message(text(1, name), int(3, value), int(20, 2)),
  string: (name: string, value: string) => message(text(1, name), text(4, value), int(20, 3)),
};

const node = (op: string, inputs: readonly string[], outputs: readonly string[], attributes: readonly Part[]) =>
  message(
    ...inputs.map((name) => text(1, name)),
    ...outputs.map((name) => text(2, name)),
    text(3, op.toLowerCase()),
    text(4, op),
    ...attributes.map((value) => bytes(5, value)),
    text(7, ML_DOMAIN),
  );

const dimension = (size: number | 'N') => bytes(1, size === 'N' ? text(2, size) : int(1, size));
/** A tensor's name, element type and shape; the number of rows is open. */
const tensor = (name: string, type: number, width?: number) =>
  message(
    text(1, name),
    bytes(2, bytes(1, message(int(1, type), bytes(2, message(dimension('N'), ...(width ? [dimension(width)] : [])))))),
  );

/** `features` float [N,columns] → `label` int64 [N] (0 … classes-1), `probabilities` float [N,classes]. */
export function encodeModel(model: LinearClassifier): Uint8Array {
  const graph = message(
    bytes(
      1,
      node(
        'Scaler',
        ['features'],
        ['scaled'],
        [attribute.floats('offset', model.offset), attribute.floats('scale', model.scale)],
      ),
    ),
    bytes(
      1,
      node(
        'LinearClassifier',
        ['scaled'],
        ['label', 'probabilities'],
        [
          attribute.floats('coefficients', model.coefficients),
          attribute.floats('intercepts', model.intercepts),
          attribute.ints(
            'classlabels_ints',
            Array.from({ length: model.classes }, (_, id) => id),
          ),
          attribute.int('multi_class', model.classes > 2 ? 1 : 0),
          attribute.string('post_transform', 'SOFTMAX'),
        ],
      ),
    ),
    text(2, 'logistic-regression'),
    bytes(11, tensor('features', FLOAT, model.columns)),
    bytes(12, tensor('label', INT64)),
    bytes(12, tensor('probabilities', FLOAT, model.classes)),
  );
  return bytesOf(
    message(
      int(1, IR_VERSION),
      text(2, 'slipway'),
      bytes(7, graph),
      bytes(8, message(text(1, ''), int(2, OPSET))),
      bytes(8, message(text(1, ML_DOMAIN), int(2, ML_OPSET))),
    ),
  );
}
