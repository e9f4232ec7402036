/** The v1 Service the operator writes; of those in the cluster it reads the metadata only. */
import { z } from 'zod';
import { MANAGED_BY_SELECTOR } from './containers.ts';
import { type Kind, type KubeObject, Metadata } from './meta.ts';

const schema = z.object({ apiVersion: z.literal('v1'), kind: z.literal('Service'), metadata: Metadata });

export interface Service extends KubeObject {
  readonly spec?: {
    readonly type: 'ClusterIP';
    readonly selector: Readonly<Record<string, string>>;
    readonly ports: readonly {
      readonly name: string;
      readonly port: number;
      readonly targetPort: string;
      readonly protocol: 'TCP';
    }[];
  };
}

export const Service: Kind<Service> = {
  apiVersion: 'v1',
  kind: 'Service',
  plural: 'services',
  selector: MANAGED_BY_SELECTOR,
  parse: (raw) => schema.parse(raw),
};
