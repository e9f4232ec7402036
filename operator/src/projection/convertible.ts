/**
 * Which namespaces let their Python models be converted: a label of theirs says so. Namespaces are not watched, which would
 * take the right to list all of them; those with versions that wait for the label, or are converted by it, are asked again
 * every few seconds.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { CONVERT_ENABLED, CONVERT_LABEL } from '@slipway/contract';
import { isTrue } from '../api/conditions.ts';
import type { ObjectKey } from '../api/meta.ts';
import { ModelVersion, READY } from '../controllers/model-version/api.ts';
import type { KubeReader } from '../kube/client.ts';
import type { RuntimeContext } from '../runtime/process-key.ts';

export interface ConvertibleOptions {
  /** From the API server; none for a namespace that is gone. */
  readonly labelsOf: (namespace: string) => Promise<Readonly<Record<string, string>>>;
  /** Lets the ModelVersion controller look at an object. */
  readonly look: (key: ObjectKey) => void;
  /** Milliseconds. */
  readonly now: () => number;
  readonly everyMs?: number;
}

export interface Convertible {
  /** As the label said at most some seconds ago. */
  mayConvert(namespace: string): Promise<boolean>;
  /** One look at every namespace that has something to convert; versions of one whose word has changed are looked at. Throws what the first said that could not be asked; the others were. */
  look(ctx: Pick<RuntimeContext, 'kube'>): Promise<void>;
  /** Looks until the context's signal fires. Never throws. */
  run(ctx: RuntimeContext): Promise<void>;
}

const EVERY_MS = 5_000;

/** Versions without ONNX that have not been converted, by namespace. */
function waiting(kube: Pick<KubeReader, 'list'>): ReadonlyMap<string, readonly ModelVersion[]> {
  const open = kube
    .list(ModelVersion)
    .filter(({ spec, status }) => spec.format === 'mlflow' && !isTrue(status?.conditions, READY));
  return Map.groupBy(open, ({ metadata }) => metadata.namespace);
}

export function createConvertible({ labelsOf, look, now, everyMs = EVERY_MS }: ConvertibleOptions): Convertible {
  const known = new Map<string, { readonly allowed: boolean; readonly at: number }>();
  /** What the versions of a namespace have been looked at with. */
  const told = new Map<string, boolean>();

  async function ask(namespace: string): Promise<boolean> {
    const allowed = (await labelsOf(namespace))[CONVERT_LABEL] === CONVERT_ENABLED;
    known.set(namespace, { allowed, at: now() });
    return allowed;
  }

  async function lookOnce({ kube }: Pick<RuntimeContext, 'kube'>): Promise<void> {
    const open = waiting(kube);
    for (const namespace of [...known.keys()].filter((one) => !open.has(one))) {
      known.delete(namespace);
      told.delete(namespace);
    }
    const failed: unknown[] = [];
    for (const [namespace, versions] of open) {
      const allowed = await ask(namespace).catch((error) => void failed.push(error));
      if (allowed === undefined || told.get(namespace) === allowed) continue;
      for (const { metadata } of versions) look({ namespace, name: metadata.name });
      told.set(namespace, allowed);
    }
    if (failed.length > 0) throw failed[0];
  }

  return {
    async mayConvert(namespace) {
      const before = known.get(namespace);
      return before && now() - before.at < everyMs ? before.allowed : await ask(namespace);
    },
    look: lookOnce,
    async run(ctx) {
      let isAway = false;
      while (!ctx.signal.aborted) {
        await delay(everyMs, undefined, { signal: ctx.signal }).catch(() => {});
        if (ctx.signal.aborted) return;
        try {
          await lookOnce(ctx);
          isAway = false;
        } catch (error) {
          if (!isAway) ctx.log.warn({ error }, 'labels of namespaces were not looked at, will try again');
          isAway = true;
        }
      }
    },
  };
}
