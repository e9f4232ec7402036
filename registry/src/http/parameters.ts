/**
 * Parameters as MLflow's clients send them: JSON bodies with numbers that may be strings, query strings where everything
 * is one. Refusals are in the words those clients know.
 */
import { z } from 'zod';
import { invalid } from '../errors.ts';

const SEE_DOCS = 'See the API docs for more information about request parameters.';

const digits = /^-?\d{1,18}$/;

/** What Postgres can keep and UTF-8 can say: no NUL, no half of a surrogate pair. */
const isText = (value: string): boolean => !value.includes('\0') && value.isWellFormed();

/** A string that may be absent; null and absent are the same. */
export const text = () =>
  z
    .string()
    .refine(isText, 'text')
    .nullish()
    .transform((value) => value ?? undefined);
/** A string that must be there and not empty. */
export const requiredText = () =>
  z
    .string({ error: (issue) => (issue.input == null ? 'missing' : 'type') })
    .min(1, 'missing')
    .refine(isText, 'text');
/** A 64-bit integer, as a number or its digits (both are JSON forms of an int64); a number within 2^53. */
export const requiredInteger = () =>
  z
    .union([z.int(), z.string().regex(digits).transform(Number)], {
      error: ({ input }) => (input == null ? 'missing' : 'type'),
    })
    .refine(Number.isSafeInteger, 'type');
export const integer = () =>
  requiredInteger()
    .nullish()
    .transform((value) => value ?? undefined);
/** A double; `"NaN"`, `"Infinity"` and `"-Infinity"` are its JSON forms of what JSON has no number for. */
export const requiredDouble = () =>
  z.union(
    [
      z.number(),
      z.enum(['NaN', 'Infinity', '-Infinity']).transform(Number),
      z
        .string()
        // Each digit can be matched in one way only: a text of a million digits and a letter is refused at once.
        .regex(/^[-+]?(\d+(\.\d*)?|\.\d+)([eE][-+]?\d+)?$/)
        .transform(Number),
    ],
    { error: (issue) => (issue.input == null ? 'missing' : 'type') },
  );
/** true or false, also as the words a query string holds. */
export const boolean = () =>
  z
    .union([
      z.boolean(),
      z.enum(['true', 'True']).transform(() => true),
      z.enum(['false', 'False']).transform(() => false),
    ])
    .nullish()
    .transform((value) => value ?? undefined);
/** A list; in a query string one occurrence of a key is a list of one. Absent: empty. */
export const list = <Item extends z.ZodType>(item: Item) =>
  z.preprocess((value) => (value == null ? [] : typeof value === 'string' ? [value] : value), z.array(item));
/** `[{key, value}]`, which MLflow uses for tags and params. */
export const keyValues = () =>
  list(
    z.object({
      key: requiredText(),
      value: z
        .string()
        .refine(isText, 'text')
        .nullish()
        .transform((v) => v ?? ''),
    }),
  );

/** An integer that is larger than those we take, in either of its forms. */
const isTooLarge = (value: unknown): boolean =>
  typeof value === 'number' || (typeof value === 'string' && /^-?\d+$/.test(value))
    ? Number.isInteger(Number(value)) && !Number.isSafeInteger(Number(value))
    : false;

const pythonType = (value: unknown): string => {
  if (value === null || value === undefined) return 'NoneType';
  if (Array.isArray(value)) return 'list';
  if (typeof value === 'number') return Number.isInteger(value) ? 'int' : 'float';
  return { string: 'str', boolean: 'bool', object: 'dict' }[typeof value as 'string'] ?? 'object';
};

const at = (value: unknown, path: readonly PropertyKey[]): unknown =>
  path.reduce<unknown>((inner, key) => (inner as Record<PropertyKey, unknown> | undefined)?.[key], value);

const nameOf = (path: readonly PropertyKey[]): string =>
  path
    .map((key, index) => (typeof key === 'number' ? `[${key}]` : index === 0 ? String(key) : `.${String(key)}`))
    .join('');

/** JSON of a value that came from a request; one that is nested deeper than can be written is shown by how it begins. */
function jsonOf(value: unknown): string {
  try {
    return JSON.stringify(value) ?? 'null';
  } catch {
    return Array.isArray(value) ? '[…' : '{…';
  }
}

/** A value in a message, as Python's json.dumps writes it: beyond ASCII escaped, and so readable in any log. */
export const shown = (value: unknown): string => {
  const json = jsonOf(value)
    .slice(0, 101)
    .replace(/[\u007f-\uffff]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
  return json.length > 100 ? `${json.slice(0, 100)}…` : json;
};

/** The message for a parameter that has to be given. */
export const missingValue = (name: string): string => `Missing value for required parameter '${name}'. ${SEE_DOCS}`;

/** The message for the first thing that is wrong. */
function refusal(issue: z.core.$ZodIssue, input: unknown): string {
  // A text where a list was expected had become a list of one.
  const inText = typeof at(input, issue.path.slice(0, -1)) === 'string';
  const path = inText ? issue.path.slice(0, -1) : issue.path;
  const name = nameOf(path);
  const value = at(input, path);
  if (value === undefined || value === null || issue.message === 'missing') return missingValue(name);
  if (issue.message === 'text')
    return `Invalid value ${shown(value)} for parameter '${name}' supplied: it holds a NUL character or half of a surrogate pair, which no text may hold.`;
  if (issue.code !== 'invalid_type' && isTooLarge(value))
    return `Invalid value ${shown(value)} for parameter '${name}' supplied: it must be an integer between -(2^53 - 1) and 2^53 - 1.`;
  return `Invalid value ${shown(value)} for parameter '${name}' supplied:  Hint: Value was of type '${pythonType(value)}'. ${SEE_DOCS}`;
}

/** The parameters in their shape. Throws ApiError naming the first parameter that is missing or of another type. */
export function parseRequest<Shape extends z.ZodType>(
  shape: Shape,
  parameters: Readonly<Record<string, unknown>>,
): z.output<Shape> {
  const parsed = shape.safeParse(parameters);
  if (parsed.success) return parsed.data;
  throw invalid(refusal(parsed.error.issues[0] as z.core.$ZodIssue, parameters));
}

/** A double as the answer carries it: JSON has no NaN, and MLflow says infinity as the largest double. */
export const doubleOut = (value: number): number | string =>
  Number.isNaN(value) ? 'NaN' : Math.max(-Number.MAX_VALUE, Math.min(Number.MAX_VALUE, value));

/** The list, or undefined when it is empty: MLflow leaves empty lists out. */
export const unlessEmpty = <T>(items: readonly T[]): readonly T[] | undefined => (items.length > 0 ? items : undefined);
