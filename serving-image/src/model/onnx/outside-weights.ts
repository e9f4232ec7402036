/**
 * The runtime holds a model twice while it loads it: as the file's message and as its own tensors. For a large file the
 * message it gets is a small one, in which the tensors are said to lie outside: in the very same file, which the runtime
 * then maps into memory. The file itself is never changed, and must not change while it is served.
 */
import { delimited, each } from './fields.ts';
import { type Bytes, bytesField, type Field, numberField } from './wire.ts';
import type { Edit, Rewriting } from './zip-map.ts';

/** A smaller tensor is not worth a mapping of its own. */
const LEAST_BYTES = 64 * 1024;

const GRAPH = 7;
const INITIALIZER = 5;
const RAW_DATA = 9;
const EXTERNAL_DATA = 13;
const DATA_LOCATION = 14;
const OUTSIDE = 1;

/**
 * The rewriting, with every large tensor of the graph said to lie in `file`, where `bytes` come from; undefined when the
 * model has no such tensor, or no graph.
 */
export function withOutsideWeights(bytes: Bytes, file: string, rewriting?: Rewriting): Rewriting | undefined {
  const graph = rewriting?.graph ?? graphOf(bytes);
  if (!graph) return undefined;
  const edits: Edit[] = [];
  each(bytes, graph, {
    [INITIALIZER]: (field) => {
      const written = outside(bytes, delimited(field), file);
      if (written) edits.push({ place: { at: field.at, end: field.end }, written });
    },
  });
  if (edits.length === 0) return undefined;
  return { graph, removed: rewriting?.removed ?? [], edits: [...(rewriting?.edits ?? []), ...edits] };
}

function graphOf(bytes: Bytes): Field | undefined {
  let graph: Field | undefined;
  each(
    bytes,
    { start: 0, end: bytes.size },
    {
      [GRAPH]: (field) => {
        graph = delimited(field);
      },
    },
  );
  return graph;
}

function outside(bytes: Bytes, tensor: Field, file: string): Buffer | undefined {
  let raw: Field | undefined;
  each(bytes, tensor, {
    [RAW_DATA]: (field) => {
      raw = field;
    },
  });
  const found = raw as Field | undefined;
  if (!found || found.end - found.start < LEAST_BYTES) return undefined;
  return bytesField(
    INITIALIZER,
    copied(bytes, tensor.start, found.at),
    copied(bytes, found.end, tensor.end),
    entry('location', file),
    entry('offset', String(found.start)),
    entry('length', String(found.end - found.start)),
    numberField(DATA_LOCATION, OUTSIDE),
  );
}

const entry = (key: string, value: string): Buffer =>
  bytesField(EXTERNAL_DATA, bytesField(1, Buffer.from(key)), bytesField(2, Buffer.from(value)));

/** What else a tensor says of itself: its shape, type and name. */
function copied(bytes: Bytes, from: number, until: number): Buffer {
  const out = Buffer.alloc(until - from);
  for (let i = 0; i < out.length; i++) out[i] = bytes.byte(from + i);
  return out;
}
