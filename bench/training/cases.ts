/** What is fitted, on both sides alike. */
export interface Case {
  readonly name: string;
  readonly algorithm: 'logistic-regression' | 'linear-regression' | 'ridge' | 'random-forest' | 'gradient-boosting';
  readonly data: 'two-classes' | 'four-classes' | 'quantity';
  /** 0: a quantity. */
  readonly classes: number;
  readonly rows: number;
  readonly columns: number;
  readonly trees: number;
}

/** Both sides are warmed by a fit to the first rows. */
export const WARM_ROWS = 2000;

const kinds = [
  ['logistic-regression', 'two-classes'],
  ['logistic-regression', 'four-classes'],
  ['linear-regression', 'quantity'],
  ['ridge', 'quantity'],
  ['random-forest', 'two-classes'],
  ['random-forest', 'four-classes'],
  ['random-forest', 'quantity'],
  ['gradient-boosting', 'two-classes'],
  ['gradient-boosting', 'four-classes'],
  ['gradient-boosting', 'quantity'],
] as const;

const classesOf = { 'two-classes': 2, 'four-classes': 4, quantity: 0 } as const;

export const casesOf = (size: { rows: number; columns: number; trees: number }): Case[] =>
  kinds.map(([algorithm, data]) => ({
    name: `${algorithm}, ${data.replace('-', ' ')}`,
    algorithm,
    data,
    classes: classesOf[data],
    ...size,
  }));

/** What one fit cost, and how good it was. */
export interface Figures {
  /** Of processor time: what else runs on the machine does not count. */
  readonly seconds: number;
  /** Bytes at the peak above what was held before. */
  readonly memory: number;
  /** Accuracy or R² on rows that were not fitted to. */
  readonly score: number;
}
