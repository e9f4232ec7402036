/**
 * The NetworkPolicy of conversions in a namespace: their pods are reached by nobody and reach the object store and the name
 * service. Where the cluster's network enforces no policies it changes nothing; what keeps a model from the network then
 * is what the converter gives up before it touches one.
 */

import { COMPONENT_LABEL, MANAGED_BY_SELECTOR } from '../api/containers.ts';
import { TerminalError } from '../api/errors.ts';
import type { KubeObject } from '../api/meta.ts';
import { FIELD_MANAGER } from './apply.ts';
import { isForbidden, isInvalid, type KubeError } from './errors.ts';
import { resourcePath } from './paths.ts';
import type { Transport } from './transport.ts';
import { guardedWrites } from './writer.ts';

export const CONVERT_POLICY = 'slipway-convert';

const POLICIES = { apiVersion: 'networking.k8s.io/v1', plural: 'networkpolicies' };
/** How soon it is written again although nothing changed: it may be gone. */
const LOOK_AGAIN_MS = 60_000;
const [LABEL = '', MANAGER = ''] = MANAGED_BY_SELECTOR.split('=');

/** Where the object store is, as a policy says it. */
export interface StoreAddress {
  /** Peers of a NetworkPolicy. */
  readonly peers: readonly object[];
  readonly port: number;
}

/** Goes with the last of its owners. Same arguments, same policy. */
export const convertPolicy = (namespace: string, { peers, port }: StoreAddress, owners: readonly KubeObject[]) => ({
  apiVersion: POLICIES.apiVersion,
  kind: 'NetworkPolicy',
  metadata: {
    namespace,
    name: CONVERT_POLICY,
    labels: { [LABEL]: MANAGER },
    ownerReferences: owners
      .map(({ apiVersion, kind, metadata: { name, uid } }) => ({ apiVersion, kind, name, uid }))
      .sort((a, b) => (a.name < b.name ? -1 : 1)),
  },
  spec: {
    podSelector: { matchLabels: { [LABEL]: MANAGER, [COMPONENT_LABEL]: 'conversion' } },
    policyTypes: ['Ingress', 'Egress'],
    egress: [
      { ports: ['UDP', 'TCP'].map((protocol) => ({ protocol, port: 53 })) },
      { to: peers, ports: [{ protocol: 'TCP', port }] },
    ],
  },
});

function refusal(namespace: string, error: unknown): unknown {
  if (!isForbidden(error) && !isInvalid(error)) return error;
  const message =
    `the API server refuses NetworkPolicy ${namespace}/${CONVERT_POLICY}, without which nothing is converted: ` +
    `${(error as KubeError).message}. Raise the quota, change the policy or bind the operator's Role in ${namespace}, ` +
    'whichever it names; it is tried again every minute';
  return new TerminalError('ConfigurationError', message, { cause: error, retryAfterMs: LOOK_AGAIN_MS });
}

/** Able to write only while this process leads. `now` in milliseconds. */
export function convertPolicyAccess(
  transport: Transport,
  { assertLeading, now, store }: { assertLeading: () => void; now: () => number; store: StoreAddress },
) {
  const write = guardedWrites(transport, assertLeading);
  const written = new Map<string, { readonly content: string; readonly at: number }>();
  return {
    /** Keeps the policy in the namespace for as long as one of `owners` is there. Cheap when it is there already. */
    async ensure(namespace: string, owners: readonly KubeObject[]): Promise<void> {
      const body = convertPolicy(namespace, store, owners);
      const content = JSON.stringify(body);
      const last = written.get(namespace);
      if (last?.content === content && now() - last.at < LOOK_AGAIN_MS) return;
      await write({
        method: 'PATCH',
        path: resourcePath(POLICIES, namespace, CONVERT_POLICY),
        query: { fieldManager: FIELD_MANAGER, force: 'true' },
        contentType: 'application/apply-patch+yaml',
        body,
      }).catch((error) => {
        throw refusal(namespace, error);
      });
      written.set(namespace, { content, at: now() });
    },
  };
}
