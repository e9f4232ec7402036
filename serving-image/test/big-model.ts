/** Models of any size, written to a file piece by piece. */
import { type FileHandle, open } from 'node:fs/promises';
import { bytes, concat, FLOAT, graph, INT64, int, ML, node, tensorValue, text } from './onnx.ts';

const ROWS_AT_ONCE = 1024;

/** Every value of row `row` of the table. */
export const valueOfRow = (row: number): number => (row % 100_003) / 128;

/** The size a protobuf field of this many bytes adds before its content. */
const lengthPrefix = (field: number, length: number): Uint8Array => {
  const probe = bytes(field, new Uint8Array(0));
  const out: number[] = [...probe.subarray(0, -1)];
  let rest = length;
  for (; rest >= 0x80; rest = Math.floor(rest / 128)) out.push((rest % 128) | 0x80);
  return Uint8Array.from([...out, rest]);
};

async function writeTable(file: FileHandle, rows: number, width: number): Promise<void> {
  for (let from = 0; from < rows; from += ROWS_AT_ONCE) {
    const chunk = new Float32Array(Math.min(ROWS_AT_ONCE, rows - from) * width);
    for (let row = 0; row * width < chunk.length; row++) {
      chunk.fill(valueOfRow(from + row), row * width, (row + 1) * width);
    }
    await file.write(new Uint8Array(chunk.buffer));
  }
}

/** A model that gives row `id` of a table of `rows` × `width` floats which lies inside the file. */
export async function writeTableModel(path: string, rows: number, width: number): Promise<void> {
  const raw = rows * width * 4;
  const tensorHead = concat(int(1, rows), int(1, width), int(2, FLOAT), text(8, 'table'), lengthPrefix(9, raw));
  const tensorLength = tensorHead.length + raw;
  const rest = graph({
    nodes: [node({ op: 'Gather', inputs: ['table', 'id'], outputs: ['row'] })],
    inputs: [tensorValue('id', INT64, ['N'])],
    outputs: [tensorValue('row', FLOAT, ['N', width])],
  });
  const tensorPrefix = lengthPrefix(5, tensorLength);
  const file = await open(path, 'w');
  try {
    await file.write(concat(int(1, 8), text(2, 'slipway-tests')));
    await file.write(lengthPrefix(7, rest.length + tensorPrefix.length + tensorLength));
    await file.write(concat(rest, tensorPrefix, tensorHead));
    await writeTable(file, rows, width);
    await file.write(concat(bytes(8, concat(text(1, ''), int(2, 17))), bytes(8, concat(text(1, ML), int(2, 3)))));
  } finally {
    await file.close();
  }
}
