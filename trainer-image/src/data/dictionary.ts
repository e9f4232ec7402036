/** The different texts of a column, found by their bytes, so that no string is made for a cell that was seen before. */
import { readNumber, textOf } from './cells.ts';

/** Ids are given in the order of first appearance, from 0. */
export class Dictionary {
  private readonly limit: number;
  private readonly slots: Int32Array;
  private readonly mask: number;
  private bytes = new Uint8Array(1024);
  private readonly starts: number[] = [0];
  /** `numbers[id]` is the text read as a number: NaN when it is none, infinite when it is too large. */
  readonly numbers: number[] = [];

  /** At most `limit` texts are taken. */
  constructor(limit: number) {
    this.limit = limit;
    const size = 2 ** Math.ceil(Math.log2(limit * 2 + 2));
    this.slots = new Int32Array(size).fill(-1);
    this.mask = size - 1;
  }

  get size(): number {
    return this.numbers.length;
  }

  /** The text's id, a new one if need be; -1 when there is no room for another. */
  idOf(cell: Uint8Array, start: number, end: number): number {
    // FNV-1a.
    let hash = 0x811c9dc5;
    for (let at = start; at < end; at++) hash = Math.imul(hash ^ (cell[at] as number), 0x01000193);
    let slot = (hash ^ (hash >>> 15)) & this.mask;
    for (;;) {
      const id = this.slots[slot] as number;
      if (id < 0) return this.add(slot, cell, start, end);
      if (this.isAt(id, cell, start, end)) return id;
      slot = (slot + 1) & this.mask;
    }
  }

  private isAt(id: number, cell: Uint8Array, start: number, end: number): boolean {
    const from = this.starts[id] as number;
    const length = (this.starts[id + 1] as number) - from;
    if (length !== end - start) return false;
    for (let i = 0; i < length; i++) if (this.bytes[from + i] !== cell[start + i]) return false;
    return true;
  }

  private add(slot: number, cell: Uint8Array, start: number, end: number): number {
    const id = this.numbers.length;
    if (id === this.limit) return -1;
    const from = this.starts[id] as number;
    const to = from + end - start;
    if (to > this.bytes.length) {
      const larger = new Uint8Array(Math.max(to, this.bytes.length * 2));
      larger.set(this.bytes);
      this.bytes = larger;
    }
    this.bytes.set(cell.subarray(start, end), from);
    this.starts.push(to);
    this.numbers.push(readNumber(cell, start, end));
    this.slots[slot] = id;
    return id;
  }

  /** Every text, by id. */
  texts(): string[] {
    return this.numbers.map((_, id) => textOf(this.bytes, this.starts[id] as number, this.starts[id + 1] as number));
  }
}
