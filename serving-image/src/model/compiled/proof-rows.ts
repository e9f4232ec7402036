/** Rows that show whether two scorers are the same: any, on the edge of every decision, missing, and out of all bounds. */
import { allocate, elementCount, type Tensor, type TensorSpec } from '../tensor.ts';
import type { TensorRules } from '../tensor-rules.ts';
import { below32, below64 } from './forest.ts';
import { type Points, pointKey } from './points.ts';

export interface Ground {
  readonly inputs: readonly TensorSpec[];
  /** In the order of `inputs`. */
  readonly rules: readonly TensorRules[];
  readonly points: Points;
  /** Real rows: examples, probes. */
  readonly given: readonly Tensor[];
}

/** Numbers that are the same in every run. */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

type Kind = 'usual' | 'edge' | 'missing' | 'extreme' | 'given';
/** In every eight rows each kind is found. */
const KINDS: readonly Kind[] = ['usual', 'edge', 'edge', 'missing', 'usual', 'edge', 'extreme', 'given'];
const EXTREMES = [1e30, -1e30, 0, -0, 1e-40, -1e-40, 2 ** 24, -(2 ** 31), 1e-7, 3e38];

interface Place {
  readonly spec: TensorSpec;
  readonly points: readonly number[];
  readonly texts: readonly string[];
  readonly isOptional: boolean;
  /** Takes no other values than its points or texts. */
  readonly isStrict: boolean;
}

/** `count` rows for all inputs: of every kind some, in the same order every time. */
export function proofRows(ground: Ground, count: number, seed = 1): readonly Tensor[] {
  const random = seeded(seed);
  const places = ground.inputs.map((spec, input) => placesOf(ground, spec, input));
  const given = ground.given[0]?.dims[0] ?? 0;
  const columns = places.reduce((sum, own) => sum + own.length, 0);
  const tensors = ground.inputs.map((spec, i) => {
    const width = (places[i] as readonly Place[]).length;
    return { type: spec.type, dims: [count, ...openSizes(spec)], data: allocate(spec.type, count * width) };
  });
  for (let row = 0; row < count; row++) {
    const kind = KINDS[row % KINDS.length] as Kind;
    // One column alone is out of bounds or missing, or, now and then, all of them.
    const only = random() < 0.8 ? Math.floor(random() * columns) : -1;
    const real = kind === 'given' && given > 0 ? Math.floor(row / KINDS.length) % given : undefined;
    fillRow(tensors, places, { row, kind, only, random, real, given: ground.given });
  }
  return tensors;
}

interface Filling {
  readonly row: number;
  readonly kind: Kind;
  readonly only: number;
  readonly random: () => number;
  /** The real row it is. */
  readonly real: number | undefined;
  readonly given: readonly Tensor[];
}

function fillRow(tensors: readonly Tensor[], places: readonly (readonly Place[])[], filling: Filling): void {
  let column = 0;
  tensors.forEach(({ data }, input) => {
    const own = places[input] as readonly Place[];
    own.forEach((place, offset) => {
      const real = realValue(filling, input, filling.real ?? 0, own.length, offset);
      const value = place.isStrict || real === undefined ? madeValue(place, column, filling) : real;
      data[filling.row * own.length + offset] = value as never;
      column++;
    });
  });
}

const realValue = ({ real, given }: Filling, input: number, row: number, width: number, offset: number) =>
  real === undefined ? undefined : given[input]?.data[row * width + offset];

function madeValue(place: Place, column: number, { kind, only, random }: Filling) {
  const isMeant = only === -1 || only === column || kind === 'edge';
  return valueFor(place, isMeant ? kind : 'usual', random);
}

const openSizes = ({ dims }: TensorSpec): readonly number[] => dims.slice(1).map((size) => Math.max(1, size));

function placesOf({ points, rules }: Ground, spec: TensorSpec, input: number): readonly Place[] {
  return Array.from({ length: elementCount(openSizes(spec)) }, (_, column) => {
    const rule = rules[input]?.[column];
    const key = pointKey(input, column);
    const isStrict = points.strict.has(key);
    const texts = [...(rule?.known ?? points.texts.get(input) ?? [])];
    return {
      spec,
      points: points.numbers.get(key) ?? [],
      isStrict,
      texts: rule?.known || isStrict ? texts : [...texts, '', 'no such text', '\u00e4'],
      isOptional: rule?.isOptional === true,
    };
  });
}

const pick = <T>(from: readonly T[], random: () => number): T => from[Math.floor(random() * from.length)] as T;

function valueFor(place: Place, kind: Kind, random: () => number): number | bigint | string {
  const { points, texts, isOptional, isStrict } = place;
  const { type } = place.spec;
  if (type === 'string') return kind === 'missing' && isOptional ? '' : (pick(texts, random) ?? '');
  if (type === 'bool') return random() < 0.5 ? 1 : 0;
  const isFloat = type === 'float32' || type === 'float64';
  if (isStrict && points.length > 0) return isFloat ? pick(points, random) : whole(type, pick(points, random));
  return isFloat ? floatFor(place, kind, random) : wholeFor(place, kind, random);
}

const wholeFor = ({ points, spec: { type } }: Place, kind: Kind, random: () => number) =>
  whole(type, kind === 'extreme' ? pick([0, 1e6, -1e6], random) : around(points, random, kind));

function floatFor({ points, isOptional, spec: { type } }: Place, kind: Kind, random: () => number): number {
  if (kind === 'missing' && isOptional) return Number.NaN;
  if (kind === 'extreme') return pick(EXTREMES, random);
  return around(points, random, kind, type === 'float64' ? below64 : below32);
}

/** A number on an edge, a step beside it, or somewhere among the edges. */
function around(
  points: readonly number[],
  random: () => number,
  kind: Kind,
  below: (value: number) => number = (value) => value - 1,
): number {
  if (points.length === 0) return (random() + random() + random() - 1.5) * 10 ** Math.floor(random() * 5 - 2);
  const point = below === below32 ? Math.fround(pick(points, random)) : pick(points, random);
  if (kind === 'edge') return pick([point, below(point), -below(-point)], random);
  const other = pick(points, random);
  return point + (other - point + (points.length === 1 ? 1 : 0)) * (random() * 1.4 - 0.2);
}

const LIMITS: Readonly<Record<string, readonly [number, number]>> = {
  int8: [-128, 127],
  uint8: [0, 255],
  int16: [-32_768, 32_767],
  uint16: [0, 65_535],
  uint32: [0, 2 ** 32 - 1],
  uint64: [0, Number.MAX_SAFE_INTEGER],
};

function whole(type: string, value: number): number | bigint {
  const [least, most] = LIMITS[type] ?? [-(2 ** 31), 2 ** 31 - 1];
  const rounded = Math.min(Math.max(Math.round(value), least), most);
  return type === 'int64' || type === 'uint64' ? BigInt(rounded) : rounded;
}
