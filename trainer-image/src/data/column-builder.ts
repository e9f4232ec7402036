/** One column while it is read: as numbers, as texts, or as both until it is clear which it is. */
import type { FeatureType } from '@slipway/contract';
import { FailureError, quoted } from '../failure.ts';
import { isMissing, readNumber, textOf } from './cells.ts';
import { Dictionary } from './dictionary.ts';
import { Store } from './store.ts';

/** What a signature may hold as a category. */
const LONGEST_CATEGORY = 256;

export interface ColumnRules {
  readonly name: string;
  /** Absent: a number when every cell is one, else a category. */
  readonly type: FeatureType | undefined;
  /** More different texts are refused. */
  readonly maxCategories: number;
  /** True: no cell may be missing. */
  readonly isTarget: boolean;
  /** About how many rows there are. */
  readonly expectedRows: number;
  /** What a place is counted in: lines of a CSV file, rows of a Parquet file. */
  readonly unit: 'line' | 'row';
}

/** Where a cell that is remembered stands. */
interface Found {
  readonly place: number;
  readonly text: string;
}

/** What a column turned out to be. Ids are -1 for missing cells and otherwise places in `texts`, in order of appearance. */
export interface BuiltColumn {
  readonly missing: number;
  /** Absent when a cell is no number. NaN where a cell is missing. */
  readonly numbers: Float32Array | Float64Array | undefined;
  /** Absent when there were more than `maxCategories`. */
  readonly texts:
    | { readonly ids: Int16Array; readonly names: readonly string[]; readonly values: readonly number[] }
    | undefined;
  /** The first cell that is no number, and how many there are. */
  readonly firstText: Found | undefined;
  readonly textCells: number;
}

export class ColumnBuilder {
  readonly rules: ColumnRules;
  private numbers: Store<Float32Array> | Store<Float64Array> | undefined;
  private ids: Store<Int16Array> | undefined;
  private dictionary: Dictionary | undefined;
  private missing = 0;
  private rows = 0;
  private textCells = 0;
  private firstText: Found | undefined;
  private firstUnfit: Found | undefined;

  constructor(rules: ColumnRules) {
    this.rules = rules;
    if (rules.type !== 'category') {
      this.numbers = rules.isTarget
        ? new Store((length) => new Float64Array(length), rules.expectedRows)
        : new Store((length) => new Float32Array(length), rules.expectedRows);
    }
    if (rules.type !== 'number') {
      this.ids = new Store((length) => new Int16Array(length), rules.expectedRows);
      this.dictionary = new Dictionary(rules.maxCategories);
    }
  }

  /** A cell as text; spaces around it do not count. Throws InvalidCell, InvalidTarget, TooManyCategories. */
  push(bytes: Uint8Array, from: number, to: number, place: number): void {
    let start = from;
    let end = to;
    while (start < end && (bytes[start] as number) <= 0x20) start++;
    while (start < end && (bytes[end - 1] as number) <= 0x20) end--;
    if (isMissing(bytes, start, end)) this.pushMissing(place);
    else if (this.dictionary) this.pushText(this.dictionary, bytes, start, end, place);
    else this.pushNumber(readNumber(bytes, start, end), place, bytes, start, end);
  }

  private pushText(dictionary: Dictionary, bytes: Uint8Array, start: number, end: number, place: number): void {
    const known = dictionary.size;
    const id = dictionary.idOf(bytes, start, end);
    if (id < 0) {
      this.overflow(bytes, start, end, place);
      return;
    }
    const value = dictionary.numbers[id] as number;
    if (id === known) this.meet(bytes, start, end, value, place);
    if (Number.isNaN(value)) this.textCells++;
    this.ids?.push(id);
    this.numbers?.push(value);
    this.rows++;
  }

  pushMissing(place: number): void {
    if (this.rules.isTarget) {
      const expected = { number: 'a number', category: 'a class' }[this.rules.type ?? 'category'];
      throw this.refused('InvalidCell', place, `expected ${expected}, got nothing; remove the row or fill the cell`);
    }
    this.missing++;
    this.rows++;
    this.numbers?.push(Number.NaN);
    this.ids?.push(-1);
  }

  /** A number, for a column that can be nothing else; the cell's bytes, where there are some, are for the message. */
  pushNumber(value: number, place: number, bytes?: Uint8Array, start = 0, end = 0): void {
    if (!Number.isFinite(Math.fround(value))) {
      const text = bytes ? textOf(bytes, start, end) : String(value);
      if (this.rules.type !== 'number' && Number.isNaN(value)) throw this.strayText({ place, text });
      throw this.notANumber({ place, text }, value);
    }
    this.numbers?.push(value);
    this.rows++;
  }

  /** A text seen for the first time. */
  private meet(bytes: Uint8Array, start: number, end: number, value: number, place: number): void {
    if (end - start > LONGEST_CATEGORY && textOf(bytes, start, end).length > LONGEST_CATEGORY) {
      const next = this.rules.isTarget ? 'shorten it' : 'leave the column out with features';
      throw this.refused('InvalidCell', place, `expected a text of at most ${LONGEST_CATEGORY} characters; ${next}`);
    }
    if (Number.isNaN(value)) {
      if (!this.firstText) this.firstText = { place, text: textOf(bytes, start, end) };
      this.numbers = undefined;
    } else if (!Number.isFinite(Math.fround(value))) {
      this.firstUnfit ??= { place, text: textOf(bytes, start, end) };
    }
  }

  /** More different texts than allowed: no harm as long as all are numbers. */
  private overflow(bytes: Uint8Array, start: number, end: number, place: number): void {
    if (!this.numbers) {
      const { isTarget, maxCategories } = this.rules;
      if (isTarget) {
        throw this.refused(
          'InvalidTarget',
          place,
          `expected at most ${maxCategories} classes, got more; is it a quantity rather than a class?`,
        );
      }
      throw this.refused(
        'TooManyCategories',
        place,
        `expected at most ${maxCategories} different texts, got more; leave the column out with features, or raise max_categories (up to 1024)`,
      );
    }
    if (this.firstUnfit) throw this.notANumber(this.firstUnfit, Number.POSITIVE_INFINITY);
    this.dictionary = undefined;
    this.ids = undefined;
    this.pushNumber(readNumber(bytes, start, end), place, bytes, start, end);
  }

  /** What was read. Throws InvalidCell for a column of numbers with one that no model can take, or without any value. */
  built(): BuiltColumn {
    if (this.firstUnfit && this.numbers) throw this.notANumber(this.firstUnfit, Number.POSITIVE_INFINITY);
    if (this.missing === this.rows) {
      throw new FailureError(
        'InvalidCell',
        `column ${quoted(this.rules.name)}: expected values, but all ${this.rows} cells are missing; leave the column out with features`,
      );
    }
    const texts = this.ids &&
      this.dictionary && { ids: this.ids.taken(), names: this.dictionary.texts(), values: this.dictionary.numbers };
    const { missing, firstText, textCells } = this;
    return { missing, numbers: this.numbers?.taken(), texts, firstText, textCells };
  }

  private refused(reason: 'InvalidCell' | 'InvalidTarget' | 'TooManyCategories', place: number, what: string) {
    const { unit, name, isTarget } = this.rules;
    return new FailureError(reason, `${unit} ${place}, ${isTarget ? 'target ' : ''}column ${quoted(name)}: ${what}`);
  }

  private notANumber({ place, text }: Found, value: number): FailureError {
    const isWord = /inf|nan/i.test(text);
    const expected = Number.isNaN(value) ? 'a number' : isWord ? 'a finite number' : 'a number below 3.4e38';
    const otherwise = this.rules.isTarget
      ? 'learn classes (logistic-regression, or task classification)'
      : 'take the column as a category (featureTypes)';
    const next = Number.isNaN(value) && !isWord ? `; mend the cell, or ${otherwise}` : '';
    return this.refused('InvalidCell', place, `expected ${expected}, got ${quoted(text)}${next}`);
  }

  private strayText({ place, text }: Found): FailureError {
    const { maxCategories } = this.rules;
    return this.refused(
      'InvalidCell',
      place,
      `expected a number as in the rows before, got ${quoted(text)} (as text the column would have more than ${maxCategories} categories); mend the cell or leave the column out with features`,
    );
  }
}
