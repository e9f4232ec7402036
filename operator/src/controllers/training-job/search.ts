/** A search: which trials it has, what is wrong with it, and how it stands. Pure: the same search has the same trials for ever. */
import { isAlgorithm, parameterProblem } from '@slipway/contract';
import type { Run } from '@slipway/database';
import { oneLine } from '../../api/text.ts';
import type { Search, TrainingJobSpec } from './api.ts';

type Space = Search['space'][string];
type Parameters = Readonly<Record<string, string>>;

interface Range {
  readonly min: number;
  readonly max: number;
  readonly isLog: boolean;
  readonly isInteger: boolean;
}

/** One dimension of the space: a list, or a range (whole bounds for whole numbers). */
type Dimension = { readonly name: string } & ({ readonly values: readonly string[] } | { readonly range: Range });

const PARAMETER_NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;
/** Digits of a drawn number: enough to tell trials apart, few enough to read. */
const DIGITS = 6;
/** So many draws per trial wanted; after that what is left of the space is taken in order. */
const DRAWS_PER_TRIAL = 50;

function rangeOf({ min = '', max = '', scale, integer = false }: Space): Range {
  const bounds = { isLog: scale === 'log', isInteger: integer };
  if (!integer) return { ...bounds, min: Number(min), max: Number(max) };
  return { ...bounds, min: Math.ceil(Number(min)), max: Math.floor(Number(max)) };
}

/** In the order of the names, since a map has none. */
const dimensionsOf = ({ space }: Search): Dimension[] =>
  Object.entries(space)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, of]) => (of.values ? { name, values: [...new Set(of.values)] } : { name, range: rangeOf(of) }));

/** How many different values there are; Infinity for a range of fractions. */
function sizeOf(dimension: Dimension): number {
  if ('values' in dimension) return dimension.values.length;
  const { min, max, isInteger } = dimension.range;
  if (isInteger) return max - min + 1;
  return min === max ? 1 : Number.POSITIVE_INFINITY;
}

/** The value at a place of a finite dimension. */
const valueAt = (dimension: Dimension, place: number): string =>
  'values' in dimension ? (dimension.values[place] as string) : String(dimension.range.min + place);

/** The combination at a place of a finite space; the last dimension moves fastest. */
function combinationAt(dimensions: readonly Dimension[], place: number): Record<string, string> {
  const chosen: [string, string][] = [];
  let left = place;
  for (const dimension of dimensions.toReversed()) {
    const size = sizeOf(dimension);
    chosen.unshift([dimension.name, valueAt(dimension, left % size)]);
    left = Math.floor(left / size);
  }
  return Object.fromEntries(chosen);
}

const countOf = (dimensions: readonly Dimension[]): number =>
  dimensions.reduce((product, dimension) => product * sizeOf(dimension), 1);

/** Numbers from 0 to below 1 that a seed fixes: mulberry32 (Tommy Ettinger, public domain). */
function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

const within = (value: number, { min, max }: Range): number => Math.min(max, Math.max(min, value));

/** Of whole numbers each has its share of the range up to the next one, the highest too. */
function drawn(range: Range, share: number): number {
  const end = range.isInteger ? range.max + 1 : range.max;
  const at = range.isLog
    ? Math.exp(Math.log(range.min) + share * (Math.log(end) - Math.log(range.min)))
    : range.min + share * (end - range.min);
  return within(range.isInteger ? Math.floor(at) : Number(at.toPrecision(DIGITS)), range);
}

const draw = (dimension: Dimension, share: number): string =>
  'values' in dimension
    ? valueAt(dimension, Math.floor(share * dimension.values.length))
    : String(drawn(dimension.range, share));

function randomCombinations(dimensions: readonly Dimension[], { maxTrials, seed }: Search): Record<string, string>[] {
  const size = countOf(dimensions);
  const wanted = Math.min(maxTrials, size);
  const found = new Map<string, Record<string, string>>();
  const add = (combination: Record<string, string>) => found.set(JSON.stringify(combination), combination);
  const random = randomFrom(seed);
  for (let draws = 0; found.size < wanted && draws < wanted * DRAWS_PER_TRIAL; draws += 1)
    add(Object.fromEntries(dimensions.map((dimension) => [dimension.name, draw(dimension, random())])));
  if (Number.isFinite(size)) for (let place = 0; found.size < wanted; place += 1) add(combinationAt(dimensions, place));
  return [...found.values()];
}

/**
 * The parameters of every trial, in the order of their numbers: `base` with one combination of the space over it. A random
 * search repeats no combination; it has fewer trials than asked for when its space has fewer. Only for a search that
 * `searchProblem` finds nothing wrong with.
 */
export function trialsOf(search: Search, base: Parameters): readonly Record<string, string>[] {
  const dimensions = dimensionsOf(search);
  const combinations =
    search.method === 'grid'
      ? Array.from({ length: countOf(dimensions) }, (_, place) => combinationAt(dimensions, place))
      : randomCombinations(dimensions, search);
  return combinations.map((combination) => ({ ...base, ...combination }));
}

function rangeProblem(of: Space): string | undefined {
  const range = rangeOf(of);
  const said = `min ${of.min} and max ${of.max}`;
  if (![range.min, range.max].every(Number.isFinite)) return `${said}: expected numbers a computer can hold`;
  if (Number(of.min) > Number(of.max)) return `${said}: min is above max; exchange them`;
  if (range.isLog && Number(of.min) <= 0)
    return `min ${of.min}: a log scale needs numbers above 0; raise min or leave out scale`;
  if (!range.isInteger) return undefined;
  if (range.min > range.max) return `${said}: no whole number lies between them; widen the range or leave out integer`;
  const isExact = [range.min, range.max].every(Number.isSafeInteger);
  return isExact ? undefined : `${said}: whole numbers are told apart up to ${Number.MAX_SAFE_INTEGER} only`;
}

function dimensionProblem({ method }: Search, name: string, of: Space): string | undefined {
  if (!PARAMETER_NAME.test(name))
    return 'parameter names are letters, digits and underscores, and do not start with a digit';
  if (!of.values) return method === 'grid' ? 'method grid needs values; min and max are for random' : rangeProblem(of);
  if (of.values.length === 0) return 'values is empty: give at least one, or leave the parameter out';
  if (of.scale !== undefined || of.integer !== undefined)
    return 'scale and integer are for min and max, not for values';
  return undefined;
}

/** What the built-in algorithm refuses: bounds and lists first, since a person wrote those; then what is drawn from a range. */
function refusedValue({ algorithm }: TrainingJobSpec, search: Search): string | undefined {
  if (!algorithm || !isAlgorithm(algorithm.name)) return undefined;
  const trials = trialsOf(search, {});
  for (const [name, of] of Object.entries(search.space)) {
    const { min, max } = rangeOf(of);
    const texts = of.values ?? [min, max, ...trials.map((trial) => trial[name])].map(String);
    for (const text of texts) {
      const found = parameterProblem(algorithm.name, { [name]: text });
      if (found)
        return `spec.search.space.${name}: ${found.problem}${of.values ? '' : ` (from ${of.min} to ${of.max})`}`;
    }
  }
  return undefined;
}

/** Why no trial can be started, naming the field and what to write instead; undefined: nothing, or there is no search. */
export function searchProblem(spec: TrainingJobSpec): string | undefined {
  const { search } = spec;
  if (!search) return undefined;
  const dimensions = Object.entries(search.space);
  if (dimensions.length === 0) return 'spec.search.space is empty: name at least one parameter and what to try for it';
  for (const [name, of] of dimensions) {
    const problem = dimensionProblem(search, name, of);
    if (problem !== undefined) return `spec.search.space.${name}: ${problem}`;
  }
  const count = countOf(dimensionsOf(search));
  if (search.method === 'grid' && count > search.maxTrials)
    return `spec.search: the grid has ${count} combinations, more than maxTrials ${search.maxTrials}: raise it (to at most 500), give fewer values, or use method random`;
  return refusedValue(spec, search);
}

/** How far a search is. */
export interface Standing {
  readonly total: number;
  /** Ended with the objective's metric. */
  readonly succeeded: number;
  /** Failed, killed, or ended without the metric. */
  readonly failed: number;
  /** Numbers of the trials that ended well but published no such metric. */
  readonly withoutMetric: readonly number[];
  /** Absent until a trial has succeeded. Of equally good ones the first. */
  readonly best?: { readonly run: Run; readonly value: number; readonly index: number };
}

/** The number of a trial, as its key says. */
const indexOf = ({ runKey }: Run): number => Number(/\/c(\d+)$/.exec(runKey)?.[1] ?? -1);

/** What the trials that were started so far come to, of `total`. A metric that is no finite number is none. */
export function standingOf({ objective }: Search, trials: readonly Run[], total: number): Standing {
  const ended = trials
    .filter(({ status }) => status !== 'RUNNING')
    .map((run) => ({ run, index: indexOf(run), value: scoreOf(run, objective.metric) }))
    .sort((a, b) => a.index - b.index);
  const scored = ended.flatMap(({ value, ...rest }) => (value === undefined ? [] : [{ ...rest, value }]));
  const isBetter = (a: number, b: number) => (objective.goal === 'maximize' ? a > b : a < b);
  const [first, ...others] = scored;
  const best = first && others.reduce((so, next) => (isBetter(next.value, so.value) ? next : so), first);
  const withoutMetric = ended.filter(({ run, value }) => run.status === 'FINISHED' && value === undefined);
  return {
    total,
    succeeded: scored.length,
    failed: ended.length - scored.length,
    withoutMetric: withoutMetric.map(({ index }) => index),
    ...(best && { best }),
  };
}

function scoreOf({ status, metrics }: Run, metric: string): number | undefined {
  const value = status === 'FINISHED' && Object.hasOwn(metrics, metric) ? metrics[metric] : undefined;
  return Number.isFinite(value) ? value : undefined;
}

const short = (value: number): string => String(Number(value.toPrecision(4)));

/** Names of metrics stand in these texts, as a trainer wrote them. */
const clipped = (text: string, length: number): string =>
  oneLine(text.length <= length ? text : `${text.slice(0, length - 1)}…`);

/** The best trial for people, at most 512 characters: `trial 7: validation_accuracy 0.9737 (C=10)`. */
export function bestText({ objective, space }: Search, { best }: Standing): string | undefined {
  if (!best) return undefined;
  const searched = Object.keys(space).sort();
  const parameters = searched.map((name) => `${name}=${best.run.parameters[name] ?? ''}`).join(', ');
  return clipped(`trial ${best.index}: ${objective.metric} ${short(best.value)} (${parameters})`, 512);
}

/** Why a search has no best trial, at most 1024 characters, with what to do when its metric does not exist. */
export function noBestText({ objective }: Search, { failed, withoutMetric }: Standing, trials: readonly Run[]): string {
  const [first] = withoutMetric;
  if (first === undefined) return `all ${failed} trials failed: their Jobs and pods say why`;
  const metrics = Object.keys(trials.find((run) => indexOf(run) === first)?.metrics ?? {}).sort();
  const known = metrics.length === 0 ? 'no metric at all' : metrics.join(', ');
  return clipped(
    `no trial has the metric ${objective.metric} of spec.search.objective: ${withoutMetric.length} of ${failed} ended without ` +
      `it, trial ${first} published ${known}; set objective.metric to one of those, or publish it`,
    1024,
  );
}
