/** spec.runtime: a server image of the user's own that answers instead of the built-in one. */
import { FRONT_PORT, RuntimeProtocol } from '@slipway/contract';
import { z } from 'zod';
import { atomic, byName, cel } from '../../../api/fields.ts';

const Words = z.array(z.string().max(4096)).max(64).meta(atomic);

/** What the pod itself says to the server; the same name twice would be refused by the API server in other words. */
const RESERVED = ['MODEL_DIR', 'MODEL_NAME', 'MODEL_VERSION', 'PORT'];

const Env = z
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
  .meta({
    ...byName,
    ...cel({
      rule: `self.all(e, !(e.name in ${JSON.stringify(RESERVED).replaceAll('"', "'")}))`,
      message: `${RESERVED.join(', ')} are set for the server: leave them out of env`,
    }),
  });

export const Runtime = z.object({
  image: z
    .string()
    .min(1)
    .max(512)
    .describe(
      'The image of the server. It runs as user 65532 with a read-only root file system, /tmp to write to, the model in /model to read, and neither a credential nor a token.',
    ),
  protocol: RuntimeProtocol.describe(
    'What it speaks, by which its readiness is asked for: mlflow (GET /ping; then POST /invocations with the example of the version, if it has one), v1 (GET /v1/models/<model>), v2 (GET /v2/health/ready).',
  ),
  port: z
    .int()
    .min(1)
    .max(65_535)
    .default(8080)
    .meta(
      cel({
        rule: `self != ${FRONT_PORT}`,
        message: `${FRONT_PORT} is where the pod itself listens for clients: let the server listen at another port`,
      }),
    )
    .describe(
      'Where it listens, at 127.0.0.1 or all addresses. Clients reach it through the port of the Service only.',
    ),
  command: Words.exactOptional().describe("Replaces the image's entry point."),
  args: Words.exactOptional().describe(
    'Arguments. In command and args $(MODEL_DIR), $(MODEL_NAME), $(MODEL_VERSION) and $(PORT) are replaced.',
  ),
  env: Env.exactOptional().describe('Environment variables, literal values only.'),
});
export type Runtime = z.infer<typeof Runtime>;

/** What only the built-in server does: with a server of one's own it would be a field that does nothing. */
export const runtimeRules = [
  {
    rule: "!has(self.runtime) || !has(self.engine) || self.engine == 'auto'",
    message: 'engine chooses what computes the model in the built-in server: leave it out with runtime',
    fieldPath: '.engine',
  },
  {
    rule: '!has(self.runtime) || !has(self.predictionLog)',
    message:
      'predictionLog is written by the built-in server, which can read what is predicted: leave it out with runtime, and let your server write its own',
    fieldPath: '.predictionLog',
  },
];
