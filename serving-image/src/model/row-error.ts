/** The first thing wrong with the rows of a request: which row, which field (a row's own key, or the column), and what. */
export class RowError extends Error {
  override readonly name = 'RowError';
  readonly row: number;
  readonly field: string | undefined;
  readonly type: string;
  constructor(row: number, field: string | undefined, type: string, message: string) {
    super(message);
    this.row = row;
    this.field = field;
    this.type = type;
  }
}

/** The number was read as a double and has lost digits: where every digit can be read again, that should be done. */
export class LostDigitsError extends RowError {}
