/** What a version's gates come to. Pure; every result says metric, value and bound, and if it failed what to do. */
import { type Gate, type GateVerdict, HELD_OUT_FILE, type HeldOutAnswers, METRICS_FILE } from '@slipway/contract';
import { listed, quoted } from '../failure.ts';
import { COMPARABLE, measure, measureNamed } from './compare.ts';

/** What was found for the comparison. */
export interface Comparison {
  /** The known answers to the held-out rows; undefined when the trainer left none. */
  readonly targets: readonly string[] | { readonly problem: string } | undefined;
  readonly candidate: HeldOutAnswers;
  /** By the number of the reference. */
  readonly references: readonly HeldOutAnswers[];
}

/** By what gates are judged. */
export interface Evidence {
  /** Last value by name. */
  readonly metrics: ReadonlyMap<string, number>;
  /** Absent: no gate compares with a version that exists. */
  readonly comparison?: Comparison;
}

type Result = GateVerdict['results'][number];

const shown = (value: number): string => String(Number(value.toPrecision(6)));
/** What tells of a gate is cut rather than lost. */
const LONGEST = 1024;

/** Text of foreign models stands in these messages: no control character or half of a pair may keep them from being stored. */
function storable(message: string): string {
  const cut = message.length <= LONGEST ? message : `${message.slice(0, LONGEST - 1)}…`;
  return cut.toWellFormed().replace(/\p{Cc}/gu, ' ');
}

const result = (metric: string, passed: boolean, message: string): Result => ({
  metric,
  passed,
  message: storable(message),
});

function bounded({ metric, min, max }: Gate, metrics: Evidence['metrics']): Result {
  const bound = min === undefined ? `at most ${shown(max as number)}` : `at least ${shown(min)}`;
  const value = metrics.get(metric);
  if (value === undefined) {
    const known = metrics.size === 0 ? 'it wrote none' : `it wrote ${listed([...metrics.keys()].sort())}`;
    return result(
      metric,
      false,
      `${metric}: expected ${bound}, but the trainer wrote no such metric to /output/${METRICS_FILE} (${known}); ` +
        'correct register.gate, or let the trainer write it',
    );
  }
  const passed = min === undefined ? value <= (max as number) : value >= min;
  return result(metric, passed, `${metric} is ${shown(value)}, ${passed ? '' : 'not '}${bound}`);
}

type Bound = NonNullable<Gate['notWorseThan']>;

/** Decimals as people write them are not exact in binary: 0.96 - 0.95 is a little more than 0.01. */
const ROUNDING = 1e-9;

function verdictOn(
  metric: string,
  bound: Bound,
  isLowerBetter: boolean,
  candidate: number,
  reference: number,
  rows: number,
) {
  const worseBy = isLowerBetter ? candidate - reference : reference - candidate;
  const passed = worseBy <= bound.by + ROUNDING * Math.max(1, Math.abs(reference));
  const allowed = bound.by === 0 ? '' : `, ${shown(bound.by)} allowed`;
  const message =
    `${metric} is ${shown(candidate)}, version ${bound.resolved} (${bound.version}) has ${shown(reference)} on the same ` +
    `${rows} held-out rows: ${passed ? 'not worse' : `worse by ${shown(worseBy)}`}${allowed}`;
  return result(metric, passed, message);
}

function compared(metric: string, bound: Bound, comparison: Comparison | undefined): Result {
  const { resolved, reference = 0, version } = bound;
  const known = measureNamed(metric);
  if (!known) {
    return result(
      metric,
      false,
      `${quoted(metric)} cannot be compared between versions: expected one of ${COMPARABLE.join(', ')}, with or without validation_`,
    );
  }
  const other = `version ${resolved} (${version})`;
  const fails = (why: string) => result(metric, false, `${metric} could not be compared with ${other}: ${why}`);
  const targets = comparison?.targets;
  if (!comparison || targets === undefined) {
    return fails(
      `the trainer left no /output/${HELD_OUT_FILE}; write the rows the model was not fitted to, with the column __target__, ` +
        'or use min or max',
    );
  }
  if ('problem' in targets) return fails(`${targets.problem}; correct /output/${HELD_OUT_FILE}`);
  const own = measure(known.name, targets, comparison.candidate);
  if (typeof own !== 'number') return fails(`the new model: ${own.problem}; correct what the trainer writes`);
  const theirs = measure(known.name, targets, comparison.references[reference] ?? { problem: 'it was not asked' });
  if (typeof theirs !== 'number') {
    return fails(
      `${other}: ${theirs.problem}; let the gate compare with a version that takes the same columns, or use min or max`,
    );
  }
  return verdictOn(metric, bound, known.isLowerBetter, own, theirs, targets.length);
}

function judged(gate: Gate, { metrics, comparison }: Evidence): Result {
  const { metric, notWorseThan } = gate;
  if (!notWorseThan) return bounded(gate, metrics);
  if (notWorseThan.resolved !== undefined) return compared(metric, notWorseThan, comparison);
  return result(
    metric,
    true,
    `${metric}: there was no version ${notWorseThan.version} to compare with when the run was started`,
  );
}

/** Passed when every gate is. */
export function judge(gates: readonly Gate[], evidence: Evidence): GateVerdict {
  const results = gates.map((gate) => judged(gate, evidence));
  return { passed: results.every(({ passed }) => passed), results };
}
