/**
 * Converters end a classifier with ZipMap, which turns the table of probabilities into a list of maps: no tensor, and
 * nothing the runtime here can hand over. What is served is the table itself under the map's name, with the classes as
 * its columns' labels. The model in memory is changed for that, never the file.
 */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { FailureError } from '../../failure.ts';
import { delimited, each, textOf } from './fields.ts';
import { type ClassList, classesOf, namesOf } from './nodes.ts';
import { type Bytes, bytesField, delimiter, type Field, MalformedError, numberField } from './wire.ts';

/** Bytes of a file. */
export interface Range {
  readonly at: number;
  readonly end: number;
}

interface ZipMap {
  readonly node: Range;
  readonly table: string;
  readonly map: string;
  readonly classes: ClassList;
}

/** What is written in a place of the graph. */
export interface Edit {
  readonly place: Range;
  readonly written: Uint8Array;
}

/** How the model that the runtime gets differs from the file. */
export interface Rewriting {
  readonly graph: Field;
  readonly removed: readonly Range[];
  readonly edits: readonly Edit[];
}

/** What has to change so that every output is a tensor: some take another's place. */
export interface ZipMapPlan extends Rewriting {
  /** By the name the table has inside the graph: the name the output keeps for its users, and its columns. */
  readonly tables: ReadonlyMap<string, { readonly name: string; readonly classes: ClassList }>;
}

/** Undefined when the model has no ZipMap. Throws UnsupportedOperator where a map is more than an output. */
export function planZipMaps(bytes: Bytes): ZipMapPlan | undefined {
  const graphs: Field[] = [];
  each(bytes, { start: 0, end: bytes.size }, { 7: (field) => graphs.push(delimited(field)) });
  const [graph, another] = graphs;
  if (!graph) return undefined;
  const zipMaps = graphs.flatMap((one) => zipMapsIn(bytes, one));
  if (zipMaps.length === 0) return undefined;
  if (another) throw new FailureError('InvalidModel', 'it has two graphs; export it as one');
  refuseConsumers(bytes, graph, zipMaps);
  return planFor(bytes, graph, zipMaps);
}

/** The model with the plan carried out; the file itself stays as it is. Memory for it is taken once. */
export function rewriteFile(path: string, plan: Rewriting): Buffer {
  const fd = openSync(path, 'r');
  try {
    const pieces = piecesOf(plan, fstatSync(fd).size);
    const model = Buffer.allocUnsafeSlow(pieces.reduce((sum, piece) => sum + lengthOf(piece), 0));
    let at = 0;
    for (const piece of pieces) {
      if (piece instanceof Uint8Array) model.set(piece, at);
      else readExactly(fd, model.subarray(at, at + lengthOf(piece)), piece.at);
      at += lengthOf(piece);
    }
    return model;
  } finally {
    closeSync(fd);
  }
}

/** As `rewriteFile`, for a model in memory, which stays as it is. */
export function rewrite(model: Buffer, plan: Rewriting): Buffer {
  return Buffer.concat(
    piecesOf(plan, model.length).map((piece) =>
      piece instanceof Uint8Array ? piece : model.subarray(piece.at, piece.end),
    ),
  );
}

/** Bytes, or where in the file they are. */
type Piece = Uint8Array | Range;

const lengthOf = (piece: Piece): number => (piece instanceof Uint8Array ? piece.length : piece.end - piece.at);

/** A read may give less than was asked for, and never gives more than 2 GB. */
function readExactly(fd: number, target: Buffer, from: number): void {
  let done = 0;
  while (done < target.length) {
    const read = readSync(fd, target, done, Math.min(target.length - done, 2 ** 30), from + done);
    if (read === 0) throw new MalformedError('the file became shorter while it was read');
    done += read;
  }
}

function piecesOf({ graph, removed, edits: written }: Rewriting, size: number): Piece[] {
  const edits = [...removed.map((place) => ({ place, written: Buffer.alloc(0) })), ...written].sort(
    (a, b) => a.place.at - b.place.at,
  );
  const pieces: Piece[] = [];
  let from = graph.start;
  for (const { place, written } of edits) {
    pieces.push({ at: from, end: place.at }, written);
    from = place.end;
  }
  pieces.push({ at: from, end: graph.end });
  const length = pieces.reduce((sum, piece) => sum + lengthOf(piece), 0);
  return [{ at: 0, end: graph.at }, delimiter(7, length), ...pieces, { at: graph.end, end: size }];
}

const ZIP_MAP = 'ai.onnx.ml.ZipMap';
const NO_CLASSES: ClassList = { areNames: false, labels: [] };

function zipMapsIn(bytes: Bytes, graph: Field): ZipMap[] {
  const found: ZipMap[] = [];
  each(bytes, graph, {
    1: (node) => {
      const { operator, inputs, outputs } = namesOf(bytes, node);
      if (operator !== ZIP_MAP) return;
      const [table, map] = [inputs[0], outputs[0]];
      if (!table || !map) throw new MalformedError('a ZipMap without input or output');
      found.push({ node, table, map, classes: classesOf(bytes, node) ?? NO_CLASSES });
    },
  });
  return found;
}

function refuseConsumers(bytes: Bytes, graph: Field, zipMaps: readonly ZipMap[]): void {
  const maps = new Set(zipMaps.map(({ map }) => map));
  each(bytes, graph, {
    1: (node) => {
      const { operator, inputs } = namesOf(bytes, node);
      const map = inputs.find((input) => maps.has(input));
      if (map === undefined) return;
      throw new FailureError(
        'UnsupportedOperator',
        `operator ${operator.slice(0, 256)} works on ${JSON.stringify(map.slice(0, 128))}, the map of a ZipMap; export ` +
          'the model without it (skl2onnx: options={"zipmap": False} for the classifier)',
      );
    },
  });
}

function planFor(bytes: Bytes, graph: Field, zipMaps: readonly ZipMap[]): ZipMapPlan {
  const removed: Range[] = zipMaps.map(({ node }) => node);
  const edits: Edit[] = [];
  const tables = new Map<string, { name: string; classes: ClassList }>();
  const declared = graphOutputs(bytes, graph);
  for (const { map, table, classes } of zipMaps) {
    const output = declared.get(map);
    if (!output) continue;
    if (declared.has(table) || tables.has(table)) {
      removed.push(output.place);
      continue;
    }
    const written = tableOutput(table, output.elementType, classes.labels.length);
    edits.push({ place: output.place, written });
    tables.set(table, { name: map, classes });
  }
  return { graph, removed, edits, tables };
}

interface DeclaredOutput {
  readonly place: Range;
  readonly elementType: number;
}

const FLOAT = 1;

function graphOutputs(bytes: Bytes, graph: Field): Map<string, DeclaredOutput> {
  const found = new Map<string, DeclaredOutput>();
  each(bytes, graph, {
    12: (output) => {
      let name = '';
      let elementType = FLOAT;
      each(bytes, delimited(output), {
        1: (field) => {
          name = textOf(bytes, field);
        },
        2: (field) => {
          elementType = mapElementType(bytes, field) ?? FLOAT;
        },
      });
      found.set(name, { place: output, elementType });
    },
  });
  return found;
}

/** The way from a type to the numbers in it: sequence → its element → map → its value → tensor → element type. */
const WAY = [4, 1, 5, 2, 1, 1] as const;

function mapElementType(bytes: Bytes, type: Field): number | undefined {
  const follow = (at: Field, [next, ...rest]: readonly number[]): number | undefined => {
    let found: number | undefined;
    const visit = (field: Field): void => {
      found = rest.length === 0 ? field.value : follow(field, rest);
    };
    if (next !== undefined) each(bytes, delimited(at), { [next]: visit });
    return found;
  };
  return follow(type, WAY);
}

/** An output of the graph that is a table with one row per row of the request. */
function tableOutput(name: string, elementType: number, width: number): Buffer {
  const rows = bytesField(1, bytesField(2, Buffer.from('N')));
  const columns = bytesField(1, ...(width > 0 ? [numberField(1, width)] : []));
  const tensor = bytesField(1, numberField(1, elementType), bytesField(2, rows, columns));
  return bytesField(12, bytesField(1, Buffer.from(name)), bytesField(2, tensor));
}
