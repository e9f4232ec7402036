/**
 * Counting without asking the metrics library each time: finding a counter by its labels costs it more than the request may.
 * The library reads what was counted when somebody looks.
 */
import { Counter, type Metric, type Registry } from 'prom-client';

/** Counts by the values of one or two labels. */
export interface Count {
  /** `by`: 1 when absent. */
  add(first: string, second?: string | number, by?: number): void;
}

/** Every label's values must come from a fixed set. */
export function createCount(
  registry: Registry,
  { name, help, labels }: { readonly name: string; readonly help: string; readonly labels: readonly string[] },
): Count {
  const [firstLabel = '', secondLabel = ''] = labels;
  const counts = new Map<string, Map<string | number, { value: number }>>();
  const slot = (first: string, second: string | number): { value: number } => {
    const inner = counts.get(first) ?? new Map<string | number, { value: number }>();
    const made = { value: 0 };
    counts.set(first, inner.set(second, made));
    return made;
  };
  new Counter({
    name,
    help,
    labelNames: [...labels],
    registers: [registry],
    collect() {
      this.reset();
      for (const [first, inner] of counts) {
        for (const [second, { value }] of inner) {
          this.inc({ [firstLabel]: first, ...(secondLabel !== '' && { [secondLabel]: second }) }, value);
        }
      }
    },
  });
  return {
    add(first, second = '', by = 1) {
      (counts.get(first)?.get(second) ?? slot(first, second)).value += by;
    },
  };
}

interface Buckets {
  readonly counts: Float64Array;
  sum: number;
  count: number;
}

/** A histogram with at most one label. */
export interface Spread {
  observe(value: number, label?: string): void;
}

export interface SpreadOptions {
  readonly name: string;
  readonly help: string;
  /** Upper ends, ascending. */
  readonly buckets: readonly number[];
  readonly label?: string;
}

export function createSpread(registry: Registry, { name, help, buckets, label }: SpreadOptions): Spread {
  const byLabel = new Map<string, Buckets>();
  const made = (of: string): Buckets => {
    const fresh = { counts: new Float64Array(buckets.length + 1), sum: 0, count: 0 };
    byLabel.set(of, fresh);
    return fresh;
  };
  const values = (): object[] =>
    [...byLabel].flatMap(([of, { counts, sum, count }]) => {
      const sharedLabels = label === undefined ? {} : { [label]: of };
      let sofar = 0;
      const below = buckets.map((le, i) => {
        sofar += counts[i] as number;
        return { metricName: `${name}_bucket`, labels: { le }, sharedLabels, value: sofar };
      });
      return [
        ...below,
        { metricName: `${name}_bucket`, labels: { le: '+Inf' }, sharedLabels, value: count },
        { metricName: `${name}_sum`, sharedLabels, value: sum },
        { metricName: `${name}_count`, sharedLabels, value: count },
      ];
    });
  const metric = {
    name,
    help,
    type: 'histogram',
    get: async () => ({ name, help, type: 'histogram', values: values() }),
  };
  registry.registerMetric(metric as unknown as Metric<string>);
  return {
    observe(value, of = '') {
      const spread = byLabel.get(of) ?? made(of);
      let bucket = 0;
      while (bucket < buckets.length && value > (buckets[bucket] as number)) bucket++;
      spread.counts[bucket] = (spread.counts[bucket] as number) + 1;
      spread.sum += value;
      spread.count++;
    },
  };
}
