/**
 * What a model takes and gives, column by column (`signature.json` in the model folder).
 * Columns bind to ONNX inputs by one of two rules: one 2-D input whose width is the number of columns takes them in
 * order; otherwise every column is an ONNX input of that name with shape [N] or [N,1].
 */
import { z } from 'zod';

export const ColumnType = z.enum(['float32', 'float64', 'int64', 'int32', 'string', 'bool']);
export type ColumnType = z.infer<typeof ColumnType>;

export const InputColumn = z.object({
  name: z.string().min(1).max(256),
  type: ColumnType,
  /** May be left out, null or NaN: the model was trained with missing values here. NaN (numbers) or "" (strings) stands for them. */
  optional: z.boolean().exactOptional(),
  /** The strings the model knows; anything else is refused. Absent: any string. */
  categories: z.array(z.string().max(256)).max(1024).exactOptional(),
});
export type InputColumn = z.infer<typeof InputColumn>;

/** `labels[i]` is the class name of id i; on the label output and on the probabilities alike. */
export const OutputColumn = z.object({
  name: z.string().min(1).max(256),
  type: ColumnType,
  labels: z.array(z.string().max(256)).max(1024).exactOptional(),
});
export type OutputColumn = z.infer<typeof OutputColumn>;

export const ModelSignature = z.object({
  inputs: z.array(InputColumn).min(1).max(1024),
  outputs: z.array(OutputColumn).min(1).max(64),
});
export type ModelSignature = z.infer<typeof ModelSignature>;

/** A name as it is compared when an exact match fails: `sepal length (cm)`, `Sepal_Length` and `sepal_length` agree. */
export const normalizedName = (name: string): string =>
  name
    .toLowerCase()
    .replace(/\([^()]*\)/g, ' ')
    .replace(/[^a-z0-9]+/g, '_')
    .replace(/^_+|_+$/g, '');
