/** What the objects say of themselves, read as `kubectl get -o json` gives it. */
import { eventually } from './eventually.ts';
import { kubectlJson } from './kubectl.ts';

export interface Condition {
  readonly type: string;
  readonly status: string;
  readonly reason: string;
  readonly message: string;
  readonly observedGeneration?: number;
}

interface Observed {
  readonly metadata: { readonly name: string; readonly uid: string; readonly generation: number };
  readonly spec: Record<string, unknown>;
  // biome-ignore lint/suspicious/noExplicitAny: tests read many shapes of status
  readonly status?: any;
}

/** The object now. `object` is `kind/name`. */
export const get = (namespace: string, object: string): Observed =>
  kubectlJson<Observed>('get', object, '-n', namespace);

/** The object's condition of that type, whatever it says; undefined before the first visit. */
export const conditionOf = (object: Observed, type: string): Condition | undefined =>
  (object.status?.conditions as Condition[] | undefined)?.find((condition) => condition.type === type);

/**
 * Waits until the condition, observed for the current generation, has this status (and reason, when given) and returns
 * it. A failure says what the condition was instead.
 */
export function waitForCondition(
  namespace: string,
  object: string,
  wanted: { type: string; status: string; reason?: string | RegExp },
  timeoutMs = 120_000,
): Promise<Condition> {
  return eventually(() => {
    const now = get(namespace, object);
    const condition = conditionOf(now, wanted.type);
    const current = condition?.observedGeneration === now.metadata.generation;
    const reasonFits =
      wanted.reason === undefined ||
      (wanted.reason instanceof RegExp
        ? wanted.reason.test(condition?.reason ?? '')
        : condition?.reason === wanted.reason);
    if (!condition || !current || condition.status !== wanted.status || !reasonFits) {
      throw new Error(`${object} in ${namespace}: ${JSON.stringify(now.status?.conditions ?? 'no conditions')}`);
    }
    return condition;
  }, timeoutMs);
}

/** Waits until the service is Ready with this version. */
export async function waitForVersion(
  namespace: string,
  service: string,
  version: number,
  timeoutMs = 120_000,
): Promise<void> {
  await eventually(() => {
    const now = get(namespace, `infsvc/${service}`);
    const ready = conditionOf(now, 'Ready');
    const current = ready?.observedGeneration === now.metadata.generation;
    if (now.status?.version !== version || ready?.status !== 'True' || !current) {
      throw new Error(`${service} in ${namespace}: ${JSON.stringify(now.status ?? 'no status')}`);
    }
  }, timeoutMs);
}

/** Waits until the newest run of a TrainingJob has published a version above `after`, and returns it. */
export function waitForTrainedVersion(namespace: string, job: string, after = 0, timeoutMs = 120_000): Promise<number> {
  return eventually(() => {
    const { status } = get(namespace, `tj/${job}`);
    const version: number | undefined = status?.runs?.[0]?.version;
    if (!version || version <= after)
      throw new Error(`${job} in ${namespace}: ${JSON.stringify(status ?? 'no status')}`);
    return version;
  }, timeoutMs);
}
