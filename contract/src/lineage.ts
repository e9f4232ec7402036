/** Where a model version comes from. */
import { z } from 'zod';
import { Sha256 } from './artifact.ts';

export const Lineage = z.object({
  trainingJob: z.string().exactOptional(),
  runKey: z.string().exactOptional(),
  image: z.string().exactOptional(),
  inputs: z
    .array(z.object({ name: z.string(), uri: z.string(), sha256: Sha256 }))
    .max(64)
    .exactOptional(),
});
export type Lineage = z.infer<typeof Lineage>;
