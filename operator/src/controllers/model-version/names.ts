/** Names of a version's object and of what is made for it. They are computed, never stored. */
import { shortHash } from '@slipway/contract';
import { MAX_NAME_LENGTH } from '../../api/custom-resource.ts';
import type { ObjectKey, ObjectMeta } from '../../api/meta.ts';

const DNS_LABEL = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/;
const LABEL_LENGTH = 63;
const LABEL_VALUE = /^[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$/;
/** Room for `-v` and ten digits. */
const SUFFIX_LENGTH = 12;

/** `<model>-v<N>`; a model that is no Kubernetes name is mangled and told apart by a hash. */
export function modelVersionName(model: string, version: number): string {
  return `${nameFor(model, MAX_NAME_LENGTH - SUFFIX_LENGTH)}-v${version}`;
}

/** The model as a label value: itself, or mangled with a hash when it is none. */
export const modelLabel = (model: string): string =>
  model.length <= LABEL_LENGTH && LABEL_VALUE.test(model) ? model : nameFor(model, LABEL_LENGTH);

function nameFor(model: string, length: number): string {
  if (model.length <= length && DNS_LABEL.test(model)) return model;
  const hash = shortHash(model);
  const letters = model
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-+/, '');
  const kept = letters.slice(0, length - hash.length - 1).replace(/-+$/, '');
  return `${kept === '' ? 'model' : kept}-${hash}`;
}

/** The Job that proves this very object. */
export const verifyJobKey = ({ metadata }: { metadata: ObjectMeta }): ObjectKey => ({
  namespace: metadata.namespace,
  name: `${metadata.name}-${shortHash(`${metadata.uid}/verify`)}`,
});

/** The Job that converts this version. */
export const convertJobKey = ({ metadata }: { metadata: ObjectMeta }): ObjectKey => ({
  namespace: metadata.namespace,
  name: `${metadata.name}-convert`,
});

/** On a conversion's Job: the image that converts. */
export const CONVERTER_IMAGE_ANNOTATION = 'slipway.dev/converter-image';

/** On a verification's or conversion's Job and pods: the ModelVersion. */
export const MODEL_VERSION_LABEL = 'slipway.dev/model-version';
