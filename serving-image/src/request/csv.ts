/** RFC 4180, strictly: what is not plainly a table of cells is refused with the line it stands on. */

/** `line` counts from 1, the header's. */
export class CsvError extends Error {
  override readonly name = 'CsvError';
  constructor(line: number, problem: string) {
    super(`line ${line}: ${problem}`);
  }
}

const QUOTE = 0x22;
const COMMA = 0x2c;
const RETURN = 0x0d;
const NEWLINE = 0x0a;

/** A row's cells, and the line its first one stands on. */
export interface CsvRow {
  readonly line: number;
  readonly cells: readonly string[];
}

/**
 * The rows of a text one by one. Lines end with LF or CRLF, the last one may do without. Throws CsvError for a quote where
 * none belongs or one that is never closed.
 */
export function* csvRows(text: string): Generator<CsvRow> {
  const reader = new Reader(text);
  while (!reader.isAtEnd()) yield reader.row();
}

class Reader {
  private readonly text: string;
  private at = 0;
  private line = 1;

  constructor(text: string) {
    this.text = text;
  }

  isAtEnd(): boolean {
    return this.at >= this.text.length;
  }

  row(): CsvRow {
    const { line } = this;
    const cells = [this.cell()];
    while (this.text.charCodeAt(this.at) === COMMA) {
      this.at++;
      cells.push(this.cell());
    }
    this.endOfLine();
    return { line, cells };
  }

  private cell(): string {
    return this.text.charCodeAt(this.at) === QUOTE ? this.quotedCell() : this.plainCell();
  }

  private plainCell(): string {
    const start = this.at;
    for (; this.at < this.text.length; this.at++) {
      const code = this.text.charCodeAt(this.at);
      if (code === COMMA || code === NEWLINE || this.isLineEnd(code)) break;
      if (code === QUOTE) throw new CsvError(this.line, 'a quote inside a cell that is not quoted');
    }
    return this.text.slice(start, this.at);
  }

  private quotedCell(): string {
    const { line } = this;
    let cell = '';
    for (;;) {
      const end = this.text.indexOf('"', this.at + 1);
      if (end === -1) throw new CsvError(line, 'a quote that is never closed');
      const part = this.text.slice(this.at + 1, end);
      this.line += newlinesIn(part);
      cell += part;
      this.at = end + 1;
      if (this.text.charCodeAt(this.at) !== QUOTE) return cell;
      cell += '"';
    }
  }

  /** A return that a newline follows. */
  private isLineEnd(code: number): boolean {
    return code === RETURN && this.text.charCodeAt(this.at + 1) === NEWLINE;
  }

  private endOfLine(): void {
    if (this.isAtEnd()) return;
    if (this.isLineEnd(this.text.charCodeAt(this.at))) this.at++;
    if (this.text.charCodeAt(this.at) !== NEWLINE) throw new CsvError(this.line, 'something behind a quoted cell');
    this.at++;
    this.line++;
  }
}

function newlinesIn(text: string): number {
  let count = 0;
  for (let at = text.indexOf('\n'); at !== -1; at = text.indexOf('\n', at + 1)) count++;
  return count;
}
