import type { Condition } from './meta.ts';

export type NewCondition = Omit<Condition, 'lastTransitionTime' | 'observedGeneration'>;

/** `conditions` with `next` merged in, sorted by type; lastTransitionTime moves only when the status value does. */
export function withCondition(
  conditions: readonly Condition[],
  next: NewCondition,
  at: { now: Date; generation: number | undefined },
): Condition[] {
  const previous = conditions.find((c) => c.type === next.type);
  const lastTransitionTime = previous?.status === next.status ? previous.lastTransitionTime : at.now.toISOString();
  const generation = at.generation === undefined ? {} : { observedGeneration: at.generation };
  const merged = { ...next, ...generation, lastTransitionTime };
  return [...conditions.filter((c) => c.type !== next.type), merged].sort((a, b) => a.type.localeCompare(b.type));
}

/** The condition of that type, if there is one. */
export const findCondition = (conditions: readonly Condition[] | undefined, type: string): Condition | undefined =>
  conditions?.find((c) => c.type === type);

/** True when the condition of that type is there and True. */
export const isTrue = (conditions: readonly Condition[] | undefined, type: string): boolean =>
  findCondition(conditions, type)?.status === 'True';
