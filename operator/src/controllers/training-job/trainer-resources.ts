/** What the trainer container asks for and may use. Pure. */
import { LOGS_LIMIT, LOGS_REQUEST, type ResourceRequirements } from '../../api/containers.ts';
import type { Resources } from '../../api/fields.ts';
import type { TrainingJobSpec } from './api.ts';

type Name = 'cpu' | 'memory' | 'ephemeral-storage';

/** A trainer is foreign code: what it does not say about itself is said here. */
const REQUESTS: Readonly<Record<Name, string>> = { cpu: '100m', memory: '256Mi', 'ephemeral-storage': LOGS_REQUEST };
const LIMITS: Readonly<Partial<Record<Name, string>>> = { memory: '2Gi', 'ephemeral-storage': LOGS_LIMIT };
const NAMES = Object.keys(REQUESTS) as Name[];

const UNITS: Readonly<Record<string, number>> = {
  n: 1e-9,
  u: 1e-6,
  m: 1e-3,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  P: 1e15,
  E: 1e18,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
  Pi: 2 ** 50,
  Ei: 2 ** 60,
};

/** The number a Kubernetes quantity stands for (`1536Mi`, `2e9`, `0.5`). */
function amountOf(quantity: string | number): number {
  const [, digits = '', unit = ''] = /^([0-9.]+(?:[eE][+-]?[0-9]+)?)([a-zA-Z]*)$/.exec(String(quantity)) ?? [];
  return Number(digits) * (UNITS[unit] ?? 1);
}

/** A default limit is never below what was asked for: the API server would refuse the pod. */
function limitFor(name: Name, given: Resources): string | number | undefined {
  const own = given.limits?.[name];
  const [fallback, requested] = [LIMITS[name], given.requests?.[name]];
  if (own !== undefined || fallback === undefined || requested === undefined) return own ?? fallback;
  return amountOf(requested) > amountOf(fallback) ? requested : fallback;
}

/** Without a request of its own a resource that is limited is requested as a whole: that is Kubernetes' rule, and stays. */
const requestFor = (name: Name, given: Resources): string | number | undefined =>
  given.requests?.[name] ?? (given.limits?.[name] === undefined ? REQUESTS[name] : undefined);

const every = (value: (name: Name) => string | number | undefined): Record<string, string | number> =>
  Object.fromEntries(
    NAMES.map((name) => [name, value(name)] as const).filter(([, got]) => got !== undefined),
  ) as Record<string, string | number>;

/** `container.resources`, else `resources`, each resource that is not named there as by default. */
export function trainerResources({ container, resources }: TrainingJobSpec): ResourceRequirements {
  const given = container?.resources ?? resources ?? {};
  return { requests: every((name) => requestFor(name, given)), limits: every((name) => limitFor(name, given)) };
}
