/** Field schemas that several kinds share. Strings and lists are bounded so that the API server can cost the CEL rules. */
import { z } from 'zod';

/** A registered model's name. It may hold capitals, dots and underscores; Kubernetes names made from it are mangled. */
export const ModelName = z
  .string()
  .min(1)
  .max(128)
  .regex(/^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$/);

/**
 * The name of a model as any tracking client may have registered it: no slash, colon or control character. Names of
 * objects and labels made from it are mangled.
 */
export const RegisteredModelName = z
  .string()
  .min(1)
  .max(256)
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is refused here
  .regex(/^[^/:\x00-\x1f\x7f]+$/);

/**
 * An alias as tracking clients accept it: letters and digits of every script. `latest` and `v1` mean something else
 * already (a CEL rule refuses them).
 */
export const ALIAS = /^[\p{L}\p{N}_-]+$/u;

/** The name of another object in the namespace. */
export const ObjectName = z
  .string()
  .min(1)
  .max(253)
  .regex(/^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/);

/** `90s`, `30m`, `1h`; at most 999999s, 99999m or 999h, so that no sum of it overflows. */
export const Duration = z
  .string()
  .max(16)
  .regex(/^([1-9][0-9]{0,5}s|[1-9][0-9]{0,4}m|[1-9][0-9]{0,2}h)$/);

/** The seconds of a Duration. */
export function durationSeconds(duration: string): number {
  const unit = duration.at(-1);
  return Number(duration.slice(0, -1)) * (unit === 'h' ? 3600 : unit === 'm' ? 60 : 1);
}

const quantityPattern = /^([0-9]+(\.[0-9]*)?|\.[0-9]+)([numkMGTPE]|[KMGTPE]i|[eE][+-]?[0-9]+)?$/;

/** A Kubernetes quantity: `500m`, `1`, `256Mi`. YAML may write it as a number. */
export const Quantity = z
  .union([z.int().min(0), z.string().max(32).regex(quantityPattern)])
  .meta({ 'x-kubernetes-int-or-string': true })
  .describe('A Kubernetes quantity, like 500m or 256Mi.');

const ResourceList = z.object({
  cpu: Quantity.exactOptional().describe('Processor time, like 500m or 2.'),
  memory: Quantity.exactOptional().describe('Memory, like 512Mi.'),
  'ephemeral-storage': Quantity.exactOptional().describe('Disk for scratch files and logs, like 2Gi.'),
});
export const Resources = z.object({
  requests: ResourceList.exactOptional().describe('What the scheduler reserves for the container.'),
  limits: ResourceList.exactOptional().describe('What the container may use at most.'),
});
export type Resources = z.infer<typeof Resources>;

/** `latest`, the number of a version (YAML may write it as one), a stage, or `@` and an alias. */
export const VersionSelector = z
  .union([
    z.int().min(1),
    z
      .string()
      .max(256)
      .regex(/^(latest|[1-9][0-9]*|Staging|Production|Archived|@[\p{L}\p{N}_-]+)$/u),
  ])
  .meta({
    'x-kubernetes-int-or-string': true,
    'x-kubernetes-validations': [
      {
        rule: "type(self) == int ? self >= 1 : self.matches('^(latest|[1-9][0-9]{0,9}|Staging|Production|Archived|@[\\\\p{L}\\\\p{N}_-]+)$')",
        message:
          "version must be latest, a version's number like 2, a stage (Staging, Production, Archived) or an alias like @champion",
      },
    ],
  });

/** A list whose entries merge by their `name` under server-side apply. */
export const byName = { 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['name'] } as const;
/** A list that is replaced as a whole. */
export const atomic = { 'x-kubernetes-list-type': 'atomic' } as const;
/** `x-kubernetes-validations` for `.meta()`: one CEL rule with the message users read. */
export const cel = (...rules: { rule: string; message: string; reason?: string; fieldPath?: string }[]) => ({
  'x-kubernetes-validations': rules,
});

/** A rule for a list of texts: no more than so many characters in all of them. */
export const together = (most: number, what: string): { readonly rule: string; readonly message: string } => ({
  rule: `self.join('').size() <= ${most}`,
  message: `${what} have more than ${most} characters together: list fewer`,
});
