/** The parts of the Kubernetes object model every kind shares. Timestamps are RFC 3339 strings, as on the wire. */
import { z } from 'zod';

export const GROUP = 'slipway.dev';
export const API_VERSION = 'slipway.dev/v1alpha1';

export const Condition = z.object({
  type: z.string().min(1).max(64).describe('What it is about.'),
  status: z.enum(['True', 'False', 'Unknown']).describe('Unknown: it is not decided yet.'),
  reason: z.string().min(1).max(128).describe('Why, in one word.'),
  message: z.string().max(32768).describe('Why, in words, and what to do next.'),
  observedGeneration: z.int().min(0).exactOptional().describe('The generation of the spec it is about.'),
  lastTransitionTime: z.string().max(64).describe('Since when the status is what it is.'),
});
export type Condition = Readonly<z.infer<typeof Condition>>;

export interface ObjectKey {
  readonly namespace: string;
  readonly name: string;
}

export interface OwnerReference {
  readonly apiVersion: string;
  readonly kind: string;
  readonly name: string;
  readonly uid: string;
  readonly controller?: boolean;
  readonly blockOwnerDeletion?: boolean;
}

export interface ObjectMeta extends ObjectKey {
  readonly uid?: string;
  readonly generation?: number;
  readonly resourceVersion?: string;
  readonly creationTimestamp?: string;
  readonly deletionTimestamp?: string;
  readonly finalizers?: readonly string[];
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly ownerReferences?: readonly OwnerReference[];
}

export interface KubeObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: ObjectMeta;
}

export interface CommonStatus {
  readonly observedGeneration?: number;
  readonly conditions?: readonly Condition[];
}

export interface CustomResource<Spec = unknown, Status extends CommonStatus = CommonStatus> extends KubeObject {
  readonly spec: Spec;
  readonly status?: Status;
}

/** Everything the program needs to know about a kind; `parse` is the only way an object enters it. */
export interface Kind<T extends KubeObject> {
  readonly apiVersion: string;
  readonly kind: string;
  readonly plural: string;
  /** Watch only objects with this label selector (`a=b`). Absent: all. */
  readonly selector?: string;
  /** Throws when `raw` is not such an object. */
  parse(raw: unknown): T;
}

/** The metadata every object from the API server has; unknown fields are dropped. */
export const Metadata = z.object({
  name: z.string(),
  namespace: z.string(),
  uid: z.string().exactOptional(),
  generation: z.int().exactOptional(),
  resourceVersion: z.string().exactOptional(),
  creationTimestamp: z.string().exactOptional(),
  deletionTimestamp: z.string().exactOptional(),
  finalizers: z.array(z.string()).exactOptional(),
  labels: z.record(z.string(), z.string()).exactOptional(),
  annotations: z.record(z.string(), z.string()).exactOptional(),
  ownerReferences: z
    .array(
      z.object({
        apiVersion: z.string(),
        kind: z.string(),
        name: z.string(),
        uid: z.string(),
        controller: z.boolean().exactOptional(),
        blockOwnerDeletion: z.boolean().exactOptional(),
      }),
    )
    .exactOptional(),
});

/** The reference that makes `owner` the controller of a child: deleting the owner deletes the child. */
export function controllerReference(owner: KubeObject): OwnerReference {
  const { name, uid } = owner.metadata;
  if (!uid) throw new Error(`${owner.kind} ${name} has no uid yet`);
  return { apiVersion: owner.apiVersion, kind: owner.kind, name, uid, controller: true, blockOwnerDeletion: true };
}

/** True when `owner` (this very object, not an earlier one of its name) controls `child`. */
export const isControlledBy = (child: KubeObject, owner: KubeObject): boolean =>
  child.metadata.ownerReferences?.some((ref) => ref.controller === true && ref.uid === owner.metadata.uid) ?? false;
