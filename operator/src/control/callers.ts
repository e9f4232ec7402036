/**
 * Whose pod calls. Nothing of the request's body is believed: the API server names the pod a token is bound to, and the
 * chain of owners from there (pod, ReplicaSet, Deployment) ends at the InferenceService.
 */
import { createHash } from 'node:crypto';
import { CONTROL_AUDIENCE } from '@slipway/contract';
import { Deployment } from '../api/deployment.ts';
import type { KubeObject, OwnerReference } from '../api/meta.ts';
import { Pod } from '../api/pod.ts';
import { InferenceService } from '../controllers/inference-service/api.ts';
import type { Identified, TokenHolder } from '../kube/callers.ts';
import type { KubeReader } from '../kube/client.ts';
import { forbidden, unauthorized, unavailable } from './refusal.ts';

export interface CallerPorts {
  /** From the API server; undefined: no token of this cluster for that audience. */
  holderOf(token: string, audience: string): Promise<TokenHolder | undefined>;
  /** From the API server: the Deployment that controls this ReplicaSet. */
  deploymentOf(namespace: string, replicaSet: Identified): Promise<Identified | undefined>;
  readonly kube: () => KubeReader;
  readonly now: () => Date;
}

/** What the API server says of a token is believed for this long: a pod's owners do not change. */
const KNOWN_MS = 60_000;
/** A token that was refused may be good a moment later (its pod was not in the cache yet). */
const REFUSED_MS = 2_000;
const MAX_KNOWN = 2_000;
/** Anybody may show anything: the API server is asked about so many tokens at once and no more. */
const MAX_ASKING = 32;

interface Origin {
  readonly pod: NonNullable<TokenHolder['pod']>;
  readonly deployment: Identified;
}

interface Known {
  readonly origin: Promise<Origin>;
  until: number;
}

const controllerOf = ({ metadata }: KubeObject, kind: string): OwnerReference | undefined =>
  metadata.ownerReferences?.find((owner) => owner.controller === true && owner.kind === kind);

/** The key a token is remembered by; the token itself is kept nowhere. */
const hashOf = (token: string): string => createHash('sha256').update(token).digest('base64');

function keep(map: Map<string, Known>, hash: string, entry: Known): void {
  const [oldest] = map.keys();
  if (oldest !== undefined && map.size >= MAX_KNOWN) map.delete(oldest);
  map.set(hash, entry);
}

/** Throws ControlRefusal 401 for a token that is not good, 403 for one that belongs to no InferenceService's pod, 503 while too many are looked up. */
export function createCallers(ports: CallerPorts): (token: string) => Promise<InferenceService> {
  const known = new Map<string, Known>();
  // Apart from the others: tokens that somebody made up take no place from good ones.
  const refused = new Map<string, Known>();
  let asking = 0;

  async function ask(token: string): Promise<Origin> {
    const holder = await ports.holderOf(token, CONTROL_AUDIENCE);
    if (!holder) {
      throw unauthorized(
        `the token is not good for the audience ${CONTROL_AUDIENCE}: it has ended, or was made for another`,
      );
    }
    const { pod } = holder;
    if (!pod)
      throw forbidden(
        `${holder.username} shows a token that is bound to no pod: only pods of an InferenceService may ask`,
      );
    const replicaSet = controllerOf(podOf(pod), 'ReplicaSet');
    const deployment = replicaSet && (await ports.deploymentOf(pod.namespace, replicaSet));
    if (!deployment) throw foreign(pod);
    return { pod, deployment };
  }

  /** This very pod, if the operator made it. */
  function podOf(pod: Origin['pod']): Pod {
    const found = ports.kube().get(Pod, pod);
    if (found?.metadata.uid !== pod.uid) throw foreign(pod);
    return found;
  }

  const foreign = ({ namespace, name }: Origin['pod']) =>
    forbidden(`pod ${namespace}/${name} is not a pod of an InferenceService`);

  function remembered(token: string): Promise<Origin> {
    const hash = hashOf(token);
    const now = ports.now().getTime();
    const before = known.get(hash) ?? refused.get(hash);
    if (before && before.until > now) return before.origin;
    known.delete(hash);
    refused.delete(hash);
    if (asking >= MAX_ASKING) throw unavailable('too many tokens are being looked up: try again');
    asking++;
    const origin = ask(token).finally(() => asking--);
    const entry: Known = { origin, until: now + KNOWN_MS };
    keep(known, hash, entry);
    origin.catch(() => {
      if (known.get(hash) === entry) known.delete(hash);
      keep(refused, hash, { origin, until: ports.now().getTime() + REFUSED_MS });
    });
    return origin;
  }

  return async (token) => {
    const { pod, deployment } = await remembered(token);
    podOf(pod);
    const { namespace } = pod;
    const made = ports.kube().get(Deployment, { namespace, name: deployment.name });
    const owner = made?.metadata.uid === deployment.uid ? controllerOf(made, InferenceService.kind) : undefined;
    const service = owner && ports.kube().get(InferenceService, { namespace, name: owner.name });
    if (!service || service.metadata.uid !== owner.uid) throw foreign(pod);
    return service;
  };
}
