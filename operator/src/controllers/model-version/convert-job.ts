/**
 * The Job that converts a version to ONNX: fetch (holds the read credential) → convert (holds nothing, and gives up the
 * network before it touches the model) → verify (holds nothing) → deposit (holds the write credential, believes nothing). Pure.
 */
import {
  CONVERT_MODEL_DIR,
  CONVERT_OUTPUT_DIR,
  CONVERT_TIMEOUT,
  CREDENTIALS_DIR,
  DERIVED_DIR,
  type DerivedTarget,
  FETCH_SECRET,
  MODEL_DIR,
  OBJECT_STORAGE_KEY,
  PUBLISH_SECRET,
} from '@slipway/contract';
import type { ModelVersionRow } from '@slipway/database';
import { failurePolicy, type Job } from '../../api/batch-job.ts';
import {
  CARRIER,
  type Container,
  childLabels,
  emptyDir,
  FILES_LIMIT,
  literalEnv,
  mount,
  readOnlyMount,
  restrictedPod,
  SCRATCH_LIMIT,
  secretVolume,
} from '../../api/containers.ts';
import { controllerReference } from '../../api/meta.ts';
import type { ConverterSettings, Settings } from '../ports.ts';
import type { ModelVersion } from './api.ts';
import { artifactOf, fetchContainer, LOAD_SECONDS, LOADER } from './job.ts';
import { CONVERTER_IMAGE_ANNOTATION, convertJobKey, MODEL_VERSION_LABEL } from './names.ts';

const RETRIES = 2;
/** The model and what belongs to it. */
const DERIVED_LIMIT = '3Gi';
const SCRATCH_OF_CONVERTER = '3Gi';

export interface Conversion {
  readonly row: ModelVersionRow;
  readonly settings: Settings;
  readonly converter: ConverterSettings;
}

/** Converts the bytes of `row`. Same arguments, same Job. */
export function convertJobFor(modelVersion: ModelVersion, conversion: Conversion): Job {
  const { settings, converter } = conversion;
  const { name } = modelVersion.metadata;
  const labels = { ...childLabels('conversion', name), [MODEL_VERSION_LABEL]: name };
  return {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: {
      ...convertJobKey(modelVersion),
      labels,
      annotations: { [CONVERTER_IMAGE_ANNOTATION]: converter.image },
      ownerReferences: [controllerReference(modelVersion)],
    },
    spec: {
      backoffLimit: RETRIES,
      activeDeadlineSeconds: converter.deadlineSeconds,
      podFailurePolicy: failurePolicy(['fetch', 'convert', 'verify', 'deposit']),
      template: {
        metadata: { labels, annotations: { 'kubectl.kubernetes.io/default-container': 'convert' } },
        spec: restrictedPod(
          {
            restartPolicy: 'Never',
            initContainers: [fetchContainer(conversion.row, settings), convert(conversion), verify(conversion)],
            containers: [deposit(conversion)],
            volumes: [
              emptyDir('model', FILES_LIMIT),
              emptyDir('derived', DERIVED_LIMIT),
              emptyDir('tmp-convert', SCRATCH_OF_CONVERTER),
              ...['tmp-fetch', 'tmp-verify', 'tmp-deposit'].map((volume) => emptyDir(volume, SCRATCH_LIMIT)),
              secretVolume('fetch-credentials', FETCH_SECRET),
              // Not what reaches Postgres.
              secretVolume('publish-credentials', PUBLISH_SECRET, [OBJECT_STORAGE_KEY]),
            ],
          },
          settings.imagePullSecrets,
        ),
      },
    },
  };
}

const convert = ({ settings, converter }: Conversion): Container => ({
  name: 'convert',
  image: converter.image,
  imagePullPolicy: settings.imagePullPolicy,
  env: literalEnv({
    [CONVERT_MODEL_DIR]: MODEL_DIR,
    [CONVERT_OUTPUT_DIR]: DERIVED_DIR,
    [CONVERT_TIMEOUT]: String(converter.timeoutSeconds),
    HOME: '/tmp',
  }),
  resources: converter.resources,
  volumeMounts: [readOnlyMount('model', MODEL_DIR), mount('derived', DERIVED_DIR), mount('tmp-convert', '/tmp')],
});

const verify = ({ row, settings }: Conversion): Container => ({
  name: 'verify',
  image: settings.servingImage,
  imagePullPolicy: settings.imagePullPolicy,
  args: ['verify'],
  env: literalEnv({
    MODEL_ARTIFACT: artifactOf(row),
    MODEL_DIR: DERIVED_DIR,
    VERIFY_DERIVED: 'true',
    VERIFY_TIMEOUT_SECONDS: String(LOAD_SECONDS),
    HOME: '/tmp',
  }),
  resources: LOADER,
  volumeMounts: [readOnlyMount('derived', DERIVED_DIR), mount('tmp-verify', '/tmp')],
});

const deposit = ({ row, settings }: Conversion): Container => ({
  name: 'deposit',
  image: settings.servingImage,
  imagePullPolicy: settings.imagePullPolicy,
  args: ['deposit'],
  env: literalEnv({ DERIVED_ARTIFACT: JSON.stringify(targetOf(row)), HOME: '/tmp' }),
  resources: CARRIER,
  volumeMounts: [
    readOnlyMount('derived', DERIVED_DIR),
    mount('tmp-deposit', '/tmp'),
    readOnlyMount('publish-credentials', CREDENTIALS_DIR),
  ],
});

const targetOf = ({ namespace, model, version, sourceUri, artifact }: ModelVersionRow): DerivedTarget => ({
  namespace,
  model,
  version,
  from: { uri: sourceUri, ...(artifact && { digest: artifact.digest }) },
});
