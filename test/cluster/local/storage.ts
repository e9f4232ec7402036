/** What of a claim decides about its volume. */
export interface Claim {
  readonly metadata: {
    readonly name: string;
    readonly namespace: string;
    readonly uid: string;
    readonly deletionTimestamp?: string;
  };
  readonly spec: {
    readonly storageClassName?: string;
    readonly volumeName?: string;
    readonly volumeMode?: string;
    readonly accessModes: readonly string[];
    readonly resources: { readonly requests: { readonly storage: string } };
  };
}

/** What of a volume decides whether it is ours and no longer needed. */
export interface Volume {
  readonly metadata: { readonly name: string; readonly deletionTimestamp?: string };
  readonly spec: {
    readonly storageClassName?: string;
    readonly persistentVolumeReclaimPolicy: string;
    readonly hostPath?: { readonly path: string };
  };
  readonly status: { readonly phase?: string };
}

const className = 'standard';

/** The default StorageClass. A claim is bound at once, also when no pod uses it yet. */
export const storageClass = {
  apiVersion: 'storage.k8s.io/v1',
  kind: 'StorageClass',
  metadata: { name: className, annotations: { 'storageclass.kubernetes.io/is-default-class': 'true' } },
  provisioner: 'slipway.dev/host-path',
  reclaimPolicy: 'Delete',
  volumeBindingMode: 'Immediate',
};

/** Whether the claim waits for a volume from us. */
export function wantsVolume({ metadata, spec }: Claim): boolean {
  const ours = spec.storageClassName === className && spec.volumeMode !== 'Block';
  return ours && !spec.volumeName && metadata.deletionTimestamp === undefined;
}

/** The volume for a claim: a folder of the node's that any user may write to. Its name makes doing it twice harmless. */
export function volumeFor({ metadata, spec }: Claim, folder: string): object {
  const { name, namespace, uid } = metadata;
  return {
    apiVersion: 'v1',
    kind: 'PersistentVolume',
    metadata: {
      name: `pvc-${uid}`,
      annotations: { 'pv.kubernetes.io/provisioned-by': storageClass.provisioner },
    },
    spec: {
      storageClassName: className,
      persistentVolumeReclaimPolicy: 'Delete',
      accessModes: spec.accessModes,
      capacity: spec.resources.requests,
      hostPath: { path: `${folder}/pvc-${uid}`, type: 'Directory' },
      claimRef: { apiVersion: 'v1', kind: 'PersistentVolumeClaim', name, namespace, uid },
    },
  };
}

/** Whether the volume is ours, its claim is gone and its data may go too. */
export function isReclaimable({ spec, status }: Volume, folder: string): boolean {
  const ours = spec.storageClassName === className && spec.hostPath?.path.startsWith(`${folder}/pvc-`) === true;
  return ours && spec.persistentVolumeReclaimPolicy === 'Delete' && ['Released', 'Failed'].includes(status.phase ?? '');
}
