/** Looking at an ONNX message field by field: only what is asked for is read. */
import { type Bytes, eachField, type Field, LENGTH_DELIMITED, MalformedError } from './wire.ts';

const MAX_NAME_BYTES = 4096;

/** What to do with a field, by its number; `false` ends the walk. */
export type Visitors = Readonly<Record<number, (field: Field) => unknown>>;

/** Visits the fields we look at; all others are passed over unread. */
export function each(bytes: Bytes, at: { readonly start: number; readonly end: number }, visitors: Visitors): void {
  eachField(bytes, at.start, at.end, (field) => visitors[field.number]?.(field));
}

/** The field's text. Throws MalformedError when it holds none, or a name longer than any of a served model. */
export function textOf(bytes: Bytes, field: Field): string {
  const length = delimited(field).end - field.start;
  if (length > MAX_NAME_BYTES) throw new MalformedError(`a name of ${length} bytes`);
  return bytes.text(field.start, length);
}

/** The field itself. Throws MalformedError unless it holds bytes. */
export function delimited(field: Field): Field {
  if (field.wire !== LENGTH_DELIMITED) throw new MalformedError(`field ${field.number} has wire type ${field.wire}`);
  return field;
}
