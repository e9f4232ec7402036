import { controllerReference } from '../../api/meta.ts';
import { isReady, type Pod } from '../../api/pod.ts';
import type { Service } from '../../api/service.ts';
import type { InferenceService } from './api.ts';
import { childKey, labelsFor, podLabels, SCHEME_ANNOTATION, type Scheme, schemeOf } from './names.ts';

const PORTS = { http: 80, https: 443 } as const;

/**
 * The Service of the object's own name: port 80 of every ready pod, or 443 where https is spoken, whatever the version.
 * While pods that still speak the other one answer, their port stays as well.
 */
export function serviceFor(owner: InferenceService, pods: readonly Pod[] = []): Service {
  const spoken = new Set<Scheme>([schemeOf(owner), ...pods.filter(isReady).map(spokenBy)]);
  const schemes = (['http', 'https'] as const).filter((scheme) => spoken.has(scheme));
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { ...childKey(owner), labels: labelsFor(owner), ownerReferences: [controllerReference(owner)] },
    spec: {
      type: 'ClusterIP',
      selector: podLabels(owner),
      // By name, so that each pod is reached only by what it speaks.
      ports: schemes.map((name) => ({ name, port: PORTS[name], targetPort: name, protocol: 'TCP' })),
    },
  };
}

const spokenBy = ({ metadata }: Pod): Scheme =>
  metadata.annotations?.[SCHEME_ANNOTATION] === 'https' ? 'https' : 'http';
