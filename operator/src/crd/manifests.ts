/** The CustomResourceDefinitions of Slipway's kinds, made from the zod schemas that also parse them. */
import { stringify } from 'yaml';
import type { CustomResourceKind } from '../api/custom-resource.ts';
import { API_VERSION, type CustomResource, GROUP } from '../api/meta.ts';
import { InferenceService } from '../controllers/inference-service/api.ts';
import { ModelVersion } from '../controllers/model-version/api.ts';
import { TrainingJob } from '../controllers/training-job/api.ts';
import { type JsonSchema, structuralSchema } from './structural-schema.ts';

type Any = CustomResourceKind<CustomResource>;

/** Every kind that has a CustomResourceDefinition. */
export const customResourceKinds: readonly Any[] = [TrainingJob, ModelVersion, InferenceService].map(
  (kind) => kind as unknown as Any,
);

const HEADER = '# Generated from the zod schemas by `node operator/src/crd/generate.ts`. Do not edit.\n';

export interface CrdManifest {
  /** `<plural>.slipway.dev`. */
  readonly name: string;
  /** `slipway.dev_<plural>.yaml`. */
  readonly file: string;
  readonly yaml: string;
}

/** One definition a kind, ready to be applied. Pure: the same schemas give the same bytes. */
export const crdManifests = (): readonly CrdManifest[] =>
  customResourceKinds.map((kind) => {
    const definition = crdFor(kind);
    const yaml = HEADER + stringify(definition, { lineWidth: 0, aliasDuplicateObjects: false });
    return { name: definition.metadata.name, file: `${GROUP}_${kind.plural}.yaml`, yaml };
  });

/** The definition of one kind as an object. */
export function crdFor(kind: Any) {
  const { plural, singular, shortNames, scale, selectableFields } = kind;
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${plural}.${GROUP}` },
    spec: {
      group: GROUP,
      scope: 'Namespaced',
      names: { kind: kind.kind, listKind: `${kind.kind}List`, plural, singular, shortNames, categories: ['slipway'] },
      versions: [
        {
          name: API_VERSION.slice(GROUP.length + 1),
          served: true,
          storage: true,
          additionalPrinterColumns: kind.columns,
          ...(selectableFields && { selectableFields: selectableFields.map((jsonPath) => ({ jsonPath })) }),
          subresources: { status: {}, ...(scale && { scale: scaleFor(scale) }) },
          schema: { openAPIV3Schema: schemaFor(kind) },
        },
      ],
    },
  };
}

const scaleFor = (scale: NonNullable<Any['scale']>) => ({
  specReplicasPath: scale.specReplicas,
  statusReplicasPath: scale.statusReplicas,
  labelSelectorPath: scale.selector,
});

const schemaFor = (kind: Any): JsonSchema => ({
  description: kind.description,
  type: 'object',
  required: ['spec'],
  ...(kind.rules.length > 0 && { 'x-kubernetes-validations': kind.rules }),
  properties: {
    apiVersion: { type: 'string', description: `Always ${API_VERSION}.` },
    kind: { type: 'string', description: `Always ${kind.kind}.` },
    metadata: { type: 'object' },
    spec: { description: 'What is wanted.', ...structuralSchema(kind.spec) },
    status: { description: 'What the operator observed.', ...structuralSchema(kind.statusSchema) },
  },
});
