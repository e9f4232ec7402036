/**
 * `uninstall`, run by the chart before the release goes: stops the operator, then takes its finalizers off every
 * object, so that nothing waits for an operator that is gone. It deletes nothing. Every step may be repeated.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import { GROUP, type Kind, type KubeObject } from './api/meta.ts';
import { InferenceService } from './controllers/inference-service/api.ts';
import { ModelVersion } from './controllers/model-version/api.ts';
import { TrainingJob } from './controllers/training-job/api.ts';
import { isConflict, isInvalid, isNotFound } from './kube/errors.ts';
import { resourcePath } from './kube/paths.ts';
import type { Transport } from './kube/transport.ts';

const kinds: readonly Kind<KubeObject>[] = [TrainingJob, ModelVersion, InferenceService];
const attempts = 5;

/** What the chart tells; throws a ZodError naming the variable that is missing. */
export const UninstallSettings = z
  .object({
    POD_NAMESPACE: z.string().min(1),
    OPERATOR_DEPLOYMENT: z.string().min(1),
    OPERATOR_SELECTOR: z.string().min(1),
    WATCH_NAMESPACES: z.string().default(''),
  })
  .transform((env) => ({
    namespace: env.POD_NAMESPACE,
    deployment: env.OPERATOR_DEPLOYMENT,
    selector: env.OPERATOR_SELECTOR,
    namespaces: env.WATCH_NAMESPACES.split(',').filter((name) => name !== ''),
  }));
export type UninstallSettings = z.infer<typeof UninstallSettings>;

export interface UninstallDependencies {
  readonly api: Pick<Transport, 'json'>;
  readonly say: (message: string) => void;
  /** How long the operator's pods may take to end, and how often to look. */
  readonly patience?: { readonly forMs: number; readonly everyMs: number };
}
type Api = UninstallDependencies['api'];

const Listed = z.object({
  metadata: z.object({ continue: z.string().optional() }),
  items: z.array(
    z.object({
      metadata: z.object({
        name: z.string(),
        namespace: z.string(),
        finalizers: z.array(z.string()).default([]),
      }),
    }),
  ),
});
type Found = z.infer<typeof Listed>['items'][number]['metadata'];

/** Says what was being done when the API server refused. */
async function saying<T>(what: string, doing: Promise<T>): Promise<T> {
  try {
    return await doing;
  } catch (error) {
    throw new Error(`${what}: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  }
}

/** Undefined instead of the error that says it is not there. */
const unlessGone = <T>(doing: Promise<T>): Promise<T | undefined> =>
  doing.catch((error: unknown) => {
    if (isNotFound(error)) return undefined;
    throw error;
  });

async function runningPods({ api }: UninstallDependencies, settings: UninstallSettings): Promise<readonly string[]> {
  const path = resourcePath({ apiVersion: 'v1', plural: 'pods' }, settings.namespace);
  const list = await api.json({ method: 'GET', path, query: { labelSelector: settings.selector } });
  return Listed.parse(list).items.map(({ metadata }) => metadata.name);
}

async function stopOperator(dependencies: UninstallDependencies, settings: UninstallSettings): Promise<void> {
  const { namespace, deployment } = settings;
  const path = `${resourcePath({ apiVersion: 'apps/v1', plural: 'deployments' }, namespace, deployment)}/scale`;
  const contentType = 'application/merge-patch+json';
  await unlessGone(dependencies.api.json({ method: 'PATCH', path, body: { spec: { replicas: 0 } }, contentType }));
  const { forMs, everyMs } = dependencies.patience ?? { forMs: 90_000, everyMs: 500 };
  const deadline = performance.now() + forMs;
  for (;;) {
    const pods = await runningPods(dependencies, settings);
    if (pods.length === 0) return;
    if (performance.now() > deadline)
      throw new Error(
        `${pods.join(', ')} did not end within ${forMs / 1000} s and would put the finalizers back: delete it and uninstall again`,
      );
    await delay(everyMs);
  }
}

const isOurs = (finalizer: string): boolean => finalizer.startsWith(`${GROUP}/`);

/** The objects that carry a finalizer of ours; none when the kind's definition is gone. */
async function held(api: Api, kind: Kind<KubeObject>, namespace: string | undefined): Promise<readonly Found[]> {
  const found: Found[] = [];
  const path = resourcePath(kind, namespace);
  let next: string | undefined;
  do {
    const answer = await unlessGone(api.json({ method: 'GET', path, query: { limit: '500', continue: next } }));
    if (answer === undefined) return found;
    const { metadata, items } = Listed.parse(answer);
    found.push(...items.map((item) => item.metadata).filter(({ finalizers }) => finalizers.some(isOurs)));
    next = metadata.continue || undefined;
  } while (next);
  return found;
}

/** True when it is done; false when somebody changed the list meanwhile, so that it has to be read again. */
async function release(api: Api, kind: Kind<KubeObject>, object: Found): Promise<boolean> {
  const finalizers = '/metadata/finalizers';
  const body = [
    { op: 'test', path: finalizers, value: object.finalizers },
    { op: 'replace', path: finalizers, value: object.finalizers.filter((finalizer) => !isOurs(finalizer)) },
  ];
  const path = resourcePath(kind, object.namespace, object.name);
  const contentType = 'application/json-patch+json';
  return unlessGone(api.json({ method: 'PATCH', path, body, contentType })).then(
    () => true,
    (error: unknown) => {
      if (isConflict(error) || isInvalid(error)) return false;
      throw error;
    },
  );
}

async function releaseAll(api: Api, kind: Kind<KubeObject>, namespace: string | undefined): Promise<number> {
  let released = 0;
  for (let attempt = 0; attempt < attempts; attempt += 1) {
    const objects = await held(api, kind, namespace);
    if (objects.length === 0) return released;
    for (const object of objects) if (await release(api, kind, object)) released += 1;
  }
  const left = await held(api, kind, namespace);
  if (left.length === 0) return released;
  const names = left.map(({ namespace: where, name }) => `${where}/${name}`).join(', ');
  throw new Error(`somebody puts the finalizers back, or they cannot be taken off: ${names}`);
}

/** Stops the operator and releases every object. Throws with the reason when that cannot be completed. */
export async function uninstall(dependencies: UninstallDependencies, settings: UninstallSettings): Promise<void> {
  await saying(`stopping ${settings.deployment}`, stopOperator(dependencies, settings));
  dependencies.say(`${settings.deployment} is stopped`);
  const scopes = settings.namespaces.length > 0 ? settings.namespaces : [undefined];
  for (const kind of kinds) {
    let released = 0;
    for (const namespace of scopes) {
      released += await saying(`releasing ${kind.plural}`, releaseAll(dependencies.api, kind, namespace));
    }
    dependencies.say(`${kind.plural}: ${released} released`);
  }
}
