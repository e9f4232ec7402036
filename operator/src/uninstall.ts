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
import type { ApiAnswer, ApiCall } from './kube/service-account.ts';

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
  readonly call: ApiCall;
  readonly say: (message: string) => void;
  /** How long the operator's pods may take to end, and how often to look. */
  readonly patience?: { readonly forMs: number; readonly everyMs: number };
}

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

function refused(what: string, { status, body }: ApiAnswer): Error {
  const message = (body as { message?: unknown } | undefined)?.message;
  return new Error(`${what}: the API server answered ${status}${typeof message === 'string' ? ` (${message})` : ''}`);
}

async function runningPods({ call }: UninstallDependencies, settings: UninstallSettings): Promise<readonly string[]> {
  const path = `/api/v1/namespaces/${settings.namespace}/pods?labelSelector=${encodeURIComponent(settings.selector)}`;
  const answer = await call('GET', path);
  if (answer.status !== 200) throw refused('listing the pods of the operator', answer);
  return Listed.parse(answer.body).items.map(({ metadata }) => metadata.name);
}

async function stopOperator(dependencies: UninstallDependencies, settings: UninstallSettings): Promise<void> {
  const path = `/apis/apps/v1/namespaces/${settings.namespace}/deployments/${settings.deployment}/scale`;
  const answer = await dependencies.call('PATCH', path, { spec: { replicas: 0 } }, 'application/merge-patch+json');
  if (answer.status !== 200 && answer.status !== 404) throw refused(`stopping ${settings.deployment}`, answer);
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

/** Path of the kind's collection: in one namespace, or across all of them. */
const collection = ({ apiVersion, plural }: Kind<KubeObject>, namespace: string | undefined): string =>
  `/apis/${apiVersion}/${namespace === undefined ? '' : `namespaces/${namespace}/`}${plural}`;

const isOurs = (finalizer: string): boolean => finalizer.startsWith(`${GROUP}/`);

async function held(call: ApiCall, kind: Kind<KubeObject>, namespace: string | undefined): Promise<readonly Found[]> {
  const found: Found[] = [];
  let next = '';
  do {
    const page = next && `&continue=${encodeURIComponent(next)}`;
    const answer = await call('GET', `${collection(kind, namespace)}?limit=500${page}`);
    // The kind is not served (its definition is gone), so nothing of it is left.
    if (answer.status === 404) return found;
    if (answer.status !== 200) throw refused(`listing ${kind.plural}`, answer);
    const { metadata, items } = Listed.parse(answer.body);
    found.push(...items.map((item) => item.metadata).filter(({ finalizers }) => finalizers.some(isOurs)));
    next = metadata.continue ?? '';
  } while (next);
  return found;
}

/** True when it is done; false when somebody changed the list meanwhile, so that it has to be read again. */
async function release(call: ApiCall, kind: Kind<KubeObject>, object: Found): Promise<boolean> {
  const path = '/metadata/finalizers';
  const patch = [
    { op: 'test', path, value: object.finalizers },
    { op: 'replace', path, value: object.finalizers.filter((finalizer) => !isOurs(finalizer)) },
  ];
  const url = `${collection(kind, object.namespace)}/${object.name}`;
  const answer = await call('PATCH', url, patch, 'application/json-patch+json');
  if (answer.status === 200 || answer.status === 404) return true;
  if (answer.status === 409 || answer.status === 422) return false;
  throw refused(`releasing ${kind.kind} ${object.namespace}/${object.name}`, answer);
}

async function releaseAll(call: ApiCall, kind: Kind<KubeObject>, namespace: string | undefined): Promise<number> {
  let released = 0;
  for (let attempt = 0; attempt < attempts; attempt += 1) {
    const objects = await held(call, kind, namespace);
    if (objects.length === 0) return released;
    for (const object of objects) if (await release(call, kind, object)) released += 1;
  }
  const left = await held(call, kind, namespace);
  if (left.length === 0) return released;
  const names = left.map(({ namespace: where, name }) => `${where}/${name}`).join(', ');
  throw new Error(`finalizers of ${kind.plural} are put back by somebody: ${names}`);
}

/** Stops the operator and releases every object. Throws with the reason when that cannot be completed. */
export async function uninstall(dependencies: UninstallDependencies, settings: UninstallSettings): Promise<void> {
  await stopOperator(dependencies, settings);
  dependencies.say(`${settings.deployment} is stopped`);
  const scopes = settings.namespaces.length > 0 ? settings.namespaces : [undefined];
  for (const kind of kinds) {
    let released = 0;
    for (const namespace of scopes) released += await releaseAll(dependencies.call, kind, namespace);
    dependencies.say(`${kind.plural}: ${released} released`);
  }
}
