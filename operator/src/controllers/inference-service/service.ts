import { controllerReference } from '../../api/meta.ts';
import type { Service } from '../../api/service.ts';
import type { InferenceService } from './api.ts';
import { childKey, labelsFor, podLabels } from './names.ts';

/** The Service of the object's own name: port 80 of every ready pod, whatever its version. */
export const serviceFor = (owner: InferenceService): Service => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { ...childKey(owner), labels: labelsFor(owner), ownerReferences: [controllerReference(owner)] },
  spec: {
    type: 'ClusterIP',
    selector: podLabels(owner),
    ports: [{ name: 'http', port: 80, targetPort: 'http', protocol: 'TCP' }],
  },
});
