/** How a custom resource of ours is declared: one zod source for the CRD, the TypeScript type and the parsing. */
import { z } from 'zod';
import { API_VERSION, Condition, type CustomResource, type Kind, Metadata } from './meta.ts';

/** Room for the suffixes of the Jobs and Pods named after the object. */
export const MAX_NAME_LENGTH = 52;

/** The status fields every kind has. */
export const commonStatus = {
  observedGeneration: z.int().min(0).exactOptional().describe('The generation of the spec this status is about.'),
  conditions: z
    .array(Condition)
    .max(16)
    .exactOptional()
    .meta({ 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['type'] })
    .describe('What is true of the object now; each condition tells its reason and the next step.'),
};

export interface PrinterColumn {
  readonly name: string;
  readonly type: 'string' | 'integer' | 'date' | 'boolean' | 'number';
  readonly jsonPath: string;
  readonly description: string;
  /** 1 shows it with `-o wide` only. */
  readonly priority?: 0 | 1;
}

/** Everything the CRD generator needs beside the Kind. */
export interface CustomResourceKind<T extends CustomResource> extends Kind<T> {
  readonly singular: string;
  readonly shortNames: readonly string[];
  readonly description: string;
  readonly spec: z.ZodType;
  readonly statusSchema: z.ZodType;
  readonly columns: readonly PrinterColumn[];
  /** CEL rules on the whole object (metadata.name and so on). */
  readonly rules: readonly { readonly rule: string; readonly message: string }[];
  readonly selectableFields?: readonly string[];
  readonly scale?: { readonly specReplicas: string; readonly statusReplicas: string; readonly selector: string };
}

type Definition<S extends z.ZodType, St extends z.ZodType> = Omit<
  CustomResourceKind<CustomResource>,
  'apiVersion' | 'parse' | 'spec' | 'statusSchema'
> & { readonly spec: S; readonly status: St };

/** Declares a kind. `parse` trusts nothing: it throws a ZodError for an object the schema would refuse. */
export function customResource<S extends z.ZodType, St extends z.ZodType>(
  definition: Definition<S, St>,
): CustomResourceKind<CustomResource<z.infer<S>, z.infer<St> & object>> {
  const { status, ...rest } = definition;
  const schema = z.object({
    apiVersion: z.literal(API_VERSION),
    kind: z.literal(definition.kind),
    metadata: Metadata,
    spec: definition.spec,
    status: status.exactOptional(),
  });
  const parse = (raw: unknown) => schema.parse(raw) as unknown as CustomResource<z.infer<S>, z.infer<St> & object>;
  return { ...rest, apiVersion: API_VERSION, statusSchema: status, parse };
}
