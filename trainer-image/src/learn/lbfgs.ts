/** Limited-memory BFGS for smooth convex functions (Nocedal and Wright, Numerical Optimization, algorithm 7.5). */

/** Writes the gradient at `x` into `gradient` and returns the value. */
export type Objective = (x: Float64Array, gradient: Float64Array) => number;

export interface LbfgsOptions {
  /** Where to begin; zero without it. */
  readonly start?: Float64Array;
  readonly maxIterations: number;
  /** Converged when no component of the gradient is larger. */
  readonly tolerance: number;
  readonly onIteration?: (progress: { iteration: number; value: number; gradient: number }) => void;
}

export interface Minimum {
  readonly x: Float64Array;
  readonly value: number;
  readonly iterations: number;
  readonly converged: boolean;
}

const MEMORY = 10;

const dot = (a: Float64Array, b: Float64Array): number => {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += (a[i] as number) * (b[i] as number);
  return sum;
};
const largest = (a: Float64Array): number => a.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
/** y += factor * x */
const add = (y: Float64Array, factor: number, x: Float64Array): void => {
  for (let i = 0; i < y.length; i++) (y[i] as number) += factor * (x[i] as number);
};
const difference = (a: Float64Array, b: Float64Array): Float64Array => a.map((value, i) => value - (b[i] as number));

interface Pair {
  readonly s: Float64Array;
  readonly y: Float64Array;
  readonly rho: number;
}

/** The two-loop recursion: minus the inverse Hessian, as far as the pairs tell, times the gradient. */
function direction(gradient: Float64Array, pairs: readonly Pair[]): Float64Array {
  const d = gradient.map((value) => -value);
  const alphas: number[] = [];
  for (const { s, y, rho } of pairs.toReversed()) {
    const alpha = rho * dot(s, d);
    alphas.push(alpha);
    add(d, -alpha, y);
  }
  const last = pairs.at(-1);
  const scale = last ? 1 / (last.rho * dot(last.y, last.y)) : 1 / Math.max(1, largest(gradient));
  for (let i = 0; i < d.length; i++) (d[i] as number) *= scale;
  for (const { s, y, rho } of pairs) add(d, (alphas.pop() as number) - rho * dot(y, d), s);
  return d;
}

interface Point {
  readonly x: Float64Array;
  readonly gradient: Float64Array;
  readonly value: number;
}

const DECREASE = 1e-4;
const CURVATURE = 0.9;

/**
 * A step along `d` that meets the weak Wolfe conditions, by bisection; undefined when there is none to be found. Close to
 * the minimum values differ by less than they can be computed: there a shrinking slope stands in for a smaller value.
 */
function lineSearch(from: Point, d: Float64Array, evaluate: (x: Float64Array) => Point): Point | undefined {
  const slope = dot(from.gradient, d);
  if (!(slope < 0)) return undefined;
  const noise = 1e-14 * Math.max(1, Math.abs(from.value));
  let [low, high, step] = [0, Number.POSITIVE_INFINITY, 1];
  for (let tries = 0; tries < 60; tries++) {
    const x = from.x.slice();
    add(x, step, d);
    const point = evaluate(x);
    const slopeHere = dot(point.gradient, d);
    const decreased = point.value <= from.value + DECREASE * step * slope;
    const flat = point.value <= from.value + noise && Math.abs(slopeHere) <= CURVATURE * -slope;
    if (!decreased && !flat) high = step;
    else if (!flat && slopeHere < CURVATURE * slope) low = step;
    else return point;
    step = high === Number.POSITIVE_INFINITY ? 2 * low : (low + high) / 2;
  }
  return undefined;
}

/** Stops when converged, after `maxIterations`, or when no step leads further down. */
export function minimize(size: number, objective: Objective, options: LbfgsOptions): Minimum {
  const evaluate = (x: Float64Array): Point => {
    const gradient = new Float64Array(size);
    return { x, value: objective(x, gradient), gradient };
  };
  let point = evaluate(options.start ?? new Float64Array(size));
  let pairs: Pair[] = [];
  let iterations = 0;
  while (largest(point.gradient) > options.tolerance && iterations < options.maxIterations) {
    let next = lineSearch(point, direction(point.gradient, pairs), evaluate);
    // What the pairs remember may have gone stale; the gradient alone is always a way down.
    if (!next && pairs.length > 0) {
      pairs = [];
      next = lineSearch(point, direction(point.gradient, pairs), evaluate);
    }
    if (!next) break;
    const [s, y] = [difference(next.x, point.x), difference(next.gradient, point.gradient)];
    const curvature = dot(s, y);
    if (curvature > 1e-16 * dot(y, y)) pairs = [...pairs, { s, y, rho: 1 / curvature }].slice(-MEMORY);
    point = next;
    iterations++;
    options.onIteration?.({ iteration: iterations, value: point.value, gradient: largest(point.gradient) });
  }
  return { x: point.x, value: point.value, iterations, converged: largest(point.gradient) <= options.tolerance };
}
