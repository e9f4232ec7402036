/** What trains: a built-in algorithm or a container, the files it reads, and where it may run. */
import { z } from 'zod';
import { atomic, byName, cel, Resources } from '../../../api/fields.ts';

export const Algorithm = z.object({
  name: z
    .string()
    .min(1)
    .max(64)
    .describe(
      'A built-in algorithm: logistic-regression, linear-regression, ridge, random-forest or gradient-boosting.',
    ),
  target: z.string().min(1).max(256).describe('The column to predict.'),
  features: z
    .array(z.string().min(1).max(256))
    .min(1)
    .max(1024)
    .exactOptional()
    .meta(atomic)
    .describe('The columns to learn from. Default: every column but the target.'),
  featureTypes: z
    .record(z.string().max(256), z.enum(['number', 'category']))
    .exactOptional()
    .meta({ maxProperties: 256 })
    .describe('number or category by column name. Default: a column is a number when every cell of it is one.'),
  task: z
    .enum(['classification', 'regression'])
    .exactOptional()
    .describe(
      'What is learnt. Default: what the algorithm can do; else classes when the target is text or has few whole numbers.',
    ),
});

export const Container = z.object({
  image: z.string().min(1).max(512).describe('An image that keeps the trainer contract: files in, files out.'),
  command: z
    .array(z.string().max(4096))
    .max(64)
    .exactOptional()
    .meta(atomic)
    .describe("Replaces the image's entry point."),
  args: z
    .array(z.string().max(4096))
    .max(64)
    .exactOptional()
    .meta(atomic)
    .describe('Arguments; {{params.NAME}} is replaced by the parameter of that name.'),
  env: z
    .array(
      z.object({
        name: z
          .string()
          .max(128)
          .regex(/^[A-Za-z_][A-Za-z0-9_]*$/)
          .describe('Name of the environment variable.'),
        value: z.string().max(4096).describe('Its value, taken literally.'),
      }),
    )
    .max(64)
    .exactOptional()
    .meta(byName)
    .describe('Environment variables, literal values only.'),
  resources: Resources.exactOptional().describe(
    'CPU and memory of the trainer container. Default: 100m and 256Mi requested, at most 2Gi of memory. ' +
      '/input and /output hold at most 10Gi each, /tmp 2Gi.',
  ),
});

export const Input = z
  .object({
    name: z
      .string()
      .max(63)
      .regex(/^[a-z0-9]([a-z0-9._-]*[a-z0-9])?$/)
      .describe('File name below /input. A built-in algorithm reads the input named train.'),
    uri: z
      .string()
      .min(1)
      .max(1024)
      .describe(
        'builtin://iris.csv, data://<name> (uploaded to the registry), configmap://<name>/<key>, s3://<bucket>/<key> below the ' +
          "namespace's own prefix, or https://… (with sha256, from a host the operator allows).",
      ),
    sha256: z
      .string()
      .max(64)
      .regex(/^[0-9a-f]{64}$/)
      .exactOptional()
      .describe('The digest the bytes must have.'),
  })
  .meta(
    cel({
      rule: "!self.uri.startsWith('https://') || has(self.sha256)",
      message: 'an https:// input needs sha256: what a web server answers may change',
      fieldPath: '.sha256',
    }),
  );

export const Toleration = z.object({
  key: z.string().max(317).exactOptional().describe('The taint; absent: any.'),
  operator: z.enum(['Exists', 'Equal']).exactOptional().describe('Default: Equal.'),
  value: z.string().max(63).exactOptional().describe('Its value.'),
  effect: z.enum(['NoSchedule', 'PreferNoSchedule', 'NoExecute']).exactOptional().describe('Its effect; absent: any.'),
  tolerationSeconds: z.int().min(0).exactOptional().describe('With NoExecute: for how long.'),
});
