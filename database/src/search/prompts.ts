/** Prompts are kept as registered models with a tag; they are found only by who asks for them. */
import type { Condition, Tag } from './ast.ts';

const IS_PROMPT = 'mlflow.prompt.is_prompt';

type AnyCondition = Condition<{ readonly kind: string; readonly key: string }>;

const isAboutPrompts = ({ field }: AnyCondition): boolean => field.kind === 'tag' && field.key === IS_PROMPT;

/** True when the first condition on the tag asks for prompts: `= 'true'` or `!= 'false'`. */
function asksForPrompts(where: readonly AnyCondition[]): boolean {
  const test = where.find(isAboutPrompts)?.test;
  if (test?.kind !== 'text') return false;
  const value = test.value.toLowerCase();
  return (test.comparator === '=' && value === 'true') || (test.comparator === '!=' && value === 'false');
}

/** The conditions that are left, and whether prompts must be hidden: then what was said of the tag holds by itself. */
export function withoutPrompts<Field extends Tag | { readonly kind: 'attribute'; readonly key: string }>(
  where: readonly Condition<Field>[],
): { where: readonly Condition<Field>[]; hidePrompts: boolean } {
  if (asksForPrompts(where)) return { where, hidePrompts: false };
  return { where: where.filter((each) => !isAboutPrompts(each)), hidePrompts: true };
}
