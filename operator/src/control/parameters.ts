/** What a client asks a run to be started with, checked against what its TrainingJob understands. Pure. */
import { isAlgorithm, parameterProblem } from '@slipway/contract';
import { isStorable } from '../api/text.ts';
import type { TrainingJobSpec } from '../controllers/training-job/api.ts';
import type { Fault } from './refusal.ts';

/** As spec.parameters allows. */
const MAX_PARAMETERS = 64;
const MAX_VALUE = 6000;
/** A name taken from the request is cut to this length before it is named in a refusal. */
const MAX_NAME = 128;

type Checked<T> = { readonly value: T } | { readonly fault: Pick<Fault, 'msg' | 'type'> };

const fault = (type: string, msg: string) => ({ fault: { type, msg } });

/** A JSON value as spec.parameters would hold it: null reads `none`. */
function textOf(value: unknown): Checked<string> {
  if (value === null) return { value: 'none' };
  if (typeof value === 'boolean') return { value: String(value) };
  if (typeof value === 'number') return numberText(value);
  if (typeof value !== 'string') {
    return fault('string_type', `Input should be a string, a number, a boolean or null, got ${kindOf(value)}`);
  }
  if (value.length > MAX_VALUE) return fault('string_too_long', `Input should have at most ${MAX_VALUE} characters`);
  if (!isStorable(value)) return fault('value_error', 'Input holds NUL or half of a character, which cannot be stored');
  return { value };
}

function numberText(value: number): Checked<string> {
  if (!Number.isFinite(value)) return fault('finite_number', 'Input should be a finite number');
  if (Number.isInteger(value) && !Number.isSafeInteger(value)) {
    return fault('int_parsing_size', 'Input has more digits than a JSON number keeps: send it as a string');
  }
  return { value: String(value) };
}

const kindOf = (value: unknown): string => (Array.isArray(value) ? 'a list' : 'an object');

/** Whether the TrainingJob understands the name, and the text under it. */
function problemOf(spec: TrainingJobSpec, name: string, text: string): Pick<Fault, 'msg' | 'type'> | undefined {
  if (spec.search && Object.hasOwn(spec.search.space, name)) {
    return { type: 'value_error', msg: `parameter ${name} is what spec.search.space tries: leave it out` };
  }
  const algorithm = spec.algorithm?.name;
  if (algorithm !== undefined && isAlgorithm(algorithm)) {
    const found = parameterProblem(algorithm, { [name]: text });
    return (
      found && { msg: found.problem, type: /is unknown to/.test(found.problem) ? 'extra_forbidden' : 'value_error' }
    );
  }
  if (Object.hasOwn(spec.parameters, name)) return undefined;
  const known = Object.keys(spec.parameters);
  const expected = known.length === 0 ? 'it has none' : `expected one of ${known.join(', ')}`;
  const msg = `parameter ${JSON.stringify(name.slice(0, MAX_NAME))} is not in spec.parameters of the TrainingJob: ${expected}`;
  return { type: 'extra_forbidden', msg };
}

/**
 * The parameters as texts, or the first fault in the order they were given. A built-in algorithm takes its own
 * parameters; a container takes those that spec.parameters names, since nothing else is known to reach it.
 */
export function checkParameters(
  given: Readonly<Record<string, unknown>>,
  spec: TrainingJobSpec,
): { readonly parameters: Readonly<Record<string, string>> } | { readonly fault: Fault } {
  const entries = Object.entries(given);
  if (entries.length > MAX_PARAMETERS) {
    const msg = `Input should have at most ${MAX_PARAMETERS} parameters, got ${entries.length}`;
    return { fault: { loc: ['body'], type: 'too_long', msg } };
  }
  const texts: [string, string][] = [];
  for (const [name, value] of entries) {
    const read = textOf(value);
    const wrong = 'fault' in read ? read.fault : problemOf(spec, name, read.value);
    if (wrong) return { fault: { loc: ['body', name.slice(0, MAX_NAME)], ...wrong } };
    if ('value' in read) texts.push([name, read.value]);
  }
  return { parameters: Object.fromEntries(texts) };
}
