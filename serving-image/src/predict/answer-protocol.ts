/** What `predict` asks the process it starts for every model. */
import { ArtifactFile, ModelSignature } from '@slipway/contract';
import { z } from 'zod';

/** The subcommand of main.ts that asks one model; not for users. */
export const ANSWER_COMMAND = 'answer';

export const AnswerRequest = z.object({
  /** The model's folder and what lies in it. */
  dir: z.string(),
  files: z.array(ArtifactFile),
  /** What a trainer wrote down beside the folder; one inside it comes first. */
  signature: ModelSignature.exactOptional(),
  /** The CSV file. */
  heldOut: z.string(),
});
export type AnswerRequest = z.infer<typeof AnswerRequest>;
