/** Which part of a spec asks for training, and what in it cannot be right. Pure. */
import {
  ALGORITHM_NAMES,
  type FailureReason,
  isAlgorithm,
  parameterProblem,
  sha256Hex,
  TASKS,
} from '@slipway/contract';
import type { Run } from '@slipway/database';
import { unstorableAt } from '../../api/text.ts';
import { Reason, TrainingJobSpec } from './api.ts';
import { searchProblem } from './search.ts';

/** Digest of what a run depends on. `retries`, `schedule` and the like are not in it: changing them trains nothing. */
export function specDigest({ model, algorithm, container, parameters, inputs, search }: TrainingJobSpec): string {
  return sha256Hex(canonical({ model, algorithm, container, parameters, inputs, search }));
}

/** The spec a run is started with: its parameters over those of the object. */
export const withRunParameters = (
  spec: TrainingJobSpec,
  parameters: Readonly<Record<string, string>>,
): TrainingJobSpec => ({ ...spec, parameters: { ...parameters } });

/** What a run was started with; for one of before that was kept what the object asks for now. */
export const specOf = (run: Run, now: TrainingJobSpec): TrainingJobSpec =>
  TrainingJobSpec.safeParse(run.spec ?? undefined).data ?? now;

export interface Problem {
  readonly reason: string;
  readonly message: string;
}

/** Why no run of this spec can even be written down; undefined: it can. */
export function unstorableProblem(spec: TrainingJobSpec): string | undefined {
  const field = unstorableAt(spec);
  return field === undefined
    ? undefined
    : `spec.${field} holds the character NUL, which no store and no environment takes: remove it`;
}

/** Why a run of this spec could only fail, found before any pod is made; undefined: nothing is known to be wrong. */
export function problemOf(spec: TrainingJobSpec): Problem | undefined {
  const wrong =
    tooMuchText(spec) ??
    missingParameter(spec) ??
    collidingParameters(spec) ??
    searchedTwice(spec) ??
    searchProblem(spec);
  if (wrong !== undefined) return { reason: Reason.ConfigurationError, message: wrong };
  return spec.algorithm ? algorithmProblem(spec.algorithm, spec.parameters) : undefined;
}

function algorithmProblem(
  { name, task }: NonNullable<TrainingJobSpec['algorithm']>,
  parameters: Readonly<Record<string, string>>,
): Problem | undefined {
  const because = (reason: FailureReason, message: string): Problem => ({ reason, message });
  if (!isAlgorithm(name)) {
    const known = ALGORITHM_NAMES.join(', ');
    return because('UnknownAlgorithm', `spec.algorithm.name: expected one of ${known}, got "${name}"`);
  }
  if (task !== undefined && !TASKS[name].includes(task)) {
    const known = TASKS[name].join(' or ');
    return because('InvalidConfiguration', `spec.algorithm.task: ${name} learns ${known}, got "${task}"`);
  }
  const found = parameterProblem(name, parameters);
  return found && because('InvalidParameter', `${found.problem}; correct it where it was given and run again`);
}

/** A token or a request may give what is searched. */
function searchedTwice({ search, parameters }: TrainingJobSpec): string | undefined {
  const name = Object.keys(search?.space ?? {}).find((searched) => Object.hasOwn(parameters, searched));
  return name === undefined
    ? undefined
    : `parameter ${name} is searched (spec.search.space.${name}): it cannot be given for one run as well`;
}

/** JSON with the keys of every object in order. */
function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null';
  const entries = Object.entries(value).filter(([, field]) => field !== undefined);
  entries.sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${entries.map(([key, field]) => `${JSON.stringify(key)}:${canonical(field)}`).join(',')}}`;
}

/** Both stand in one environment variable, with what else `fetch` and `publish` are told: Linux takes 128 KiB. */
const MOST_BYTES = { parameters: 64 * 1024, register: 32 * 1024 } as const;

function tooMuchText(spec: TrainingJobSpec): string | undefined {
  for (const field of ['parameters', 'register'] as const) {
    const bytes = Buffer.byteLength(JSON.stringify(spec[field] ?? {}));
    if (bytes <= MOST_BYTES[field]) continue;
    return (
      `spec.${field} has ${bytes} bytes as JSON: expected at most ${MOST_BYTES[field]}, because it reaches the pod in its ` +
      'environment; shorten it, or put larger texts into an input'
    );
  }
  return undefined;
}

const PLACEHOLDER = /\{\{\s*params\.([A-Za-z_][A-Za-z0-9_]*)\s*\}\}/g;

/**
 * `text` with every `{{params.NAME}}` replaced by what `value` gives for it. A `$` before a placeholder that does not belong
 * to a `$$` becomes one: with a value like `(NAME)` the kubelet would take the two for a variable of the container.
 */
export const withParameters = (text: string, value: (name: string) => string): string =>
  text.replace(
    PLACEHOLDER,
    (_, name: string, at: number) => (dollarsBefore(text, at) % 2 === 1 ? '$' : '') + value(name),
  );

function dollarsBefore(text: string, at: number): number {
  let count = 0;
  while (text[at - 1 - count] === '$') count++;
  return count;
}

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
