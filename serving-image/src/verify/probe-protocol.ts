/** What the process that loads an unproven model tells the one that watches it. */
import { ArtifactFile, FailureReason, ModelSignature } from '@slipway/contract';
import { z } from 'zod';

/** The subcommand of main.ts that loads the model; not for users. */
export const PROBE_COMMAND = 'probe';

export const ProbeRequest = z.object({ dir: z.string(), files: z.array(ArtifactFile) });
export type ProbeRequest = z.infer<typeof ProbeRequest>;

export const ProbeResult = z.discriminatedUnion('ok', [
  z.object({
    ok: z.literal(true),
    /** The signature, and whether it had to be derived. */
    signature: ModelSignature,
    isDerived: z.boolean(),
    exampleRows: z.int(),
    seconds: z.number(),
  }),
  z.object({ ok: z.literal(false), reason: FailureReason, message: z.string() }),
]);
export type ProbeResult = z.infer<typeof ProbeResult>;
