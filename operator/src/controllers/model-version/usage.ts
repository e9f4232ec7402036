/** Which InferenceServices serve or want a version. Pure. */
import type { InferenceService } from '../inference-service/api.ts';

/** True when the service answers with the version, is being rolled to it, or asks for it by number. */
const uses = ({ spec, status }: InferenceService, version: number): boolean =>
  status?.version === version || status?.rollout?.version === version || Number(spec.version) === version;

/** Names of the services that use this version of this model, in order. */
export const usersOf = (services: readonly InferenceService[], model: string, version: number): string[] =>
  services
    .filter((service) => service.spec.model === model && uses(service, version))
    .map(({ metadata }) => metadata.name)
    .sort();
