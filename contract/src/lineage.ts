/** Where a model version comes from. */
import { z } from 'zod';
import { Sha256 } from './artifact.ts';

/** What a version's gates came to; each text says metric, value and bound. */
export const GateVerdict = z.object({
  passed: z.boolean(),
  results: z
    .array(z.object({ metric: z.string().max(250), passed: z.boolean(), message: z.string().max(1024) }))
    .max(32),
});
export type GateVerdict = z.infer<typeof GateVerdict>;

export const Lineage = z.object({
  trainingJob: z.string().exactOptional(),
  runKey: z.string().exactOptional(),
  image: z.string().exactOptional(),
  inputs: z
    .array(z.object({ name: z.string(), uri: z.string(), sha256: Sha256 }))
    .max(64)
    .exactOptional(),
  /** Absent: nothing was asked of it. A version whose gates failed is never `latest`. */
  gate: GateVerdict.exactOptional(),
});
export type Lineage = z.infer<typeof Lineage>;
