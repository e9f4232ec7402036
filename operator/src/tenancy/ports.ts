/** What tenancy asks of the cluster and of the object store. It writes three Secrets a namespace; it never reads, lists or watches any. */
import type { ObjectStorageAccess } from '@slipway/contract';

export interface NamespaceFacts {
  readonly uid: string;
  readonly annotations: Readonly<Record<string, string>>;
}

/** A Secret as it is applied; the values of `data` are base64. */
export interface TenantSecret {
  readonly apiVersion: 'v1';
  readonly kind: 'Secret';
  readonly metadata: {
    readonly namespace: string;
    readonly name: string;
    readonly labels: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
  };
  readonly type: 'Opaque';
  readonly data: Readonly<Record<string, string>>;
}

/** Implemented in operator/src/kube over the API server. Every call may be repeated. */
export interface TenantKube {
  /** From the API server, not a cache: the uid decides whose data the namespace's name stands for. Throws when it is gone; TerminalError when it may not be asked for. */
  readNamespace(name: string): Promise<NamespaceFacts>;
  /** Server-side apply with force, as the operator's field manager. Throws TerminalError with the cure when it is refused (a quota, a missing Role). */
  applySecret(secret: TenantSecret): Promise<void>;
  /** Gone already is success. */
  deleteSecret(namespace: string, name: string): Promise<void>;
}

/**
 * Which of a tenant's credentials is meant: to get, or to put and get, below the namespace's own prefix; or to put, list and
 * delete below its predictions and nothing else.
 */
export type Rights = 'fetch' | 'publish' | 'predictions';

/** Credentials of the object store that reach one namespace's prefix and end by themselves. */
export interface TemporaryAccess {
  readonly access: ObjectStorageAccess;
  readonly expiresAt: Date;
}

/** Asks the object store for a tenant's credentials (STS). May be repeated; earlier ones stay valid until they end. */
export type AssumeTenant = (namespace: string, rights: Rights) => Promise<TemporaryAccess>;
