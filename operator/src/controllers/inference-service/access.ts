/** Who may reach a service, and how: what spec.auth and spec.tls mean for its pods. Pure. */
import { API_KEYS_DIR, TLS_DIR, TOKEN_KEYS_CONFIG_MAP, TOKEN_KEYS_DIR } from '@slipway/contract';
import {
  configMapVolume,
  optionalSecretVolume,
  readOnlyMount,
  type Volume,
  type VolumeMount,
} from '../../api/containers.ts';
import type { InferenceService } from './api.ts';

/**
 * What a model server reads of keys and certificate. Every one of these objects may be missing: the server ends saying
 * which and what to do, while a pod that waits for a volume says so to nobody who reads its status.
 */
export function accessOf({ spec }: InferenceService): { volumes: Volume[]; mounts: VolumeMount[] } {
  const { auth, tls } = spec;
  const found = [
    auth?.apiKeys && { volume: optionalSecretVolume('api-keys', auth.apiKeys.secretName), dir: API_KEYS_DIR },
    auth?.tokens && { volume: configMapVolume('token-keys', TOKEN_KEYS_CONFIG_MAP), dir: TOKEN_KEYS_DIR },
    tls && { volume: optionalSecretVolume('tls', tls.secretName), dir: TLS_DIR },
  ].filter((one) => one !== undefined);
  return {
    volumes: found.map(({ volume }) => volume),
    mounts: found.map(({ volume, dir }) => readOnlyMount(volume.name, dir)),
  };
}
