/** Names, labels and annotations of an InferenceService's children. Computed, never stored. */
import { childLabels } from '../../api/containers.ts';
import type { KubeObject, ObjectKey } from '../../api/meta.ts';
import type { InferenceService } from './api.ts';

/** On every child and pod: the InferenceService it was made for. */
export const SERVICE_LABEL = 'slipway.dev/inference-service';
/** On pod templates: the digest of the artifact its pods load. */
export const DIGEST_ANNOTATION = 'slipway.dev/artifact-digest';
/** On pod templates: digest of the whole template, by which a pod is known to be of the newest one. */
export const TEMPLATE_ANNOTATION = 'slipway.dev/template';

/** On pod templates whose pods speak https. */
export const SCHEME_ANNOTATION = 'slipway.dev/scheme';

export const HTTP_PORT = 8080;
export const FETCH_CONTAINER = 'fetch';
export const SERVER_CONTAINER = 'server';
/** With spec.runtime: what stands before the server, which is the user's then. */
export const FRONT_CONTAINER = 'front';
/** The sidecar that ships predictions; no version is turned down because of it. */
export const SHIP_CONTAINER = 'ship';

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

export type Scheme = 'http' | 'https';
/** What its pods speak; also the name of their port and of the Service's. */
export const schemeOf = ({ spec }: InferenceService): Scheme => (spec.tls ? 'https' : 'http');

/** Where the service answers inside the cluster. */
export const urlFor = (owner: InferenceService): string =>
  `${schemeOf(owner)}://${owner.metadata.name}.${owner.metadata.namespace}.svc`;
