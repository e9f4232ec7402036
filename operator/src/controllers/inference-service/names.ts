/** Names, labels and annotations of an InferenceService's children. Computed, never stored. */
import { childLabels } from '../../api/containers.ts';
import type { KubeObject, ObjectKey } from '../../api/meta.ts';

/** On every child and pod: the InferenceService it was made for. */
export const SERVICE_LABEL = 'slipway.dev/inference-service';
/** On pod templates: the digest of the artifact its pods load. */
export const DIGEST_ANNOTATION = 'slipway.dev/artifact-digest';
/** On pod templates: digest of the whole template, by which a pod is known to be of the newest one. */
export const TEMPLATE_ANNOTATION = 'slipway.dev/template';

export const HTTP_PORT = 8080;
export const FETCH_CONTAINER = 'fetch';
export const SERVER_CONTAINER = 'server';

/** Deployment, Service and PodDisruptionBudget all have the object's own name. */
export const childKey = ({ metadata }: KubeObject): ObjectKey => ({
  namespace: metadata.namespace,
  name: metadata.name,
});

/** Finds the pods. */
export const podLabels = ({ metadata }: KubeObject): Readonly<Record<string, string>> => ({
  [SERVICE_LABEL]: metadata.name,
});

/** The standard labels of a child and of its pods. */
export const labelsFor = (owner: KubeObject): Readonly<Record<string, string>> => ({
  ...childLabels('serving', owner.metadata.name),
  ...podLabels(owner),
});

/** Where the service answers inside the cluster. */
export const urlFor = ({ metadata }: KubeObject): string => `http://${metadata.name}.${metadata.namespace}.svc`;
