/** Server-side apply: the only way an object of ours is made or changed. */
import { createHash } from 'node:crypto';
import { TerminalError } from '../api/errors.ts';
import type { KubeObject, OwnerReference } from '../api/meta.ts';
import { isForbidden, isInvalid, isNotFound, KubeError } from './errors.ts';
import { fingerprintOf } from './object-cache.ts';
import type { Access } from './writer.ts';

export const FIELD_MANAGER = 'slipway-operator';
export const STATUS_FIELD_MANAGER = 'slipway-operator-status';
const APPLY = 'application/apply-patch+yaml';
/** What is in the way may be removed by somebody without a watch telling us. */
const LOOK_AGAIN_MS = 60_000;

const controllerOf = (object: KubeObject): OwnerReference | undefined =>
  object.metadata.ownerReferences?.find((ref) => ref.controller === true);

const idOf = ({ kind, metadata }: KubeObject): string => `${kind} ${metadata.namespace}/${metadata.name}`;

/** Refuses to take over an object that somebody else made under the same name. */
function checkOwner(object: KubeObject, existing: KubeObject | undefined): void {
  const wanted = controllerOf(object);
  if (!wanted || !existing) return;
  const actual = controllerOf(existing);
  if (actual?.uid === wanted.uid) return;
  if (actual?.kind === wanted.kind && actual.name === wanted.name) {
    throw new KubeError(
      409,
      'Conflict',
      `${idOf(object)} of an earlier ${actual.kind} ${actual.name} is being removed`,
    );
  }
  const owner = actual ? `belongs to ${actual.kind} ${actual.name}` : 'was not made by Slipway';
  throw new TerminalError(
    'NameTaken',
    `${idOf(object)} exists already and ${owner}: delete or rename it, or give ${wanted.kind} ${wanted.name} another name`,
    { retryAfterMs: LOOK_AGAIN_MS },
  );
}

/** What the API server says against the content is for the user to read; the rest is ours to retry. */
function refusal(object: KubeObject, error: unknown): unknown {
  if (!isInvalid(error) && !isForbidden(error)) return error;
  const message = `the API server refuses ${idOf(object)}: ${(error as KubeError).message}`;
  return new TerminalError('Refused', message, { cause: error, retryAfterMs: LOOK_AGAIN_MS });
}

interface Sent {
  readonly content: string;
  readonly fingerprint: string;
}

/** `apply` of one process; it remembers what it sent, per object that is in the cache. */
export function applier(access: Access) {
  const sent = new Map<string, Sent>();

  async function read(object: KubeObject): Promise<KubeObject | undefined> {
    try {
      return (await access.transport.json({ method: 'GET', path: access.pathOf(object) })) as KubeObject;
    } catch (error) {
      if (isNotFound(error)) return undefined;
      throw error;
    }
  }

  const serverSideApply = (object: KubeObject): Promise<unknown> =>
    access.write({
      method: 'PATCH',
      path: access.pathOf(object),
      query: { fieldManager: FIELD_MANAGER, force: 'true' },
      contentType: APPLY,
      body: object,
    });

  /**
   * Applies. What a hand put beside ours in a list that merges by key (a Service's port under another number) stays under
   * apply and can make the whole invalid; then the lists are replaced as wholes first.
   */
  async function send(object: KubeObject, isThere: boolean): Promise<unknown> {
    try {
      return await serverSideApply(object);
    } catch (error) {
      const { spec } = object as { spec?: object };
      if (!isThere || !isInvalid(error) || !controllerOf(object) || !spec) throw error;
      await access.write({
        method: 'PATCH',
        path: access.pathOf(object),
        query: { fieldManager: FIELD_MANAGER },
        contentType: 'application/merge-patch+json',
        body: { spec },
      });
      return await serverSideApply(object);
    }
  }

  async function apply(object: KubeObject): Promise<void> {
    const id = idOf(object);
    const content = createHash('sha1').update(JSON.stringify(object)).digest('base64');
    const cached = access.cached(object);
    const last = sent.get(id);
    if (cached && last?.content === content && last.fingerprint === cached.fingerprint) return;
    checkOwner(object, controllerOf(object) ? (cached?.head ?? (await read(object))) : undefined);
    const answer = await send(object, cached !== undefined).catch((error) => {
      throw refusal(object, error);
    });
    sent.set(id, { content, fingerprint: fingerprintOf(answer) });
    access.observe(object, answer);
  }

  async function applyStatus(object: KubeObject, status: object): Promise<void> {
    const { apiVersion, kind, metadata } = object;
    const { namespace, name, resourceVersion } = metadata;
    try {
      const answer = await access.write({
        method: 'PATCH',
        path: `${access.pathOf(object)}/status`,
        query: { fieldManager: STATUS_FIELD_MANAGER, force: 'true' },
        contentType: APPLY,
        // The version is what keeps it off a namesake: a uid is not compared when only the status is applied.
        body: { apiVersion, kind, metadata: { namespace, name, resourceVersion }, status },
      });
      access.observe(object, answer);
    } catch (error) {
      if (!isNotFound(error)) throw error;
      throw new KubeError(409, 'Conflict', `${idOf(object)} is gone`, { cause: error });
    }
  }

  /** To be told when an object is gone: what was sent for it means nothing any more. */
  const forget = (object: KubeObject): void => {
    sent.delete(idOf(object));
  };

  return { apply, applyStatus, forget };
}
