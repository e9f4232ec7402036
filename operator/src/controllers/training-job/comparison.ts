/** The gates of a run, and the versions they compare with, as its pod is told of them. Pure. */
import type { Gate, ModelArtifact, PublishRun } from '@slipway/contract';
import type { Register, TrainingJobSpec } from './api.ts';
import type { Reference, Resolved } from './resolved.ts';

type References = Resolved['references'];
type AskedGate = NonNullable<Register['gate']>[number];

const referenceOf = ({ notWorseThan }: AskedGate, references: References): Reference | undefined =>
  notWorseThan &&
  (Object.hasOwn(references, String(notWorseThan.version)) ? references[String(notWorseThan.version)] : undefined);

/** Every version that a gate compares with, each once; their order is that of the folders below /references. */
export function comparedVersions({ register }: TrainingJobSpec, { references }: Resolved): readonly Reference[] {
  const found = (register?.gate ?? []).map((gate) => referenceOf(gate, references)).filter((one) => one !== undefined);
  return [...new Map(found.map((reference) => [reference.version, reference])).values()];
}

/** What it takes to ask a model. The rest (plots, examples) would only make the pod's environment too long to start with. */
const IS_NEEDED = /(\.onnx|(^|\/)MLmodel|^signature\.json)$/;

/** How `fetch` is told of them: the files by which a model is asked, each with its digest. */
export const asModelArtifacts = (compared: readonly Reference[], namespace: string): ModelArtifact[] =>
  compared.map(({ artifact: { uri, files } }) => ({
    namespace,
    uri,
    files: files.filter(({ path }) => IS_NEEDED.test(path)),
  }));

/** A decimal of a spec as a number that JSON can say. */
const decimal = (text: string): number => Math.max(-Number.MAX_VALUE, Math.min(Number.MAX_VALUE, Number(text)));

function gateFor(asked: AskedGate, references: References, compared: readonly Reference[]): Gate {
  const { metric, min, max, notWorseThan } = asked;
  const reference = referenceOf(asked, references);
  return {
    metric,
    ...(min !== undefined && { min: decimal(min) }),
    ...(max !== undefined && { max: decimal(max) }),
    ...(notWorseThan && {
      notWorseThan: {
        version: String(notWorseThan.version),
        by: decimal(notWorseThan.by),
        ...(reference && {
          resolved: reference.version,
          reference: compared.findIndex(({ version }) => version === reference.version),
        }),
      },
    }),
  };
}

/** What a version of this run gets, for `publish`; undefined when the spec asks for nothing. */
export function registrationFor(spec: TrainingJobSpec, resolved: Resolved): PublishRun['register'] {
  if (!spec.register) return undefined;
  const { stage, aliases, tags, gate } = spec.register;
  const compared = comparedVersions(spec, resolved);
  return {
    ...(stage !== undefined && { stage }),
    ...(aliases && { aliases }),
    ...(tags && { tags }),
    ...(gate && { gate: gate.map((asked) => gateFor(asked, resolved.references, compared)) }),
  };
}
