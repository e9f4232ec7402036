/** A run by hand: the annotation `slipway.dev/run`. Pure. */
import { z } from 'zod';
import { isStorable, printable } from '../../api/text.ts';

export const RUN_ANNOTATION = 'slipway.dev/run';

export interface ManualRun {
  /** The same token never runs twice. */
  readonly token: string;
  /** Over those of the spec. */
  readonly parameters: Readonly<Record<string, string>>;
}

const MAX_TOKEN = 1024;
const MAX_SHOWN = 80;

const Asked = z.strictObject({
  token: z.union([z.string().min(1).max(MAX_TOKEN), z.number()]).transform(String),
  parameters: z
    .record(
      z.string().regex(/^[A-Za-z_][A-Za-z0-9_]{0,127}$/),
      // People write numbers as numbers.
      z
        .union([z.string().max(6000), z.number(), z.boolean()])
        .transform(String)
        .refine(isStorable, 'a character that cannot be stored'),
    )
    .refine((parameters) => Object.keys(parameters).length <= 64, 'at most 64 parameters')
    .default({}),
});

const EXPECTED = `expected any text, or {"token":"…","parameters":{"name":"value"}}`;

/** What the annotation asks for; a problem when it cannot be read; undefined when it asks for nothing. */
export function manualRun(text: string | undefined): ManualRun | { readonly problem: string } | undefined {
  const given = text?.trim() ?? '';
  if (given === '') return undefined;
  if (!given.startsWith('{')) {
    return given.length <= MAX_TOKEN ? { token: given, parameters: {} } : problem(given, `longer than ${MAX_TOKEN}`);
  }
  const json = jsonOf(given);
  if (json === undefined) return problem(given, 'it is no JSON');
  const { data, error } = Asked.safeParse(json);
  if (data) return data;
  const [issue] = error.issues;
  return problem(given, `${issue?.path.map(String).join('.') || 'it'}: ${issue?.message}`);
}

const problem = (given: string, why: string) => ({
  problem: `annotation ${RUN_ANNOTATION} starts no run: ${EXPECTED}, got ${printable(given.slice(0, MAX_SHOWN))} (${why})`,
});

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
