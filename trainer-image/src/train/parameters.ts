/** Hyperparameters under scikit-learn's names, read from strings. */
import type { Parameters } from '@slipway/contract';
import { FailureError, listed, quoted } from '../failure.ts';

export interface LogisticRegressionParameters {
  /** Inverse of the strength of the L2 penalty. */
  readonly C: number;
  readonly max_iter: number;
  /** Largest component of the gradient of the mean loss at which it has converged. */
  readonly tol: number;
  readonly fit_intercept: boolean;
  /** Seed of the split. */
  readonly random_state: number;
  /** Below 1 a share of the rows, else how many. */
  readonly test_size: number;
}

export const defaults: LogisticRegressionParameters = {
  C: 1,
  max_iter: 1000,
  tol: 1e-8,
  fit_intercept: true,
  random_state: 42,
  test_size: 0.25,
};

interface Rule<T> {
  readonly expected: string;
  /** Undefined when the text is not of the expected kind. */
  readonly read: (text: string) => T | undefined;
}

const decimal = /^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/;

const number = (expected: string, accepts: (value: number) => boolean): Rule<number> => ({
  expected,
  read: (text) =>
    decimal.test(text) && Number.isFinite(Number(text)) && accepts(Number(text)) ? Number(text) : undefined,
});

const boolean: Rule<boolean> = {
  expected: 'true or false',
  read: (text) => ({ true: true, True: true, false: false, False: false })[text],
};

const isWhole = (from: number, to: number) => (value: number) =>
  Number.isInteger(value) && value >= from && value <= to;

const rules: { readonly [K in keyof LogisticRegressionParameters]: Rule<LogisticRegressionParameters[K]> } = {
  C: number('a number above 0', (value) => value > 0),
  max_iter: number('a whole number from 1 to 1000000', isWhole(1, 1e6)),
  tol: number('a number above 0', (value) => value > 0),
  fit_intercept: boolean,
  random_state: number('a whole number from 0 to 4294967295', isWhole(0, 2 ** 32 - 1)),
  test_size: number(
    'a share of the rows between 0 and 1, or a number of rows',
    (value) => value > 0 && (value < 1 || Number.isInteger(value)),
  ),
};

const known = Object.keys(rules) as (keyof LogisticRegressionParameters)[];

/** `given` over the defaults. Throws InvalidParameter for the first that is unknown or cannot be read. */
export function readParameters(given: Parameters): LogisticRegressionParameters {
  const read: Record<string, number | boolean> = { ...defaults };
  for (const [name, text] of Object.entries(given)) {
    const rule = Object.hasOwn(rules, name) ? rules[name as keyof typeof rules] : undefined;
    if (!rule) {
      throw new FailureError(
        'InvalidParameter',
        `parameter ${quoted(name)} is unknown: expected one of ${listed(known)}`,
      );
    }
    const value = rule.read(text.trim());
    if (value === undefined) {
      throw new FailureError('InvalidParameter', `parameter ${name}: expected ${rule.expected}, got ${quoted(text)}`);
    }
    read[name] = value;
  }
  return read as unknown as LogisticRegressionParameters;
}
