/**
 * Finds the cells of CSV records (RFC 4180) in a buffer of bytes. No string is made and nothing is copied: a cell is a
 * place in the buffer. Records end with CRLF, LF or CR; empty lines are skipped.
 */
import { FailureError } from '../failure.ts';

const QUOTE = 0x22;
const COMMA = 0x2c;
const LF = 0x0a;
const CR = 0x0d;

const refused = (line: number, expected: string): FailureError =>
  new FailureError('InvalidCell', `line ${line}: expected ${expected}; write the file as CSV (RFC 4180)`);

/** 1 for LF and for a CR that no LF follows, else 0. */
const lineEndsAt = (bytes: Uint8Array, at: number): number =>
  Number(bytes[at] === LF || (bytes[at] === CR && bytes[at + 1] !== LF));

export class CsvScanner {
  /** The cells of the record that `next` found: `bytes[starts[i], ends[i])`, without their quotes. */
  starts = new Int32Array(64);
  ends = new Int32Array(64);
  cells = 0;
  /** Where the record that `next` found begins, counted from 1. */
  line = 0;
  /** Where the next record begins. */
  nextLine = 1;
  /** The first byte that is not part of a complete record yet. */
  at = 0;
  bytes: Uint8Array = new Uint8Array(0);
  private end = 0;
  private isLast = false;
  private escaped = new Uint8Array(64);
  private hasEscaped = false;
  private linesInside = 0;

  /** Goes on in `bytes[0, end)`, which begins where the last record ended. `isLast`: the file ends there. */
  feed(bytes: Uint8Array, end: number, isLast: boolean): void {
    this.bytes = bytes;
    this.end = end;
    this.isLast = isLast;
    this.at = 0;
  }

  /** Finds the next record; false when the buffer holds no further complete one. Throws InvalidCell naming the line. */
  next(): boolean {
    while (this.at < this.end) {
      const after = this.scan(this.at);
      if (after < 0) return false;
      this.line = this.nextLine;
      this.nextLine += 1 + this.linesInside;
      this.at = after;
      const isEmpty = this.cells === 1 && this.starts[0] === this.ends[0] && this.escaped[0] === 0;
      if (isEmpty) continue;
      if (this.hasEscaped) this.unescape();
      return true;
    }
    return false;
  }

  /** The offset after the record that begins at `from`; -1 when its end is not in the buffer. */
  private scan(from: number): number {
    this.cells = 0;
    this.hasEscaped = false;
    this.linesInside = 0;
    let at = from;
    for (;;) {
      at = this.scanCell(at);
      if (at < 0) return -1;
      this.cells++;
      if (at >= this.end) return this.isLast ? this.end : -1;
      const byte = this.bytes[at];
      if (byte === LF) return at + 1;
      if (byte !== COMMA) return this.afterReturn(at);
      at++;
    }
  }

  /** The offset after the cell that begins at `at`; -1 when it is not in the buffer. */
  private scanCell(at: number): number {
    const cell = this.cells;
    if (cell === this.starts.length) this.widen();
    if (at < this.end && this.bytes[at] === QUOTE) return this.scanQuoted(at + 1, cell);
    this.starts[cell] = at;
    this.escaped[cell] = 0;
    const after = this.scanPlain(at);
    this.ends[cell] = after;
    return after;
  }

  /** A CR ends a record; an LF after it belongs to it, and may not have been read yet. */
  private afterReturn(at: number): number {
    if (at + 1 < this.end) return this.bytes[at + 1] === LF ? at + 2 : at + 1;
    return this.isLast ? this.end : -1;
  }

  private scanPlain(from: number): number {
    const { bytes, end } = this;
    let at = from;
    for (; at < end; at++) {
      const byte = bytes[at] as number;
      // Digits, letters and everything beyond ASCII lie above the comma.
      if (byte > COMMA) continue;
      if (byte === COMMA || byte === LF || byte === CR) return at;
      if (byte === QUOTE) throw refused(this.nextLine, 'a quote only at the beginning of a cell');
    }
    return at;
  }

  /** After the opening quote: the offset after the closing one; -1 when it is not in the buffer. */
  private scanQuoted(from: number, cell: number): number {
    const { bytes, end } = this;
    this.starts[cell] = from;
    // 1: quoted; 2: with doubled quotes to be made single.
    this.escaped[cell] = 1;
    for (let at = from; at < end; at++) {
      const byte = bytes[at] as number;
      // Most text lies above the quote.
      if (byte > QUOTE) continue;
      if (byte !== QUOTE) {
        this.linesInside += lineEndsAt(bytes, at);
        continue;
      }
      if (at + 1 === end) return this.isLast ? this.closed(cell, at) : -1;
      if (bytes[at + 1] !== QUOTE) return this.closed(cell, at);
      this.escaped[cell] = 2;
      this.hasEscaped = true;
      at++;
    }
    if (!this.isLast) return -1;
    throw refused(this.nextLine, 'a closing quote: a cell of this record opens one that never ends');
  }

  /** The cell's closing quote is at `at`. */
  private closed(cell: number, at: number): number {
    this.ends[cell] = at;
    const next = at + 1 < this.end ? this.bytes[at + 1] : LF;
    if (next === COMMA || next === LF || next === CR) return at + 1;
    throw refused(this.nextLine + this.linesInside, 'a comma or the end of the line after a closing quote');
  }

  private widen(): void {
    const grown = <T extends Int32Array | Uint8Array>(larger: T, from: T): T => {
      larger.set(from);
      return larger;
    };
    const size = this.starts.length * 2;
    this.starts = grown(new Int32Array(size), this.starts);
    this.ends = grown(new Int32Array(size), this.ends);
    this.escaped = grown(new Uint8Array(size), this.escaped);
  }

  /** Makes doubled quotes single, in place: the record is complete, so nobody looks at these bytes again. */
  private unescape(): void {
    const { bytes } = this;
    for (let cell = 0; cell < this.cells; cell++) {
      if (this.escaped[cell] !== 2) continue;
      let to = this.starts[cell] as number;
      for (let at = to; at < (this.ends[cell] as number); at++) {
        bytes[to++] = bytes[at] as number;
        if (bytes[at] === QUOTE) at++;
      }
      this.ends[cell] = to;
    }
  }
}
