/** Which part of a spec asks for training, and what in it cannot be right. Pure. */
import { sha256Hex } from '@slipway/contract';
import type { TrainingJobSpec } from './api.ts';

/** Digest of what a run depends on. `retries` and `deadline` are not in it: changing them trains nothing. */
export function specDigest({ model, algorithm, container, parameters, inputs }: TrainingJobSpec): string {
  return sha256Hex(canonical({ model, algorithm, container, parameters, inputs }));
}

/** JSON with the keys of every object in order. */
function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null';
  const entries = Object.entries(value).filter(([, field]) => field !== undefined);
  entries.sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${entries.map(([key, field]) => `${JSON.stringify(key)}:${canonical(field)}`).join(',')}}`;
}

const PLACEHOLDER = /\{\{\s*params\.([A-Za-z_][A-Za-z0-9_]*)\s*\}\}/g;

/** `text` with every `{{params.NAME}}` replaced by what `value` gives for it. */
export const withParameters = (text: string, value: (name: string) => string): string =>
  text.replace(PLACEHOLDER, (_, name: string) => value(name));

/** The first placeholder that names no parameter, with where it stands; undefined when all do. */
export function missingParameter({ container, parameters }: TrainingJobSpec): string | undefined {
  for (const field of ['command', 'args'] as const) {
    for (const [index, text] of (container?.[field] ?? []).entries()) {
      const missing = [...text.matchAll(PLACEHOLDER)].find(([, name]) => !Object.hasOwn(parameters, name as string));
      if (missing) {
        return `spec.container.${field}[${index}] uses ${missing[0]}, but spec.parameters has no ${missing[1]}: add it`;
      }
    }
  }
  return undefined;
}

/** Two parameters that differ only in case: a trainer reads both from one `PARAM_…` variable, so one would be lost. */
export function collidingParameters({ parameters }: TrainingJobSpec): string | undefined {
  const seen = new Map<string, string>();
  for (const name of Object.keys(parameters).sort()) {
    const variable = `PARAM_${name.toUpperCase()}`;
    const other = seen.get(variable);
    if (other !== undefined) {
      return `spec.parameters has ${other} and ${name}, which both become ${variable}: rename one of them`;
    }
    seen.set(variable, name);
  }
  return undefined;
}
