/** Who shows a token: the API server says which pod it was made for, and which Deployment that pod belongs to. */
import { z } from 'zod';
import { isNotFound } from './errors.ts';
import { resourcePath } from './paths.ts';
import type { Transport } from './transport.ts';

const REPLICA_SETS = { apiVersion: 'apps/v1', plural: 'replicasets' };
const TOKEN_REVIEWS = '/apis/authentication.k8s.io/v1/tokenreviews';
const TIMEOUT_MS = 5_000;

const POD_NAME = 'authentication.kubernetes.io/pod-name';
const POD_UID = 'authentication.kubernetes.io/pod-uid';
const SERVICE_ACCOUNT = /^system:serviceaccount:([^:]+):[^:]+$/;

const TokenReview = z.object({
  status: z.object({
    authenticated: z.boolean().default(false),
    audiences: z.array(z.string()).default([]),
    user: z
      .object({ username: z.string().default(''), extra: z.record(z.string(), z.array(z.string())).default({}) })
      .default({ username: '', extra: {} }),
  }),
});

const ReplicaSet = z.object({
  metadata: z.object({
    uid: z.string(),
    ownerReferences: z
      .array(z.object({ kind: z.string(), name: z.string(), uid: z.string(), controller: z.boolean().optional() }))
      .default([]),
  }),
});

/** A pod, or anything else that is told from its namesakes by its uid. */
export interface Identified {
  readonly name: string;
  readonly uid: string;
}

export interface TokenHolder {
  readonly username: string;
  /** The pod whose life the token is bound to; absent for a token that somebody asked for by hand. */
  readonly pod?: Identified & { readonly namespace: string };
}

function holderOf({ username, extra }: z.infer<typeof TokenReview>['status']['user']): TokenHolder {
  const namespace = SERVICE_ACCOUNT.exec(username)?.[1];
  const [name] = extra[POD_NAME] ?? [];
  const [uid] = extra[POD_UID] ?? [];
  if (namespace === undefined || name === undefined || uid === undefined) return { username };
  return { username, pod: { namespace, name, uid } };
}

/** Uncached questions to the API server; every failure is a KubeError. */
export function callerAccess(transport: Transport) {
  return {
    /** Undefined: not a token of this cluster that is good for `audience` now. */
    async holderOf(token: string, audience: string): Promise<TokenHolder | undefined> {
      const body = {
        apiVersion: 'authentication.k8s.io/v1',
        kind: 'TokenReview',
        spec: { token, audiences: [audience] },
      };
      const answer = await transport.json({ method: 'POST', path: TOKEN_REVIEWS, body, timeoutMs: TIMEOUT_MS });
      const { authenticated, audiences, user } = TokenReview.parse(answer).status;
      // An API server that knows nothing of audiences names none: its word would be good for any token.
      return authenticated && audiences.includes(audience) ? holderOf(user) : undefined;
    },

    /** The Deployment that controls this very ReplicaSet; undefined when it is gone or nobody's. */
    async deploymentOf(namespace: string, replicaSet: Identified): Promise<Identified | undefined> {
      try {
        const path = resourcePath(REPLICA_SETS, namespace, replicaSet.name);
        const { metadata } = ReplicaSet.parse(await transport.json({ method: 'GET', path, timeoutMs: TIMEOUT_MS }));
        if (metadata.uid !== replicaSet.uid) return undefined;
        const owner = metadata.ownerReferences.find(({ kind, controller }) => controller && kind === 'Deployment');
        return owner && { name: owner.name, uid: owner.uid };
      } catch (error) {
        if (isNotFound(error)) return undefined;
        throw error;
      }
    },
  };
}
