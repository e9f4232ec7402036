/** What spec.predictionLog means for the pods: what the server is told, and what ships its lines. Pure. */
import {
  CREDENTIALS_DIR,
  OBJECT_STORAGE_KEY,
  PREDICTION_HASH_KEY,
  PREDICTION_KEYS_DIR,
  PREDICTION_LOG_DIR,
  PREDICTIONS_SECRET,
} from '@slipway/contract';
import {
  type Container,
  emptyDir,
  fieldEnv,
  literalEnv,
  mount,
  readOnlyMount,
  secretVolume,
  type Volume,
  type VolumeMount,
} from '../../api/containers.ts';
import type { Settings } from '../ports.ts';
import type { InferenceService } from './api.ts';
import { SHIP_CONTAINER } from './names.ts';
import { type PredictionLog, retentionSeconds } from './spec/prediction-log.ts';

/** Well above what the server leaves there: whoever writes more is evicted. */
const FILES_LIMIT = '256Mi';
const SHIP_RESOURCES = { requests: { cpu: '10m', memory: '64Mi' }, limits: { memory: '256Mi' } } as const;

/** What differs from a server's defaults; nothing where all is left at them. */
export function predictionLogSettings({ enabled, sample, redact, hash, store }: PredictionLog): object {
  if (!enabled) return { enabled: false };
  return {
    ...(Number(sample) !== 1 && { sample: Number(sample) }),
    ...(redact && redact.length > 0 && { redact }),
    ...(hash && hash.length > 0 && { hash }),
    ...(store && { ship: true }),
  };
}

export interface PredictionLogParts {
  readonly volumes: readonly Volume[];
  /** Of the server, which holds the key for digests where it needs it and no credential. */
  readonly mounts: readonly VolumeMount[];
  /** After `fetch`; ended by the kubelet after the server, so that it ships the server's last words. */
  readonly sidecars: readonly Container[];
}

/** Nothing for a service that neither stores lines nor digests values. */
export function predictionLogParts(owner: InferenceService, settings: Settings): PredictionLogParts {
  const log = owner.spec.predictionLog;
  if (!log?.enabled) return { volumes: [], mounts: [], sidecars: [] };
  const isHashing = log.hash !== undefined && log.hash.length > 0;
  return {
    volumes: [
      ...(isHashing ? [secretVolume('prediction-keys', PREDICTIONS_SECRET, [PREDICTION_HASH_KEY])] : []),
      ...(log.store
        ? [
            emptyDir('predictions', FILES_LIMIT),
            // Who has the lines must not have the key of the digests in them.
            secretVolume('predictions-credentials', PREDICTIONS_SECRET, [OBJECT_STORAGE_KEY]),
          ]
        : []),
    ],
    mounts: [
      ...(isHashing ? [readOnlyMount('prediction-keys', PREDICTION_KEYS_DIR)] : []),
      ...(log.store ? [mount('predictions', PREDICTION_LOG_DIR)] : []),
    ],
    sidecars: log.store ? [shipper(owner, settings, log.store.retention)] : [],
  };
}

const shipper = (owner: InferenceService, settings: Settings, retention: string): Container => ({
  name: SHIP_CONTAINER,
  image: settings.servingImage,
  restartPolicy: 'Always',
  imagePullPolicy: settings.imagePullPolicy,
  args: ['ship'],
  env: [
    fieldEnv('POD_NAMESPACE', 'metadata.namespace'),
    fieldEnv('POD_NAME', 'metadata.name'),
    ...literalEnv({
      SERVICE_NAME: owner.metadata.name,
      RETENTION_SECONDS: String(retentionSeconds(retention)),
    }),
  ],
  resources: SHIP_RESOURCES,
  volumeMounts: [mount('predictions', PREDICTION_LOG_DIR), readOnlyMount('predictions-credentials', CREDENTIALS_DIR)],
});
