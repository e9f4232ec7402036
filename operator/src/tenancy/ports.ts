/** What tenancy asks of the cluster. It writes Secrets and deletes two names; it never reads, lists or watches any. */

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
  /** From the API server, not a cache: the uid decides whose data the namespace's name stands for. Throws when it is gone. */
  readNamespace(name: string): Promise<NamespaceFacts>;
  /** Server-side apply with force, as the operator's field manager. */
  applySecret(secret: TenantSecret): Promise<void>;
  /** Gone already is success. */
  deleteSecret(namespace: string, name: string): Promise<void>;
}
