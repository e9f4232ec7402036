/** Trees as they are said in a file, and as they are walked: see `layOut`. */
import { NotCompiledError } from './not-compiled.ts';

export type Threshold = Float32Array | Float64Array;

/** What a node asks of a value. */
export const MODES = ['LEQ', 'LT', 'GTE', 'GT', 'EQ', 'NEQ'] as const;
const [LT, GTE, GT, EQ, NEQ] = [1, 2, 3, 4, 5] as const;

/** Splits with places for their children: another split, or the leaf of number `-1 - place`. */
export interface Splits {
  readonly modes: Uint8Array;
  readonly features: Int32Array;
  readonly thresholds: Threshold;
  readonly yes: Int32Array;
  readonly no: Int32Array;
  /** A missing value goes to `yes`. Absent: none does. */
  readonly missingYes: Uint8Array | undefined;
  /** Where the trees begin, in their order. */
  readonly roots: Int32Array;
}

/**
 * Trees laid out for walking. A slot is a split or a leaf; the two children of a split lie side by side behind it, at
 * `link >>> 12` for "no" and one further for "yes", and the value asked is in column `link & 4095` of the row. A leaf
 * links to itself: it has link 0, and column 0 holds NaN, which is at most nothing. So walking on from a leaf stays
 * there, several walks can go in step without asking which has ended, and no walk can be endless.
 * The slots of a tree are in order of depth: those every row passes share a cache line.
 */
export interface Layout {
  readonly links: Int32Array;
  /** Of a split the threshold (`value <= threshold` is "yes"); of a leaf what it says. */
  readonly values: Threshold;
  readonly roots: Int32Array;
  /** By column, from 1 on: the feature, and whether a missing value counts as less than all others there. */
  readonly columns: readonly { readonly feature: number; readonly missingIsLeast: boolean }[];
}

const COLUMN_BITS = 12;
const MAX_COLUMNS = 2 ** COLUMN_BITS;
const MAX_DISTANCE = 2 ** (32 - COLUMN_BITS);

const SPLIT = 0;
const LEAF = 1;
/** Of the two slots that an (in)equality takes: asks whether the value is less. */
const SECOND = 2;
const JUMP = 3;

/** Throws NotCompiledError for trees that share nodes or are larger than a link reaches. */
export function layOut(
  splits: Splits,
  leafValue: (leaf: number) => number,
  values: (length: number) => Threshold,
): Layout {
  const builder = new Builder(splits, leafValue, values);
  const roots = Int32Array.from(splits.roots, (root) => builder.addTree(root));
  return { ...builder.taken(), roots };
}

class Builder {
  private readonly splits: Splits;
  private readonly leafValue: (leaf: number) => number;
  private readonly make: (length: number) => Threshold;
  private readonly placed: Uint8Array;
  private readonly columnOf = new Map<number, number>();
  private readonly columns: { feature: number; missingIsLeast: boolean }[] = [];
  private kinds: Uint8Array;
  private refs: Int32Array;
  private links: Int32Array;
  private values: Threshold;
  private count = 0;

  constructor(splits: Splits, leafValue: (leaf: number) => number, values: (length: number) => Threshold) {
    this.splits = splits;
    this.leafValue = leafValue;
    this.make = values;
    this.placed = new Uint8Array(splits.modes.length);
    const room = splits.modes.length * 2 + splits.roots.length + 8;
    [this.kinds, this.refs, this.links] = [new Uint8Array(room), new Int32Array(room), new Int32Array(room)];
    this.values = values(room);
  }

  /** Where the tree begins. */
  addTree(root: number): number {
    const from = this.count;
    this.place(root);
    for (let slot = from; slot < this.count; slot++) {
      if (this.kinds[slot] === SPLIT) this.addSplit(slot, this.refs[slot] as number);
      else if (this.kinds[slot] === SECOND) this.addSecond(slot, this.refs[slot] as number);
      else if (this.kinds[slot] === LEAF) this.values[slot] = this.leafValue(this.refs[slot] as number);
    }
    return from;
  }

  taken(): Pick<Layout, 'links' | 'values' | 'columns'> {
    const { links, values, columns, count } = this;
    return { links: links.slice(0, count), values: values.slice(0, count) as Threshold, columns };
  }

  private place(child: number): number {
    if (child < 0) return this.add(LEAF, -1 - child);
    if (this.placed[child] !== 0) throw new NotCompiledError('it has trees that share nodes');
    this.placed[child] = 1;
    return this.add(SPLIT, child);
  }

  private add(kind: number, ref: number): number {
    const slot = this.count++;
    if (slot === this.kinds.length) this.grow();
    this.kinds[slot] = kind;
    this.refs[slot] = ref;
    return slot;
  }

  private grow(): void {
    const room = this.kinds.length * 2;
    const grown = <T extends Uint8Array | Int32Array | Threshold>(from: T, to: T): T => {
      to.set(from);
      return to;
    };
    this.kinds = grown(this.kinds, new Uint8Array(room));
    this.refs = grown(this.refs, new Int32Array(room));
    this.links = grown(this.links, new Int32Array(room));
    this.values = grown(this.values, this.make(room));
  }

  private addSplit(slot: number, split: number): void {
    const { modes, thresholds, features, yes, no, missingYes } = this.splits;
    const mode = modes[split] as number;
    const threshold = thresholds[split] as number;
    const feature = features[split] as number;
    const missing = missingYes?.[split] === 1;
    if (mode === EQ || mode === NEQ) {
      // At most the threshold; whether less as well is asked of the "yes" child.
      const first = this.add(JUMP, slot);
      this.add(SECOND, split);
      this.link(slot, first, this.column(feature, mode === NEQ || missing), threshold);
      return;
    }
    const isSwapped = mode === GTE || mode === GT;
    const [small, large] = isSwapped ? [no, yes] : [yes, no];
    const first = this.place(large[split] as number);
    this.place(small[split] as number);
    const most = mode === LT || mode === GTE ? this.below(threshold) : threshold;
    this.link(slot, first, this.column(feature, isSwapped ? !missing : missing), most);
  }

  /** A value of at most the threshold is not equal to it if it is less: both ways of not being equal end in one place. */
  private addSecond(slot: number, split: number): void {
    const { modes, thresholds, features, yes, no } = this.splits;
    const [equal, other] = modes[split] === EQ ? [yes, no] : [no, yes];
    const first = this.place(equal[split] as number);
    const second = this.add(JUMP, slot);
    const rest = this.place(other[split] as number);
    // A missing value came this way if it counts as equal; what counts as unequal is less than all others.
    const isNeq = modes[split] === NEQ;
    this.link(slot, first, this.column(features[split] as number, isNeq), this.below(thresholds[split] as number));
    this.link(slot - 1, rest, 0, Number.NaN);
    this.link(second, rest, 0, Number.NaN);
  }

  private link(slot: number, to: number, column: number, value: number): void {
    if (to - slot >= MAX_DISTANCE) throw new NotCompiledError('it has trees of more than a million nodes');
    this.links[slot] = ((to - slot) << COLUMN_BITS) | column;
    this.values[slot] = value;
  }

  private column(feature: number, missingIsLeast: boolean): number {
    const key = feature * 2 + (missingIsLeast ? 1 : 0);
    const known = this.columnOf.get(key);
    if (known !== undefined) return known;
    const column = this.columns.push({ feature, missingIsLeast });
    if (column >= MAX_COLUMNS) throw new NotCompiledError(`its trees ask for more than ${MAX_COLUMNS - 1} features`);
    this.columnOf.set(key, column);
    return column;
  }

  /** The largest number less than `value`; NaN, which nothing is at most, where there is none. */
  private below(value: number): number {
    if (value === Number.NEGATIVE_INFINITY || Number.isNaN(value)) return Number.NaN;
    return this.values instanceof Float32Array ? below32(value) : below64(value);
  }
}

const one32 = new Float32Array(1);
const bits32 = new Int32Array(one32.buffer);
const one64 = new Float64Array(1);
const bits64 = new BigInt64Array(one64.buffer);

/** The largest float32 less than `value`, which is one itself. */
export function below32(value: number): number {
  if (value === 0) return -(2 ** -149);
  one32[0] = value;
  bits32[0] = (bits32[0] as number) + (value > 0 ? -1 : 1);
  return one32[0];
}

/** The largest double less than `value`. */
export function below64(value: number): number {
  if (value === 0) return -Number.MIN_VALUE;
  one64[0] = value;
  bits64[0] = (bits64[0] as bigint) + (value > 0 ? -1n : 1n);
  return one64[0];
}
