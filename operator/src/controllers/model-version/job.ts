/** The Job that proves a version: fetch (holds the read credential) → verify (holds none). Pure. */
import { CREDENTIALS_DIR, FETCH_SECRET, MODEL_DIR, type ModelArtifact } from '@slipway/contract';
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
import type { Settings } from '../ports.ts';
import type { ModelVersion } from './api.ts';
import { MODEL_VERSION_LABEL, verifyJobKey } from './names.ts';

/** With all its attempts; a store that is away longer than this is tried again with a new Job. */
const DEADLINE_SECONDS = 1800;
const RETRIES = 2;
/** How long the model may take to be loaded and tested. */
export const LOAD_SECONDS = 60;
/** A model that needs more than this to be loaded and tested is not servable. */
export const LOADER = { requests: { cpu: '100m', memory: '256Mi' }, limits: { cpu: '2', memory: '1Gi' } } as const;

/** Proves the bytes of `row`. Same arguments, same Job. */
export function verifyJobFor(modelVersion: ModelVersion, row: ModelVersionRow, settings: Settings): Job {
  const { name } = modelVersion.metadata;
  const labels = { ...childLabels('verification', name), [MODEL_VERSION_LABEL]: name };
  return {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: { ...verifyJobKey(modelVersion), labels, ownerReferences: [controllerReference(modelVersion)] },
    spec: {
      backoffLimit: RETRIES,
      activeDeadlineSeconds: DEADLINE_SECONDS,
      podFailurePolicy: failurePolicy(['fetch', 'verify']),
      template: {
        metadata: { labels, annotations: { 'kubectl.kubernetes.io/default-container': 'verify' } },
        spec: restrictedPod(
          {
            restartPolicy: 'Never',
            initContainers: [fetchContainer(row, settings)],
            containers: [verify(row, settings)],
            volumes: [
              emptyDir('model', FILES_LIMIT),
              ...['tmp-fetch', 'tmp-verify'].map((volume) => emptyDir(volume, SCRATCH_LIMIT)),
              secretVolume('fetch-credentials', FETCH_SECRET),
            ],
          },
          settings.imagePullSecrets,
        ),
      },
    },
  };
}

/** A version somebody brought has no digests yet: its files are what is found. */
export const artifactOf = ({ namespace, sourceUri, artifact }: ModelVersionRow): string => {
  const wanted: ModelArtifact = artifact ? { namespace, ...artifact } : { namespace, uri: sourceUri };
  return JSON.stringify(wanted);
};

/** Brings the bytes of `row` to MODEL_DIR, of the volume `model`. */
export const fetchContainer = (row: ModelVersionRow, { servingImage, imagePullPolicy }: Settings): Container => ({
  name: 'fetch',
  image: servingImage,
  imagePullPolicy,
  args: ['fetch'],
  env: literalEnv({ MODEL_ARTIFACT: artifactOf(row), HOME: '/tmp' }),
  resources: CARRIER,
  volumeMounts: [
    mount('model', MODEL_DIR),
    mount('tmp-fetch', '/tmp'),
    readOnlyMount('fetch-credentials', CREDENTIALS_DIR),
  ],
});

const verify = (row: ModelVersionRow, { servingImage, imagePullPolicy }: Settings): Container => ({
  name: 'verify',
  image: servingImage,
  imagePullPolicy,
  args: ['verify'],
  env: literalEnv({
    MODEL_ARTIFACT: artifactOf(row),
    VERIFY_TIMEOUT_SECONDS: String(LOAD_SECONDS),
    HOME: '/tmp',
  }),
  resources: LOADER,
  volumeMounts: [readOnlyMount('model', MODEL_DIR), mount('tmp-verify', '/tmp')],
});
