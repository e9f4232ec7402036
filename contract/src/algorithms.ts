/**
 * The built-in algorithms and their hyperparameters, under scikit-learn's names: what the trainer reads, what the operator
 * refuses before a pod is made, and what the documentation's table is made of.
 */
import type { Task } from './trainer-files.ts';

/** How the text of a parameter is read. `undefined`: the text is none of what is expected. */
export interface ParameterRule {
  /** In words, with the range: `a whole number from 1 to 10000`. */
  readonly expected: string;
  /** As a user would write it. */
  readonly default: string;
  readonly read: (text: string) => ParameterValue | undefined;
}
/** `null` stands for `none`. */
export type ParameterValue = number | boolean | string | null;
export type ParameterRules = Readonly<Record<string, ParameterRule>>;

/** No two of its parts can take the same digit: anybody may send a long text, and it is read in one pass. */
const DECIMAL = /^[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?$/;

function numeric(text: string): number | undefined {
  const value = DECIMAL.test(text) ? Number(text) : Number.NaN;
  return Number.isFinite(value) ? value : undefined;
}

const number = (fallback: string, expected: string, accepts: (value: number) => boolean): ParameterRule => ({
  default: fallback,
  expected,
  read: (text) => {
    const value = numeric(text);
    return value !== undefined && accepts(value) ? value : undefined;
  },
});

const whole = (fallback: number, from: number, to: number): ParameterRule =>
  number(
    String(fallback),
    `a whole number from ${from} to ${to}`,
    (value) => Number.isInteger(value) && value >= from && value <= to,
  );

const between = (fallback: number, from: number, to: number): ParameterRule =>
  number(String(fallback), `a number from ${from} to ${to}`, (value) => value >= from && value <= to);

const above0 = (fallback: string, to: number): ParameterRule =>
  number(fallback, `a number above 0, at most ${to}`, (value) => value > 0 && value <= to);

/** One of these words; `none` reads as null. */
const word = (fallback: string, ...words: string[]): ParameterRule => ({
  default: fallback,
  expected: words.length === 1 ? (words[0] as string) : `${words.slice(0, -1).join(', ')} or ${words.at(-1)}`,
  read: (text) => {
    const found = words.find((candidate) => candidate === text.toLowerCase());
    return found === 'none' ? null : found;
  },
});

const boolean = (fallback: boolean): ParameterRule => ({
  default: String(fallback),
  expected: 'true or false',
  read: (text) => ({ true: true, false: false })[text.toLowerCase()],
});

/** A rule, or one of these words. */
const orWord = (rule: ParameterRule, fallback: string, ...words: string[]): ParameterRule => ({
  default: fallback,
  expected: `${rule.expected}, or ${words.join(' or ')}`,
  read: (text) => {
    const found = words.find((candidate) => candidate === text.toLowerCase());
    if (found === 'none') return null;
    return found ?? rule.read(text);
  },
});

const isShareOrCount = (value: number) => value > 0 && (value < 1 || Number.isInteger(value));

/** Every algorithm reads these. */
const common: ParameterRules = {
  test_size: number('0.25', 'a share of the rows between 0 and 1, or a number of rows', isShareOrCount),
  random_state: whole(42, 0, 2 ** 32 - 1),
  /** Folds of a cross-validation beside the one split; 0: none. */
  cv: number(
    '0',
    'a whole number from 2 to 20, or 0',
    (value) => value === 0 || (Number.isInteger(value) && value >= 2 && value <= 20),
  ),
  /** A text column with more different values than this is refused. */
  max_categories: whole(255, 2, 1024),
};

const tree: ParameterRules = {
  max_depth: orWord(whole(1, 1, 64), 'none', 'none'),
};

const rulesOf = {
  'logistic-regression': {
    C: above0('1', 1e12),
    max_iter: whole(1000, 1, 1_000_000),
    tol: above0('1e-8', 1),
    fit_intercept: boolean(true),
    class_weight: word('none', 'none', 'balanced'),
  },
  'linear-regression': { fit_intercept: boolean(true) },
  ridge: { alpha: between(1, 0, 1e12), fit_intercept: boolean(true) },
  'random-forest': {
    ...tree,
    n_estimators: whole(100, 1, 10_000),
    min_samples_split: whole(2, 2, 1_000_000),
    min_samples_leaf: whole(1, 1, 1_000_000),
    /** `auto`: the square root of the number of columns for classes, all of them for quantities. */
    max_features: orWord(
      number('1', 'a share of the columns above 0 up to 1', (value) => value > 0 && value <= 1),
      'auto',
      'auto',
      'sqrt',
      'log2',
    ),
    bootstrap: boolean(true),
    class_weight: word('none', 'none', 'balanced'),
  },
  'gradient-boosting': {
    ...tree,
    learning_rate: above0('0.1', 10),
    max_iter: whole(100, 1, 10_000),
    max_leaf_nodes: orWord(whole(31, 2, 65_536), '31', 'none'),
    min_samples_leaf: whole(20, 1, 1_000_000),
    l2_regularization: between(0, 0, 1e12),
    max_bins: whole(255, 2, 255),
    /** `auto`: with more than 10,000 rows. */
    early_stopping: word('auto', 'auto', 'true', 'false'),
    validation_fraction: number('0.1', 'a share of the rows between 0 and 1', (value) => value > 0 && value < 1),
    n_iter_no_change: whole(10, 1, 10_000),
    tol: between(1e-7, 0, 1),
  },
} as const satisfies Readonly<Record<string, ParameterRules>>;

export type AlgorithmName = keyof typeof rulesOf;
export const ALGORITHM_NAMES = Object.keys(rulesOf) as readonly AlgorithmName[];

/** What each can learn; the first is taken when neither spec nor target says. */
export const TASKS: Readonly<Record<AlgorithmName, readonly Task[]>> = {
  'logistic-regression': ['classification'],
  'linear-regression': ['regression'],
  ridge: ['regression'],
  'random-forest': ['classification', 'regression'],
  'gradient-boosting': ['classification', 'regression'],
};

export const isAlgorithm = (name: string): name is AlgorithmName => Object.hasOwn(rulesOf, name);

/** Every parameter the algorithm reads, those common to all among them. */
export const parameterRules = (algorithm: AlgorithmName): ParameterRules => ({ ...rulesOf[algorithm], ...common });

const quoted = (text: string): string =>
  text.length <= 80 ? JSON.stringify(text) : `${JSON.stringify(text.slice(0, 80))}…`;

/** What is wrong with the first parameter that is unknown or out of range, for a person to mend it; undefined: nothing. */
export function parameterProblem(
  algorithm: AlgorithmName,
  given: Readonly<Record<string, string>>,
): { readonly name: string; readonly problem: string } | undefined {
  const rules = parameterRules(algorithm);
  for (const [name, text] of Object.entries(given)) {
    const rule = Object.hasOwn(rules, name) ? rules[name] : undefined;
    if (!rule) {
      const known = Object.keys(rules).join(', ');
      return { name, problem: `parameter ${quoted(name)} is unknown to ${algorithm}: expected one of ${known}` };
    }
    if (rule.read(text.trim()) === undefined) {
      return { name, problem: `parameter ${name}: expected ${rule.expected}, got ${quoted(text)}` };
    }
  }
  return undefined;
}

/** `given` over the defaults, read. Only for what `parameterProblem` finds nothing wrong with. */
export function readParameters(
  algorithm: AlgorithmName,
  given: Readonly<Record<string, string>>,
): Readonly<Record<string, ParameterValue>> {
  const read = (name: string, rule: ParameterRule): ParameterValue =>
    rule.read((given[name] ?? rule.default).trim()) as ParameterValue;
  return Object.fromEntries(Object.entries(parameterRules(algorithm)).map(([name, rule]) => [name, read(name, rule)]));
}
