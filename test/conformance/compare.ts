/** Field by field: where two outcomes differ, and which differences are meant. */
import type { Json } from './driver.ts';

/** One field that differs; `undefined` where one side has no such field. */
export interface Difference {
  /** `result.body.message`, `result.0.status`. */
  readonly field: string;
  readonly ours: Json | undefined;
  readonly real: Json | undefined;
}

/** A difference that is meant. It must be seen, or it is stale; and docs/mlflow-deviations.md must name its id. */
export interface Deviation {
  readonly id: string;
  /** Matches `category: name`. */
  readonly scenarios: RegExp;
  /** Matches the field; absent means every field of the scenario. */
  readonly fields?: RegExp;
  /** Matches the real server's value as JSON: the narrower, the less can hide behind it. */
  readonly real?: RegExp;
  /** Matches our value as JSON. */
  readonly ours?: RegExp;
  /** What our message says beyond the real one: without it, and without a full stop, they must be the same. */
  readonly beyond?: RegExp;
  readonly reason: string;
}

const isObject = (json: Json | undefined): json is { readonly [key: string]: Json } =>
  typeof json === 'object' && json !== null;

/** Every leaf that is not the same on both sides. */
export function differences(ours: Json | undefined, real: Json | undefined, field = ''): readonly Difference[] {
  if (isObject(ours) && isObject(real) && Array.isArray(ours) === Array.isArray(real)) {
    const keys = [...new Set([...Object.keys(ours), ...Object.keys(real)])];
    return keys.flatMap((key) => {
      const path = field ? `${field}.${key}` : key;
      return differences(own(ours, key), own(real, key), path);
    });
  }
  return JSON.stringify(ours) === JSON.stringify(real) ? [] : [{ field, ours, real }];
}

const own = (json: { readonly [key: string]: Json }, key: string): Json | undefined =>
  Object.hasOwn(json, key) ? json[key] : undefined;

const withoutStop = (text: string) => text.replace(/\.$/, '');

/** Whether only what we say `beyond` makes the two texts differ. */
function saysMore(beyond: RegExp, ours: Json | undefined, real: Json | undefined): boolean {
  if (typeof ours !== 'string' || typeof real !== 'string') return false;
  return withoutStop(ours.replace(beyond, '')) === withoutStop(real);
}

/** The deviation that means this difference. */
export const deviationFor = (
  deviations: readonly Deviation[],
  scenario: string,
  { field, ours, real }: Difference,
): Deviation | undefined =>
  deviations.find(
    (deviation) =>
      deviation.scenarios.test(scenario) &&
      (deviation.fields?.test(field) ?? true) &&
      (deviation.real?.test(JSON.stringify(real) ?? '') ?? true) &&
      (deviation.ours?.test(JSON.stringify(ours) ?? '') ?? true) &&
      (deviation.beyond === undefined || saysMore(deviation.beyond, ours, real)),
  );
